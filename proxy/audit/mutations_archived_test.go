package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// archivedLog is a log that changed its key twice and whose old segments were moved
// to two other directories, with records of that. The first one was removed.
type archivedLog struct {
	t        *testing.T
	top      string // holds the directories below
	folders  []string
	keys     []string
	notes    []string   // a checkpoint by each key
	segments [][]string // names of the segments in each directory
	lines    [][]byte   // of the records in the log's own directory
	all      []mutation
}

// names of the directories: that of the writer, and the archives.
var archivedNames = []string{"log", "mid", "old"}

// write writes a log that changes its key twice. Logs with another salt have other
// records under the same name and keys.
func (l *archivedLog) write(top, salt string) (dir string) {
	t := l.t
	dir = filepath.Join(top, "log")
	cfg := journal.Config{Dir: dir, SegmentBytes: 30 << 10, CheckpointEvery: time.Hour}
	key := audittest.Key
	log := openLog(t, cfg)
	write := func(n int) {
		for i := range n {
			r := audittest.Intent(i)
			r.Purpose = salt
			mustWait(t, log.Append(r))
		}
	}
	for _, letter := range []string{"b", "c"} {
		write(90)
		key = audittest.KeyFrom(letter)
		if err := log.ChangeKey(key); err != nil {
			t.Fatal(err)
		}
	}
	write(90)
	mustClose(t, log)
	l.reopen(dir, key, func(*journal.Log) {})

	return dir
}

// reopen opens the log, lets do write, and closes it.
func (l *archivedLog) reopen(dir string, key ed25519.PrivateKey, do func(*journal.Log)) {
	l.t.Helper()
	log, err := journal.Open(journal.Config{Dir: dir, SegmentBytes: 30 << 10, CheckpointEvery: time.Hour}, key, audittest.Instance)
	if err != nil {
		l.t.Fatal(err)
	}
	do(log)
	mustClose(l.t, log)
	os.Remove(filepath.Join(dir, "lock"))
}

