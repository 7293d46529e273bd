package protocols

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// TestGRPC runs in the only cell in which gRPC is possible.
func TestGRPC(t *testing.T) {
	m := startMatrix(t, "", 2)
	m.run(matrixTest{name: "calls and streams with trailers, until the task ends", from: "h2", to: "h2", run: testGRPC})
}

// grpcServer implements a part of the service by which grpc-go tests itself.
type grpcServer struct {
	pb.UnimplementedTestServiceServer
	session chan string // session cookie of the UnaryCall that is served
}

// grpcService is the package and name of the service. It is also the first
// element of its paths.
const grpcService = "grpc.testing.TestService"

func newPayload(size int) *pb.Payload { return &pb.Payload{Body: make([]byte, size)} }

// UnaryCall answers with a payload and the caller's x-name, or with the status
// that the request asks for. Trailers and the status message contain the
// session.
func (s grpcServer) UnaryCall(ctx context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	session := <-s.session
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-sum", "42", "x-echo", session))
	if code := r.GetResponseStatus().GetCode(); code != 0 {
		return nil, status.Error(codes.Code(code), "no: "+session)
	}
	in, _ := metadata.FromIncomingContext(ctx)
	return &pb.SimpleResponse{Payload: newPayload(int(r.GetResponseSize())), Username: strings.Join(in.Get("x-name"), ",")}, nil
}

// FullDuplexCall sends each message back before it reads the next.
func (s grpcServer) FullDuplexCall(stream pb.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			stream.SetTrailer(metadata.Pairs("x-sum", "end"))
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: in.Payload}); err != nil {
			return err
		}
	}
}

// StreamingOutputCall sends one message and then waits until it is canceled.
func (s grpcServer) StreamingOutputCall(_ *pb.StreamingOutputCallRequest, stream pb.TestService_StreamingOutputCallServer) error {
	if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: newPayload(1)}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

func testGRPC(c *cell) {
	c = c.withOwnTask()
	c.root = grpcService
	c.expectCode("/StreamingOutputCall", "task_ended")

	service := grpcServer{session: make(chan string, 1)}
	server := grpc.NewServer()
	pb.RegisterTestServiceServer(server, service)
	c.t.Cleanup(server.Stop)
	c.handle(func(w http.ResponseWriter, r *http.Request) {
		if te := r.Header.Get("Te"); te != "trailers" {
			c.t.Errorf("%s arrived with TE %q, want trailers: some servers demand it", r.URL.Path, te)
		}
		if r.URL.Path == "/"+grpcService+"/UnaryCall" {
			service.session <- sessionOf(r)
		}
		server.ServeHTTP(w, r)
	})

	conn, err := grpc.NewClient("passthrough:///"+c.host,
		grpc.WithTransportCredentials(credentials.NewTLS(c.tlsConfig())),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return c.openTunnel(), nil }))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	ctx := metadata.AppendToOutgoingContext(timeoutContext(c.t),
		"cookie", "sid="+c.borrowed.Value, "x-api-key", c.borrowed.Value, "x-name", "agent")
	client := pb.NewTestServiceClient(conn)
	c.checkUnaryCalls(ctx, client)
	c.checkDuplexCall(ctx, client)
	c.checkStreamEndsWithTask(ctx, client)
}

// checkUnaryCalls checks payloads, metadata and trailers, and that the session
// is masked in trailers and in a status message.
func (c *cell) checkUnaryCalls(ctx context.Context, client pb.TestServiceClient) {
	const responseSize = 200 << 10
	var trailer metadata.MD
	got, err := client.UnaryCall(ctx, &pb.SimpleRequest{Payload: newPayload(100 << 10), ResponseSize: responseSize}, grpc.Trailer(&trailer))
	if err != nil || len(got.GetPayload().GetBody()) != responseSize || got.GetUsername() != "agent" {
		c.t.Errorf("UnaryCall: %d bytes for %q, error %v; want %d bytes for \"agent\"", len(got.GetPayload().GetBody()), got.GetUsername(), err, responseSize)
	}
	if sum := trailer["x-sum"]; fmt.Sprint(sum) != "[42]" {
		c.t.Errorf("UnaryCall: trailer x-sum is %q, want 42", sum)
	}
	masked := mask(testenv.NewSecret()) // all secrets have the same length
	if echo := trailer["x-echo"]; fmt.Sprint(echo) != "["+masked+"]" {
		c.t.Errorf("I1: UnaryCall: trailer x-echo is %q, want the session masked", echo)
	}

	_, err = client.UnaryCall(ctx, &pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: int32(codes.FailedPrecondition)}})
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "no: "+masked {
		c.t.Errorf("I1: UnaryCall that fails: error %v, want FailedPrecondition with the session masked", err)
	}
}

func (c *cell) checkDuplexCall(ctx context.Context, client pb.TestServiceClient) {
	stream, err := client.FullDuplexCall(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	for n := range 5 {
		size := n * 10000
		if err := stream.Send(&pb.StreamingOutputCallRequest{Payload: newPayload(size)}); err != nil {
			c.t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil || len(got.GetPayload().GetBody()) != size {
			c.t.Fatalf("FullDuplexCall: message %d came back with %d bytes, error %v; want %d bytes", n, len(got.GetPayload().GetBody()), err, size)
		}
	}
	_ = stream.CloseSend()
	if _, err := stream.Recv(); err != io.EOF || fmt.Sprint(stream.Trailer()["x-sum"]) != "[end]" {
		c.t.Errorf("FullDuplexCall: ended with %v, trailer %v; want EOF and x-sum end", err, stream.Trailer())
	}
}

// checkStreamEndsWithTask ends the task while a stream is open.
func (c *cell) checkStreamEndsWithTask(ctx context.Context, client pb.TestServiceClient) {
	stream, err := client.StreamingOutputCall(ctx, &pb.StreamingOutputCallRequest{})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		c.t.Errorf("StreamingOutputCall: receive the first message: %v", err)
	}

	ended := make(chan error, 1)
	go func() {
		_, err := stream.Recv()
		ended <- err
	}()
	c.EndTask(c.task)
	select {
	case err := <-ended:
		if err == nil || err == io.EOF {
			c.t.Errorf("StreamingOutputCall: ended with %v, want an error", err)
		}
	case <-time.After(time.Second):
		c.t.Error("I6: StreamingOutputCall: the stream went on for a second after its task")
	}
}
