package audit_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// damagedLog is a closed log for a test to damage.
type damagedLog struct {
	t        *testing.T
	dir      string
	segments []segment.File
}

// last returns the last segment.
func (d *damagedLog) last() segment.File { return d.segments[len(d.segments)-1] }

// rewrite changes the content of a segment.
func (d *damagedLog) rewrite(s segment.File, change func([]byte) []byte) {
	d.t.Helper()
	b := audittest.Must(os.ReadFile(s.Path))
	if err := os.WriteFile(s.Path, change(b), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// removeTiles removes the tiles and with them the published checkpoint.
func (d *damagedLog) removeTiles() { os.RemoveAll(filepath.Join(d.dir, audit.TilesDir)) }

// cutNineBytes cuts the end of a segment in the middle of a line.
func cutNineBytes(b []byte) []byte { return b[:len(b)-9] }

// TestI8DamageIsFound does to a log what disks, operators and intruders without
// the key do, and expects verification to name the first bad record.
func TestI8DamageIsFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(d *damagedLog)
		bad    func(d *damagedLog) uint64 // first bad record; nil: there is none
		why    string                     // part of the reason
		kept   bool                       // the verifier has a kept checkpoint
	}{
		{
			name:   "none",
			damage: func(d *damagedLog) {},
			kept:   true,
		}, {
			name: "first segment removed and the next one changed",
			damage: func(d *damagedLog) {
				os.Remove(d.segments[0].Path)
				d.rewrite(d.segments[1], func(b []byte) []byte {
					return bytes.Replace(b, []byte(`"frontier":["`), []byte(`"frontier":["A`), 1)
				})
			},
			bad: func(d *damagedLog) uint64 { return d.segments[1].First },
			why: "cannot be verified without them",
		}, {
			name:   "segment in the middle removed",
			damage: func(d *damagedLog) { os.Remove(d.segments[1].Path) },
			bad:    func(d *damagedLog) uint64 { return d.segments[1].First },
			why:    "a segment is missing",
		}, {
			name:   "last segment removed",
			damage: func(d *damagedLog) { os.Remove(d.last().Path) },
			bad:    func(d *damagedLog) uint64 { return d.last().First },
			why:    "the published checkpoint",
		}, {
			name: "last segment and tiles removed, with a kept checkpoint",
			damage: func(d *damagedLog) {
				os.Remove(d.last().Path)
				d.removeTiles()
			},
			bad:  func(d *damagedLog) uint64 { return d.last().First },
			why:  "older copy",
			kept: true,
		}, {
			name:   "segment emptied",
			damage: func(d *damagedLog) { os.Truncate(d.segments[1].Path, 0) },
			bad:    func(d *damagedLog) uint64 { return d.segments[1].First },
			why:    "a segment is missing",
		}, {
			name: "two segments swapped",
			damage: func(d *damagedLog) {
				first := audittest.Must(os.ReadFile(d.segments[1].Path))
				second := audittest.Must(os.ReadFile(d.segments[2].Path))
				os.WriteFile(d.segments[1].Path, second, 0o600)
				os.WriteFile(d.segments[2].Path, first, 0o600)
			},
			bad: func(d *damagedLog) uint64 { return d.segments[1].First },
			why: "seq is",
		}, {
			name:   "segment in the middle cut inside a line",
			damage: func(d *damagedLog) { d.rewrite(d.segments[1], cutNineBytes) },
			bad:    func(d *damagedLog) uint64 { return d.segments[2].First - 1 },
			why:    "unfinished",
		}, {
			name: "last segment cut inside a line, nothing published or kept",
			damage: func(d *damagedLog) {
				d.rewrite(d.last(), cutNineBytes)
				d.removeTiles()
			},
		}, {
			name:   "last segment cut inside a line",
			damage: func(d *damagedLog) { d.rewrite(d.last(), cutNineBytes) },
			bad:    func(d *damagedLog) uint64 { return d.lastSeq() },
			why:    "the tail was cut",
		}, {
			name: "last segment cut inside a line, with a kept checkpoint",
			damage: func(d *damagedLog) {
				d.rewrite(d.last(), cutNineBytes)
				d.removeTiles()
			},
			bad:  func(d *damagedLog) uint64 { return d.lastSeq() },
			why:  "the tail was cut",
			kept: true,
		}, {
			name: "zeros after the lines of an earlier segment",
			damage: func(d *damagedLog) {
				d.rewrite(d.segments[0], func(b []byte) []byte { return append(b, make([]byte, 512)...) })
			},
			bad: func(d *damagedLog) uint64 { return d.segments[1].First },
			why: "512 bytes follow the last line",
		}, {
			name: "page of zeros inside a segment",
			damage: func(d *damagedLog) {
				d.rewrite(d.segments[0], func(b []byte) []byte {
					clear(b[1000:1512])
					return b
				})
			},
			bad: func(d *damagedLog) uint64 { return 1 },
			why: "unfinished",
		}, {
			name: "line repeated",
			damage: func(d *damagedLog) {
				d.rewrite(d.segments[0], func(b []byte) []byte {
					end := bytes.IndexByte(b, '\n') + 1
					return append(bytes.Clone(b[:end]), b...)
				})
			},
			bad: func(d *damagedLog) uint64 { return 1 },
			why: "seq is 0",
		}, {
			name:   "other file among the segments",
			damage: func(d *damagedLog) { os.WriteFile(filepath.Join(d.dir, "notes.txt"), nil, 0o600) },
			kept:   true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, lines := writeSegmentedLog(t)
			d := &damagedLog{t: t, dir: dir, segments: audittest.Must(segment.List(dir))}
			options := audit.VerifyOptions{}
			if c.kept {
				options.Kept = []string{audittest.LastCheckpoint(t, dir)}
			}

			c.damage(d)
			rep, err := audit.VerifyWith(dir, audittest.PublicKey, options)

			if c.bad == nil {
				if err != nil {
					t.Errorf("verification of %d lines returned %v, want no error", len(lines), err)
				}
				return
			}
			if !errors.Is(err, audit.ErrBroken) || rep.Bad == nil || rep.Bad.Seq != c.bad(d) || !strings.Contains(rep.Bad.Why, c.why) {
				t.Errorf("verification returned %v, fault %+v; want seq %d because %q", err, rep.Bad, c.bad(d), c.why)
			}
		})
	}
}