func newArchivedLog(t *testing.T) *archivedLog {
	t.Helper()
	l := &archivedLog{t: t, top: t.TempDir()}
	origin := audit.Origin(audittest.Instance)
	for _, key := range []ed25519.PrivateKey{audittest.Key, audittest.KeyFrom("b"), audittest.KeyFrom("c")} {
		l.keys = append(l.keys, audit.PublicKey{Name: origin, Key: audittest.PublicOf(key)}.String())
	}
	dir := l.write(l.top, "")
	for _, name := range archivedNames[1:] {
		if err := os.Mkdir(filepath.Join(l.top, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	infos := audittest.Must(audit.Folders{dir}.Segments())
	moveTo := []string{"", "old", "old", "mid", "mid", "mid", "mid", "mid"} // the others stay
	if len(infos) < len(moveTo)+2 {
		t.Fatalf("the log has only %d segments", len(infos))
	}
	l.reopen(dir, audittest.KeyFrom("c"), func(log *journal.Log) {
		for i, to := range moveTo {
			s := infos[i]
			code := audit.CodeMoved
			if to == "" {
				code = audit.CodeRemoved
			}
			b := audittest.Must(os.ReadFile(s.Path))
			moved := audit.Segment{First: s.First, Next: s.Next, Bytes: uint64(len(b)), SHA256: sha256Hex(b), Root: s.Root}
			mustWait(t, audittest.Must(log.RecordArchived(code, moved, to)))
			if to != "" {
				os.WriteFile(filepath.Join(l.top, to, filepath.Base(s.Path)), b, 0o600)
			}
			os.Remove(s.Path)
		}
	})

	for _, name := range archivedNames {
		folder := filepath.Join(l.top, name)
		l.folders = append(l.folders, folder)
		var names []string
		for _, s := range audittest.Must(segment.List(folder)) {
			names = append(names, filepath.Base(s.Path))
		}
		l.segments = append(l.segments, names)
	}
	l.collectNotes()
	l.lines = audittest.Lines(t, dir)

	return l
}

// collectNotes keeps the last checkpoint that each key signed.
func (l *archivedLog) collectNotes() {
	l.notes = make([]string, len(l.keys))
	for _, folder := range l.folders {
		for _, line := range audittest.Lines(l.t, folder) {
			r := audittest.Must(audit.ParseRecord(line))
			for i, text := range l.keys {
				if r.Kind != audit.KindCheckpoint {
					continue
				}
				_, err := audit.ParseCheckpoint(r.Checkpoint, audittest.Must(audit.ParsePublicKey(text)))
				if err == nil && len(r.Checkpoint) > 0 && sizeOf(r.Checkpoint) > sizeOf(l.notes[i]) {
					l.notes[i] = r.Checkpoint
				}
			}
		}
	}
	for i, note := range l.notes {
		if note == "" {
			l.t.Fatalf("key %d signed no checkpoint that is left", i)
		}
	}
}

// sizeOf returns the size in a note, or -1.
func sizeOf(note string) int {
	size := -1
	fmt.Sscanf(strings.SplitN(note+"\n\n", "\n", 3)[1], "%d", &size)

	return size
}

// add adds a copy of all directories that change has changed. dir is the directory
// that holds them.
func (l *archivedLog) add(name string, change func(dir string)) *mutation {
	l.t.Helper()
	dir := l.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(l.top)); err != nil {
		l.t.Fatal(err)
	}
	change(dir)
	m := mutation{Name: name, Keys: l.keys}
	for _, f := range archivedNames {
		m.Folders = append(m.Folders, filepath.Join(dir, f))
	}
	l.all = append(l.all, m)

	return &l.all[len(l.all)-1]
}

// file adds a mutation of one file, named relative to the directory of all.
func (l *archivedLog) file(what, name string, change func([]byte) []byte) *mutation {
	return l.add(what+" "+name, func(dir string) {
		path := filepath.Join(dir, name)
		before := audittest.Must(os.ReadFile(path))
		after := change(bytes.Clone(before))
		if bytes.Equal(before, after) {
			l.t.Fatalf("%s %s: nothing was changed", what, name)
		}
		if err := os.WriteFile(path, after, 0o600); err != nil {
			l.t.Fatal(err)
		}
	})
}

// TestI8MutationsOfAnArchivedLogAreFound changes a log that lies in three directories
// in a few hundred ways.
func TestI8MutationsOfAnArchivedLogAreFound(t *testing.T) {
	l := newArchivedLog(t)
	nothing := func(string) {}
	l.add("nothing changed", nothing).good = true
	l.flipSegments()
	l.arrangeFolders()
	l.cutEnds()
	l.changeKeys()
	l.keepCheckpoints()
	l.mixLogs()
	l.forgeRecords()
	l.changeTiles()
	if len(l.all) < 250 {
		t.Fatalf("only %d mutations were made", len(l.all))
	}

	compareVerifiers(t, l.all)
}

// flipSegments flips bits all over each segment, and in every member of the first
// line, of checkpoints and of archived records.
func (l *archivedLog) flipSegments() {
	for i, folder := range archivedNames {
		for _, name := range l.segments[i] {
			b := audittest.Must(os.ReadFile(filepath.Join(l.folders[i], name)))
			for at := 17; at < len(b); at += max(1, len(b)/6) {
				l.file(fmt.Sprintf("flip byte %d of", at), filepath.Join(folder, name), flip(at))
			}
			first := bytes.IndexByte(b, '\n')
			for at := 3; at < first; at += first / 5 {
				l.file(fmt.Sprintf("flip byte %d of", at), filepath.Join(folder, name), flip(at))
			}
			l.file("last line break removed from", filepath.Join(folder, name), func(b []byte) []byte { return b[:len(b)-1] })
		}
	}
	last := filepath.Join("log", l.segments[0][len(l.segments[0])-1])
	b := audittest.Must(os.ReadFile(filepath.Join(l.top, last)))
	for _, member := range []string{`"segment":`, `"sha256":"`, `"root":"`, `"next":`, `"first":`, `"bytes":`, `"code":"moved`, `"code":"removed`, `"detail":"`, `"frontier":["`, `"checkpoint":"`} {
		at := bytes.Index(b, []byte(member))
		if at < 0 {
			continue
		}
		at += len(member)
		l.file(fmt.Sprintf("flip byte %d, after %s, of", at, member), last, flip(at))
	}
}

// arrangeFolders leaves out, swaps, repeats and edits directories and segments.
func (l *archivedLog) arrangeFolders() {
	nothing := func(string) {}
	for _, order := range [][]int{{0, 2, 1}, {1, 0, 2}, {2, 1, 0}, {0, 0, 1, 2}, {0, 1, 2, 2}, {0}, {0, 1}, {1, 2}, {1}, {2}, {0, 2}} {
		m := l.add(fmt.Sprintf("directories %v", order), nothing)
		folders := m.Folders
		m.Folders = nil
		for _, i := range order {
			m.Folders = append(m.Folders, folders[i])
		}
		m.good = !slices.Equal(order, []int{0, 2}) // the middle is missing
	}
	for i, folder := range archivedNames {
		for j, name := range l.segments[i] {
			path := filepath.Join(folder, name)
			m := l.add("without "+path, func(dir string) { os.Remove(filepath.Join(dir, path)) })
			m.good = folder == "old" && j == 0

			m = l.add("also in another directory "+path, func(dir string) {
				to := filepath.Join(dir, archivedNames[(i+1)%3], name)
				os.WriteFile(to, audittest.Must(os.ReadFile(filepath.Join(dir, path))), 0o600)
			})
			m.good = true
			for what, change := range map[string]func([]byte) []byte{
				"edited":           func(b []byte) []byte { return flip(len(b) / 2)(b) },
				"shorter":          func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] },
				"longer":           func(b []byte) []byte { return append(b, "{}\n"...) },
				"empty":            func([]byte) []byte { return nil },
				"without its end":  func(b []byte) []byte { return b[:len(b)-5] },
				"of another place": func([]byte) []byte { return audittest.Must(os.ReadFile(filepath.Join(l.top, "mid", l.segments[1][1]))) },
			} {
				if path == filepath.Join("mid", l.segments[1][1]) && what == "of another place" {
					continue
				}
				l.add(fmt.Sprintf("a copy that is %s in another directory of %s", what, path), func(dir string) {
					to := filepath.Join(dir, archivedNames[(i+1)%3], name)
					os.WriteFile(to, change(audittest.Must(os.ReadFile(filepath.Join(dir, path)))), 0o600)
				})
			}
			m = l.add("a copy that is not complete of "+path, func(dir string) {
				b := audittest.Must(os.ReadFile(filepath.Join(dir, path)))
				os.WriteFile(filepath.Join(dir, "old", name+".part"), b[:len(b)/2], 0o600)
			})
			m.good = true
			if i == 0 && j == len(l.segments[0])-1 {
				continue // zeros and unfinished lines may follow the end of the log
			}
			l.file("zeros after", path, func(b []byte) []byte { return append(b, make([]byte, 4096)...) })
			l.file("a record too many in", path, func(b []byte) []byte { return append(b, b[:bytes.IndexByte(b, '\n')+1]...) })
		}
		l.add("a segment with another name in "+folder, func(dir string) {
			os.WriteFile(filepath.Join(dir, folder, "seg-1.jsonl"), nil, 0o600)
		})
		l.add("other files in "+folder, func(dir string) {
			os.WriteFile(filepath.Join(dir, folder, "README"), []byte("{}"), 0o600)
			os.WriteFile(filepath.Join(dir, folder, "lock"), []byte("x"), 0o600)
			os.WriteFile(filepath.Join(dir, folder, "next.zeros"), make([]byte, 100), 0o600)
			os.MkdirAll(filepath.Join(dir, folder, "sinks"), 0o700)
			os.WriteFile(filepath.Join(dir, folder, "sinks", "siem.cursor"), []byte("99999\n"), 0o600)
		}).good = true
	}
	l.add("segments swapped between directories", func(dir string) {
		a, b := filepath.Join(dir, "mid", l.segments[1][0]), filepath.Join(dir, "old", l.segments[2][0])
		x, y := audittest.Must(os.ReadFile(a)), audittest.Must(os.ReadFile(b))
		os.WriteFile(a, y, 0o600)
		os.WriteFile(b, x, 0o600)
	})
}

