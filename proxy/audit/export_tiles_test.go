package audit_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// TestTorchwoodReadsTheExport exports a log, exports it again when it has grown,
// serves the files, and lets torchwood's client read and check every entry.
func TestTorchwoodReadsTheExport(t *testing.T) {
	dir, _ := writeLongLog(t, 700)
	out := t.TempDir()
	if _, err := audit.Export(dir, out, nil); err != nil {
		t.Fatal(err)
	}

	l := openLog(t, journal.Config{Dir: dir, SegmentBytes: 100 << 10})
	for i := range 300 {
		l.Append(audittest.Intent(i))
	}
	mustClose(t, l)
	c, err := audit.Export(dir, out, nil)
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

	lines := audittest.Lines(t, dir)
	if int(c.Size) != len(lines)-1 {
		t.Fatalf("the export covers %d lines, want %d", c.Size, len(lines)-1)
	}
	want := append(bytes.Join(lines[:c.Size], []byte("\n")), '\n')
	if !bytes.Equal(got, want) {
		t.Errorf("torchwood read %d entries of %d bytes, want %d lines of %d bytes",
			bytes.Count(got, []byte("\n")), len(got), c.Size, len(want))
	}
}

func TestExportOfALogWithoutCheckpoint(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	unsealed := audittest.WriteLines(t, dir, lines[:3])
	if _, err := audit.Export(unsealed, t.TempDir(), nil); !errors.Is(err, audit.ErrNotSealed) {
		t.Errorf("got %v, want ErrNotSealed", err)
	}
}
