package journal

import (
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

func TestLongRecordsAreShortenedNotLost(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	long := audittest.Intent(1)
	long.Path = "/" + strings.Repeat("\x01é", 40_000)
	for i := range 5000 {
		long.Stripped = append(long.Stripped, audit.Stripped{In: "cookie", Name: "c" + strings.Repeat("x", i), Fingerprint: "f"})
	}
	mustWait(t, l.Append(long))
	l.Close()
	audittest.Verify(t, dir, long.ID)
	found := audittest.Must(audit.Find(dir, long.ID))
	got := found[0]
	if !strings.Contains(got.Path, "… sha256:") || len(got.Path) > 2*maxTextBytes || got.Grant != long.Grant {
		t.Errorf("%d bytes of path: %.100s", len(got.Path), got.Path)
	}
	if n := len(got.Stripped); n != maxCredentials+1 || got.Stripped[n-1].Name != "4937 more" {
		t.Errorf("%d stripped, the last %+v", n, got.Stripped[n-1])
	}
}