// cutEnds cuts the log at its end, also behind the changes of the key.
func (l *archivedLog) cutEnds() {
	cut := func(dir string, after int) { // removes the segments after a number of them
		for i := len(archivedNames) - 1; i >= 0; i-- {
			for _, name := range l.segments[i] {
				if after > 0 {
					after--
					continue
				}
				os.Remove(filepath.Join(dir, archivedNames[i], name))
			}
		}
	}
	total := len(l.segments[0]) + len(l.segments[1]) + len(l.segments[2])
	for n := 1; n < total; n++ {
		l.add(fmt.Sprintf("only the first %d segments", n), func(dir string) { cut(dir, n) })
		l.add(fmt.Sprintf("only the first %d segments, first key alone", n), func(dir string) { cut(dir, n) }).Keys = l.keys[:1]
		for i, note := range l.notes {
			m := l.add(fmt.Sprintf("only the first %d segments, without tiles, a checkpoint of key %d kept", n, i), func(dir string) {
				cut(dir, n)
				os.RemoveAll(filepath.Join(dir, "log", audit.TilesDir))
			})
			m.Kept = []string{note}
			m.good = sizeOf(note) < l.linesIn(m)
		}
	}
	for n := 1; n < len(l.lines); n++ {
		if n%7 != 0 && n < len(l.lines)-8 {
			continue
		}
		l.add(fmt.Sprintf("the log's directory cut after %d lines", n), func(dir string) {
			log := filepath.Join(dir, "log")
			left := n
			for _, s := range audittest.Must(segment.List(log)) {
				lines := bytes.SplitAfter(audittest.Must(os.ReadFile(s.Path)), []byte("\n"))
				keep := min(left, len(lines)-1)
				left -= keep
				if keep == 0 {
					os.Remove(s.Path)
					continue
				}
				os.WriteFile(s.Path, bytes.Join(lines[:keep], nil), 0o600)
			}
		})
	}
}

