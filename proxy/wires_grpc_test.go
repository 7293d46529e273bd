package proxy

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

// talker is a gRPC service of the kind that the library tests itself with.
type talker struct {
	pb.UnimplementedTestServiceServer
	t *testing.T
}

func payload(n int) *pb.Payload { return &pb.Payload{Body: make([]byte, n)} }

func (s talker) UnaryCall(ctx context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	in, _ := metadata.FromIncomingContext(ctx)
	if strings.Contains(fmt.Sprint(in), canaryHuman) {
		s.t.Errorf("I2: a borrowed credential reached the SaaS: %v", in)
	}
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-sum", "42"))
	if code := r.GetResponseStatus().GetCode(); code != 0 {
		return nil, status.Error(codes.Code(code), "no: "+canarySession)
	}
	return &pb.SimpleResponse{Payload: payload(int(r.GetResponseSize())), Username: in.Get("x-name")[0]}, nil
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

func TestGRPCCallsAndStreams(t *testing.T) {
	service := grpc.NewServer()
	pb.RegisterTestServiceServer(service, talker{t: t})
	t.Cleanup(service.Stop)
	w := newWires(t, "h2", "h2", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Te") != "trailers" {
			t.Errorf("TE is %q: some servers take that for a client that knows no trailers", r.Header.Get("Te"))
		}
		service.ServeHTTP(w, r)
	}, nil)
	conn, err := grpc.NewClient("passthrough:///example.com", grpc.WithTransportCredentials(credentials.NewTLS(w.agentTLS())),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			c := w.tunnel()
			return c, c.SetDeadline(time.Time{})
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "cookie", "sid="+canaryHuman, "x-api-key", canaryHuman, "x-name", "agent")
	client := pb.NewTestServiceClient(conn)

	var behind metadata.MD
	got, err := client.UnaryCall(ctx, &pb.SimpleRequest{Payload: payload(100 << 10), ResponseSize: 200 << 10}, grpc.Trailer(&behind))
	if err != nil || len(got.GetPayload().GetBody()) != 200<<10 || got.GetUsername() != "agent" || fmt.Sprint(behind["x-sum"]) != "[42]" {
		t.Errorf("unary: %v, %d bytes, trailer %v", err, len(got.GetPayload().GetBody()), behind)
	}
	_, err = client.UnaryCall(ctx, &pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: int32(codes.FailedPrecondition)}})
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "no: "+strings.Repeat("*", len(canarySession)) {
		t.Errorf("I1: an error arrives as %v", err)
	}

	talk, err := client.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		if err := talk.Send(&pb.StreamingOutputCallRequest{Payload: payload(n * 10000)}); err != nil {
			t.Fatal(err)
		}
		if back, err := talk.Recv(); err != nil || len(back.GetPayload().GetBody()) != n*10000 {
			t.Fatalf("message %d: %v", n, err)
		}
	}
	_ = talk.CloseSend()
	if _, err := talk.Recv(); err != io.EOF || fmt.Sprint(talk.Trailer()["x-sum"]) != "[end]" {
		t.Errorf("the end: %v, trailer %v", err, talk.Trailer())
	}

	wait, err := client.StreamingOutputCall(ctx, &pb.StreamingOutputCallRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wait.Recv(); err != nil {
		t.Errorf("the stream's first message: %v", err)
	}
	if _, err := w.EndTask(w.task.ID(), "over"); err != nil {
		t.Fatal(err)
	}
	if _, err := wait.Recv(); err == nil {
		t.Error("I6: the stream goes on after its task")
	}
}
