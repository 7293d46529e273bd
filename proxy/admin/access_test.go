package admin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestZeroTokenAdmitsNobody(t *testing.T) {
	r := httptest.NewRequest("GET", "/v1/tasks", nil)
	r.Host = "localhost"
	r.Header.Set("Authorization", "Bearer ")

	w := httptest.NewRecorder()
	New(Config{}, testVerbs()).ServeHTTP(w, r)
	if w.Code != 401 {
		t.Fatalf("got %d, want 401", w.Code)
	}
}

func TestUnixSocketAdmitsOwnUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}

	s := Server(New(Config{}, testVerbs()))
	go s.Serve(ln)
	defer s.Close()

	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	defer tr.CloseIdleConnections()

	res, err := (&http.Client{Transport: tr}).Get("http://byline/v1/tasks")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Fatalf("got %d, want 200", res.StatusCode)
	}
}

// TestForeignUserIsRefused asks over the Unix socket as a user that is neither
// root nor the server's own.
func TestForeignUserIsRefused(t *testing.T) {
	r := httptest.NewRequest("GET", "/v1/tasks", nil)
	r = r.WithContext(context.WithValue(r.Context(), peerKey{}, peer{uid: uint32(os.Getuid()) + 1}))

	w := httptest.NewRecorder()
	New(Config{}, testVerbs()).ServeHTTP(w, r)
	if w.Code != 403 {
		t.Fatalf("got %d, want 403", w.Code)
	}
}
