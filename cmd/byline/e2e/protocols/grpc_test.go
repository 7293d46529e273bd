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
)

// TestGRPC is about the one cell in which gRPC exists.
func TestGRPC(t *testing.T) {
	m := open(t, "", 2)
	m.keeps(promise{name: "calls and streams with their trailers, until the task ends", from: "h2", to: "h2", test: speaksGRPC})
}

// talker is a service of the kind that the library tests itself with.
type talker struct {
	pb.UnimplementedTestServiceServer
	session chan string // of the request that is being answered
}

func payload(n int) *pb.Payload { return &pb.Payload{Body: make([]byte, n)} }

func (s talker) UnaryCall(ctx context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	session := <-s.session
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-sum", "42", "x-echo", session))
	if code := r.GetResponseStatus().GetCode(); code != 0 {
		return nil, status.Error(codes.Code(code), "no: "+session)
	}
	in, _ := metadata.FromIncomingContext(ctx)
	return &pb.SimpleResponse{Payload: payload(int(r.GetResponseSize())), Username: strings.Join(in.Get("x-name"), ",")}, nil
}

// FullDuplexCall answers each message before the next comes.
func (s talker) FullDuplexCall(stream pb.TestService_FullDuplexCallServer) error {
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

// StreamingOutputCall says something and then waits for ever.
func (s talker) StreamingOutputCall(_ *pb.StreamingOutputCallRequest, stream pb.TestService_StreamingOutputCallServer) error {
	if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: payload(1)}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

// service is the package and name by which the library calls talker.
const service = "grpc.testing.TestService"

func speaksGRPC(c *cell) {
	c = c.alone()
	c.root = service
	c.ends("/StreamingOutputCall", "task_ended")
	s := talker{session: make(chan string, 1)}
	server := grpc.NewServer()
	pb.RegisterTestServiceServer(server, s)
	c.t.Cleanup(server.Stop)
	c.answers(func(w http.ResponseWriter, r *http.Request) {
		if te := r.Header.Get("Te"); te != "trailers" {
			c.t.Errorf("TE is %q: some servers take that for an agent that knows no trailers", te)
		}
		if r.URL.Path == "/"+service+"/UnaryCall" {
			s.session <- sessionOf(r)
		}
		server.ServeHTTP(w, r)
	})
	conn, err := grpc.NewClient("passthrough:///"+c.host, grpc.WithTransportCredentials(credentials.NewTLS(c.tls())),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return c.tunnel(), nil }))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	ctx := metadata.AppendToOutgoingContext(given(c.t), "cookie", "sid="+c.lent.Value, "x-api-key", c.lent.Value, "x-name", "agent")
	client := pb.NewTestServiceClient(conn)
	c.calls(ctx, client)
	c.talks(ctx, client)
	c.waits(ctx, client)
}

func (c *cell) calls(ctx context.Context, client pb.TestServiceClient) {
	var behind metadata.MD
	got, err := client.UnaryCall(ctx, &pb.SimpleRequest{Payload: payload(100 << 10), ResponseSize: 200 << 10}, grpc.Trailer(&behind))
	if err != nil || len(got.GetPayload().GetBody()) != 200<<10 || got.GetUsername() != "agent" || fmt.Sprint(behind["x-sum"]) != "[42]" {
		c.t.Errorf("unary: %v, %d bytes, trailer %v", err, len(got.GetPayload().GetBody()), behind)
	}
	length := len("Cnry-") + 26
	stars := masked(fmt.Sprintf("%*s", length, ""))
	if fmt.Sprint(behind["x-echo"]) != "["+stars+"]" {
		c.t.Errorf("I1: the session comes back in a trailer: %v", behind["x-echo"])
	}
	_, err = client.UnaryCall(ctx, &pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: int32(codes.FailedPrecondition)}})
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "no: "+stars {
		c.t.Errorf("I1: an error arrives as %v", err)
	}
}

func (c *cell) talks(ctx context.Context, client pb.TestServiceClient) {
	talk, err := client.FullDuplexCall(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	for n := range 5 {
		if err := talk.Send(&pb.StreamingOutputCallRequest{Payload: payload(n * 10000)}); err != nil {
			c.t.Fatal(err)
		}
		if back, err := talk.Recv(); err != nil || len(back.GetPayload().GetBody()) != n*10000 {
			c.t.Fatalf("message %d: %v", n, err)
		}
	}
	_ = talk.CloseSend()
	if _, err := talk.Recv(); err != io.EOF || fmt.Sprint(talk.Trailer()["x-sum"]) != "[end]" {
		c.t.Errorf("the end: %v, trailer %v", err, talk.Trailer())
	}
}

// waits for a stream that only the end of the task ends.
func (c *cell) waits(ctx context.Context, client pb.TestServiceClient) {
	wait, err := client.StreamingOutputCall(ctx, &pb.StreamingOutputCallRequest{})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := wait.Recv(); err != nil {
		c.t.Errorf("the stream's first message: %v", err)
	}
	over := make(chan error, 1)
	go func() {
		_, err := wait.Recv()
		over <- err
	}()
	c.EndTask(c.task)
	select {
	case err := <-over:
		if err == nil || err == io.EOF {
			c.t.Errorf("the stream ends as if it were whole: %v", err)
		}
	case <-time.After(time.Second):
		c.t.Error("I6: the stream goes on for a second after its task")
	}
}
