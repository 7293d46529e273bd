package archive

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// TestI8RetentionRemovesNothingThatWasChanged changes an archive before the records in it
// are removed. Removing them would hide the change for ever, and put a wrong digest on
// record.
func TestI8RetentionRemovesNothingThatWasChanged(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, archive []audit.SegmentInfo, dir string){
		"a bit flipped": func(t *testing.T, archive []audit.SegmentInfo, _ string) {
			b := audittest.Must(os.ReadFile(archive[1].Path))
			b[len(b)/2] ^= 1
			os.WriteFile(archive[1].Path, b, 0o600)
		},
		"the last line cut": func(t *testing.T, archive []audit.SegmentInfo, _ string) {
			b := audittest.Must(os.ReadFile(archive[0].Path))
			os.WriteFile(archive[0].Path, b[:len(b)/2], 0o600)
		},
		"a segment missing": func(t *testing.T, archive []audit.SegmentInfo, _ string) {
			os.Remove(archive[1].Path)
		},
		"a segment of another log": func(t *testing.T, archive []audit.SegmentInfo, _ string) {
			other := openTestLog(t)
			other.write(20)
			from := audittest.Must(audit.Folders{other.dir}.Segments())
			os.WriteFile(archive[0].Path, audittest.Must(os.ReadFile(from[0].Path)), 0o600)
		},
		"a changed copy in the log": func(t *testing.T, archive []audit.SegmentInfo, dir string) {
			b := audittest.Must(os.ReadFile(archive[0].Path))
			b[len(b)/2] ^= 1
			os.WriteFile(filepath.Join(dir, filepath.Base(archive[0].Path)), b, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := openTestLog(t)
			l.write(40)
			l.run(l.options())
			l.write(20)
			archived := audittest.Must(audit.Folders{l.to}.Segments())
			if len(archived) < 3 {
				t.Fatalf("only %d segments were archived", len(archived))
			}
			change(t, archived, l.dir)
			before := countSegments(t, l.to)
			recorded := len(l.recorded)

			o := l.options()
			o.MoveBefore = time.Time{}
			o.RemoveBefore = time.Now().Add(time.Hour)
			r, err := Run(t.Context(), o)
			if err == nil || len(r.Steps) > 0 {
				t.Errorf("Run returned %+v, %v; want an error and no step", r, err)
			}
			if n := countSegments(t, l.to); n != before || len(l.recorded) != recorded {
				t.Errorf("%d of %d segments are left, and %d records were written; want all and none", n, before, len(l.recorded)-recorded)
			}
		})
	}
}

// TestI8AnArchiveBelongsToOneLog lets two logs use the same directory. The segments of the
// second one would make the archive of the first one broken.
func TestI8AnArchiveBelongsToOneLog(t *testing.T) {
	first, second := openTestLog(t), openTestLog(t)
	first.write(40)
	first.run(first.options())
	second.write(40)

	for name, prepare := range map[string]func(){
		"with all segments of the first log": func() {},
		"after the oldest ones were removed": func() {
			archived := audittest.Must(audit.Folders{first.to}.Segments())
			os.Remove(archived[0].Path)
		},
	} {
		prepare()
		before := countSegments(t, first.to)
		o := second.options()
		o.To = first.to
		o.Keys = []audit.PublicKey{audittest.PublicKey}
		r, err := Run(t.Context(), o)
		if err == nil || len(r.Steps) > 0 || countSegments(t, first.to) != before {
			t.Errorf("%s: Run returned %+v, %v and left %d segments, want an error and %d", name, r, err, countSegments(t, first.to), before)
		}
	}
}