// linesIn returns the number of the line after the last one in the directories.
func (l *archivedLog) linesIn(m *mutation) int {
	files := audittest.Must(segment.List(m.Folders...))
	last := files[len(files)-1]

	return int(last.First) + bytes.Count(audittest.Must(os.ReadFile(last.Path)), []byte("\n"))
}

// changeKeys verifies with other sets of keys. The oldest segment that is left was
// signed by the first key.
func (l *archivedLog) changeKeys() {
	nothing := func(string) {}
	unknown := audit.PublicKey{Name: audit.Origin(audittest.Instance), Key: audittest.PublicOf(audittest.KeyFrom("m"))}.String()
	foreign := audit.PublicKey{Name: "byline/other", Key: audittest.PublicOf(audittest.Key)}.String()
	k := l.keys
	for _, c := range []struct {
		name string
		keys []string
		good bool
	}{
		{"all keys, the first one twice", []string{k[0], k[0], k[1], k[2]}, true},
		{"first key", k[:1], true},
		{"first and third key", []string{k[0], k[2]}, true},
		{"keys in another order", []string{k[2], k[0], k[1]}, true}, // the log starts in the middle: any may have signed
		{"second key", k[1:2], false},
		{"third key", k[2:], false},
		{"second and third key", k[1:], false},
		{"unknown key", []string{unknown}, false},
		{"unknown key before the others", append([]string{unknown}, k...), true},
		{"first key under another name", []string{foreign}, false},
	} {
		m := l.add(c.name, nothing)
		m.Keys = c.keys
		m.good = c.good
	}
	// Without the archives the log begins where the second key announced the third.
	for i, good := range []bool{false, true, true} {
		m := l.add(fmt.Sprintf("the log's directory alone with key %d", i), nothing)
		m.Folders = m.Folders[:1]
		m.Keys = l.keys[i : i+1]
		m.good = good
	}
	for i := range archivedNames {
		for _, name := range l.segments[i] {
			path := filepath.Join(archivedNames[i], name)
			b := audittest.Must(os.ReadFile(filepath.Join(l.top, path)))
			if bytes.Contains(b, []byte(`"key":"`)) {
				for _, key := range l.keys[1:] {
					if bytes.Contains(b, []byte(key)) {
						l.file("announced key replaced in", path, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(key), []byte(unknown)) })
						l.file("announced key replaced by the first in", path, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(key), []byte(l.keys[0])) })
					}
				}
			}
		}
	}
}

