package journal

import (
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

func TestLongRecordsAreTruncated(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Config{Dir: dir})
	long := audittest.Intent(1)
	long.Path = "/" + strings.Repeat("\x01é", 40_000)
	for i := range 5000 {
		long.Stripped = append(long.Stripped, audit.Stripped{In: "cookie", Name: "c" + strings.Repeat("x", i), Fingerprint: "f"})
	}
	mustWait(t, l.Append(long))
	mustClose(t, l)

	audittest.Verify(t, dir, long.ID)
	got := audittest.Must(audit.Find(dir, long.ID))[0]
	if !strings.Contains(got.Path, "… sha256:") || len(got.Path) > 2*maxTextBytes || got.Grant != long.Grant {
		t.Errorf("the record has grant %s and a path of %d bytes, which begins with %.100s", got.Grant, len(got.Path), got.Path)
	}
	n := len(got.Stripped)
	if n != maxCredentials+1 || got.Stripped[n-1].Name != "4937 more" {
		t.Errorf("the record lists %d credentials, the last is %+v; want %d and 4937 more", n, got.Stripped[n-1], maxCredentials)
	}
}