// lastSeq returns the number of the last line, which is a checkpoint, from the
// number of whole lines that are left after it was cut.
func (d *damagedLog) lastSeq() uint64 {
	return d.last().First + uint64(audittest.Must(d.last().CountLines()))
}

// TestI8EveryBitOfALogCounts flips one bit in each byte of a small closed log.
func TestI8EveryBitOfALogCounts(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir, CheckpointEvery: time.Hour})
	mustWait(t, l.Append(audittest.Intent(1)), l.Append(&audit.Record{Kind: "outcome", Intent: "r_1", Status: 200}))
	mustClose(t, l)
	os.RemoveAll(filepath.Join(dir, audit.TilesDir))

	path := audittest.Must(segment.List(dir))[0].Path
	whole := audittest.Must(os.ReadFile(path))
	step := 1
	if testing.Short() {
		step = 7
	}
	for at := 0; at < len(whole); at += step {
		changed := bytes.Clone(whole)
		changed[at] ^= 1 << (at % 8)
		os.WriteFile(path, changed, 0o600)

		rep, err := audit.Verify(dir, audittest.PublicKey, nil)
		if err == nil && !rep.Closed && (rep.Unfinished > 0 || at == len(whole)-1) {
			// A zero byte or a missing newline at the end look like a torn tail. The
			// report says that the log was not closed.
			continue
		}
		line := uint64(bytes.Count(whole[:at], []byte("\n")))
		if !errors.Is(err, audit.ErrBroken) || rep.Bad.Seq != line && rep.Bad.Seq != line+1 {
			t.Errorf("bit flipped at offset %d in line %d: %v, fault %+v; want ErrBroken at seq %d or %d", at, line, err, rep.Bad, line, line+1)
		}
	}
}
