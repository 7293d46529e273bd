package audit_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// TestTorchwoodReadsTheExport serves an export as files and has torchwood's
// client read and check every entry.
func TestTorchwoodReadsTheExport(t *testing.T) {
	dir, _ := longLog(t, 700)
	out := t.TempDir()
	if _, err := audit.Export(dir, out, nil); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 100 << 10})
	for i := range 300 {
		l.Append(audittest.Intent(i))
	}
	l.Close()
	c, err := audit.Export(dir, out, nil) // goes on
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.FileServer(http.Dir(out)))
	defer srv.Close()
	cmd := exec.Command(audittest.BuildC2SP(t), "read", srv.URL, audittest.VerifierKey())
	cmd.Stderr = os.Stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, lines := leaves(t, dir)
	want := append(bytes.Join(lines[:c.Size], []byte("\n")), '\n')
	if int(c.Size) != len(lines)-1 || !bytes.Equal(got, want) {
		t.Errorf("%d entries of %d bytes, want %d lines of %d", bytes.Count(got, []byte("\n")), len(got), c.Size, len(want))
	}
}