// keepCheckpoints compares with checkpoints that were kept.
func (l *archivedLog) keepCheckpoints() {
	nothing := func(string) {}
	origin := audit.Origin(audittest.Instance)
	letters := []ed25519.PrivateKey{audittest.Key, audittest.KeyFrom("b"), audittest.KeyFrom("c"), audittest.KeyFrom("m")}
	for i, note := range l.notes {
		m := l.add(fmt.Sprintf("kept checkpoint of key %d", i), nothing)
		m.Kept, m.good = []string{note}, true
		text, _, _ := audit.SplitNote(note)
		for j, key := range letters {
			// Which of the log's keys signed a kept checkpoint does not matter.
			m := l.add(fmt.Sprintf("kept checkpoint of key %d, signed by key %d", i, j), nothing)
			m.Kept, m.good = []string{audittest.SignNote(text, origin, key)}, j < 3

			other := strings.Replace(text, fmt.Sprintf("\n%d\n", sizeOf(note)), fmt.Sprintf("\n%d\n", sizeOf(note)+1), 1)
			m = l.add(fmt.Sprintf("kept checkpoint of another size, signed by key %d", j), nothing)
			m.Kept = []string{audittest.SignNote(other, origin, key)}
			l.add(fmt.Sprintf("checkpoint of another size in an archive, signed by key %d", j), func(dir string) {
				os.Mkdir(filepath.Join(dir, "mid", audit.TilesDir), 0o700)
				os.WriteFile(filepath.Join(dir, "mid", audit.TilesDir, "checkpoint.witnessed"), []byte(audittest.SignNote(other, origin, key)), 0o600)
			})
			for _, name := range []string{"checkpoint.ahead-900-0011", "checkpoint.witnessed.ahead-900-0011", "checkpoint.accepted-900-0011"} {
				far := strings.Replace(text, fmt.Sprintf("\n%d\n", sizeOf(note)), "\n900\n", 1)
				l.add(fmt.Sprintf("%s, signed by key %d", name, j), func(dir string) {
					os.WriteFile(filepath.Join(dir, "log", audit.TilesDir, name), []byte(audittest.SignNote(far, origin, key)), 0o600)
				})
			}
		}
		l.add(fmt.Sprintf("kept checkpoint of key %d under another name", i), nothing).Kept =
			[]string{audittest.SignNote(strings.Replace(text, origin, "byline/other", 1), "byline/other", letters[i])}
	}
	l.add("kept garbage", nothing).Kept = []string{"garbage\n"}
	for _, name := range []string{"checkpoint", "checkpoint.witnessed"} {
		for what, content := range map[string]string{"empty": "", "zeros": "\x00\x00\x00\x00"} {
			l.add(what+" "+name, func(dir string) {
				os.WriteFile(filepath.Join(dir, "log", audit.TilesDir, name), []byte(content), 0o600)
			}).good = true
		}
	}
}

// mixLogs mixes the log with others under the same name and keys.
func (l *archivedLog) mixLogs() {
	top := l.t.TempDir()
	other := l.write(top, "other")
	for i, folder := range archivedNames {
		for _, name := range l.segments[i] {
			b, err := os.ReadFile(filepath.Join(other, name))
			if err != nil {
				continue
			}
			l.file("segment of another log for", filepath.Join(folder, name), func([]byte) []byte { return b })
		}
	}
	l.add("with the other log as an archive", func(string) {}).Folders = append(slices.Clone(l.folders), other)
	l.add("with the other log's tiles", func(dir string) {
		os.RemoveAll(filepath.Join(dir, "log", audit.TilesDir))
		os.CopyFS(filepath.Join(dir, "log", audit.TilesDir), os.DirFS(filepath.Join(other, audit.TilesDir)))
	})
	l.add("with the other log's tiles in an archive", func(dir string) {
		os.CopyFS(filepath.Join(dir, "old", audit.TilesDir), os.DirFS(filepath.Join(other, audit.TilesDir)))
	})
	l.add("with its own tiles in an archive, too", func(dir string) {
		os.CopyFS(filepath.Join(dir, "old", audit.TilesDir), os.DirFS(filepath.Join(l.top, "log", audit.TilesDir)))
	}).good = true
	l.add("with the other log's checkpoint kept", func(string) {}).Kept = []string{audittest.LastCheckpoint(l.t, other)}
}

// forgeRecords appends records as somebody would who has no key.
func (l *archivedLog) forgeRecords() {
	next := l.lines[len(l.lines)-1]
	seq := audittest.Must(audit.ParseRecord(next)).Seq + 1
	root := ""
	for _, line := range l.lines {
		if r := audittest.Must(audit.ParseRecord(line)); r.Kind == audit.KindArchived {
			root = r.Segment.Root // of the last segment that was moved
		}
	}
	if root == "" {
		l.t.Fatal("no record of a moved segment")
	}
	boundary := uint64(0)
	fmt.Sscanf(strings.TrimPrefix(l.segments[0][0], "seg-"), "%d", &boundary)
	wrong := strings.Repeat("A", 43) + "="
	digest := strings.Repeat("ab", 32)
	for _, c := range []struct {
		name string
		s    audit.Segment
		good bool // the record fits, but nothing seals it
	}{
		{"right root", audit.Segment{First: boundary - 1, Next: boundary, Bytes: 9, SHA256: digest, Root: root}, true},
		{"wrong root", audit.Segment{First: boundary - 1, Next: boundary, Bytes: 9, SHA256: digest, Root: wrong}, false},
		{"wrong root of removed records", audit.Segment{First: 0, Next: 3, Bytes: 9, SHA256: digest, Root: wrong}, true},
		{"root of lines to come", audit.Segment{First: seq, Next: seq + 5, Bytes: 9, SHA256: digest, Root: wrong}, false},
		{"no segment", audit.Segment{}, false},
	} {
		m := l.add("archived record with "+c.name, func(dir string) {
			r := &audit.Record{ID: audit.NewID(), Kind: audit.KindArchived, Code: audit.CodeRemoved, Segment: c.s}
			appendForged(l.t, dir, r)
		})
		m.good = c.good
	}
}

// changeTiles changes the tiles, also those of records that are elsewhere.
func (l *archivedLog) changeTiles() {
	tiles := filepath.Join("log", audit.TilesDir, "tile")
	filepath.Walk(filepath.Join(l.top, tiles), func(path string, info os.FileInfo, _ error) error {
		if info.IsDir() {
			return nil
		}
		name := audittest.Must(filepath.Rel(l.top, path))
		for _, folders := range [][]int{{0, 1, 2}, {0}} {
			for _, at := range []int64{0, info.Size() / 2, info.Size() - 1} {
				m := l.file(fmt.Sprintf("directories %v: flip byte %d of", folders, at), name, flip(int(at)))
				m.Folders = m.Folders[:len(folders)]
			}
			m := l.file(fmt.Sprintf("directories %v: shorter", folders), name, func(b []byte) []byte { return b[:len(b)-32] })
			m.Folders = m.Folders[:len(folders)]
		}
		return nil
	})
}

// appendForged appends a record to the log's directory below dir.
func appendForged(t *testing.T, dir string, r *audit.Record) {
	t.Helper()
	log := filepath.Join(dir, "log")
	last := ""
	for _, s := range audittest.Must(segment.List(log)) {
		last = s.Path
	}
	lines := audittest.Lines(t, log)
	line := audittest.NextLine(t, lines[len(lines)-1], r)
	f := audittest.Must(os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0))
	defer f.Close()
	audittest.Must(f.Write(append(line, '\n')))
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)

	return hex.EncodeToString(sum[:])
}
