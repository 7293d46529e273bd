package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

// mutation is a change of a log, with what the verifiers are given.
type mutation struct {
	Name    string   `json:"name"`
	Folders []string `json:"folders"`
	Keys    []string `json:"keys"`
	Kept    []string `json:"kept"`
	good    bool     // the verifiers must find nothing
}

// mutations makes copies of a log and changes them.
type mutations struct {
	t     *testing.T
	base  string   // directory of the log
	keys  []string // of it
	lines [][]byte
	all   []mutation
}

// add adds a copy of the log that change has changed. change returns false if it
// has nothing to change.
func (m *mutations) add(name string, change func(dir string) bool) *mutation {
	m.t.Helper()
	dir := filepath.Join(m.t.TempDir(), "log")
	if err := os.CopyFS(dir, os.DirFS(m.base)); err != nil {
		m.t.Fatal(err)
	}
	if !change(dir) {
		m.t.Fatalf("%s: nothing was changed", name)
	}
	m.all = append(m.all, mutation{Name: name, Folders: []string{dir}, Keys: m.keys})

	return &m.all[len(m.all)-1]
}

// file adds a mutation of one file. It is named relative to the log.
func (m *mutations) file(what, name string, change func(b []byte) []byte) *mutation {
	return m.add(what+" "+name, func(dir string) bool {
		path := filepath.Join(dir, name)
		before := audittest.Must(os.ReadFile(path))
		after := change(bytes.Clone(before))
		if err := os.WriteFile(path, after, 0o600); err != nil {
			m.t.Fatal(err)
		}
		return !bytes.Equal(before, after)
	})
}

// rewrite adds a mutation of the lines. The tiles stay.
func (m *mutations) rewrite(name string, change func(lines [][]byte) [][]byte) *mutation {
	return m.add(name, func(dir string) bool {
		changed := change(slices.Clone(m.lines))
		m.replaceLines(dir, changed)
		return !slices.EqualFunc(changed, m.lines, bytes.Equal)
	})
}

func (m *mutations) replaceLines(dir string, lines [][]byte) {
	for _, s := range audittest.Must(segment.List(dir)) {
		os.Remove(s.Path)
	}
	audittest.CopySegments(m.t, audittest.WriteLines(m.t, m.base, lines), dir)
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 1 << (at % 7)
		return b
	}
}

// writeLogToMutate writes a closed log with full tiles on level 0, several segments,
// a change of keys in the middle and a witnessed checkpoint.
func writeLogToMutate(t *testing.T) *mutations {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	cfg := journal.Config{Dir: dir, SegmentBytes: 40 << 10, CheckpointEvery: time.Hour}
	second := audittest.KeyFrom("b")
	l := openLog(t, cfg)
	write := func(n int) {
		for i := range n {
			mustWait(t, l.Append(audittest.Intent(i)))
		}
	}
	write(200)
	if err := l.ChangeKey(second); err != nil {
		t.Fatal(err)
	}
	write(100)
	mustClose(t, l)
	l = audittest.Must(journal.Open(cfg, second, audittest.Instance))
	write(3)
	mustClose(t, l)
	os.Remove(filepath.Join(dir, "lock"))

	tiles := audit.TilesOf(dir)
	signed, _, _ := tiles.Checkpoint()
	text, _, _ := audit.SplitNote(signed)
	os.WriteFile(filepath.Join(tiles.Dir, audit.WitnessedFile), []byte(signed+audittest.Cosign(audittest.WitnessKey, text)), 0o600)

	name := audit.Origin(audittest.Instance)
	return &mutations{
		t:    t,
		base: dir,
		keys: []string{
			audittest.VerifierKey(),
			audit.PublicKey{Name: name, Key: audittest.PublicOf(second)}.String(),
		},
		lines: audittest.Lines(t, dir),
	}
}

// TestI8MutationsAreFoundByBothVerifiers changes a log in a few hundred ways. Ours
// and docs/verify.py must find each, and name the same record.
func TestI8MutationsAreFoundByBothVerifiers(t *testing.T) {
	m := writeLogToMutate(t)
	m.add("nothing changed", func(string) bool { return true }).good = true
	m.flipBytes()
	m.cutTails()
	m.moveLines()
	m.changeSegments()
	m.changeTiles()
	m.changeNotes()
	m.changeKeys()
	m.moveSegmentsAway()
	if len(m.all) < 250 {
		t.Fatalf("only %d mutations were made", len(m.all))
	}

	compareVerifiers(t, m.all)
}

// seqNamed finds the first bad record in what docs/verify.py says.
var seqNamed = regexp.MustCompile(`first bad record is seq (\d+):`)

// compareVerifiers fails the test unless both verifiers find something in every
// mutation that is not good, nothing in the others, and name the same record.
func compareVerifiers(t *testing.T, all []mutation) {
	t.Helper()
	python := verifyAllWithPython(t, all)
	for i, c := range all {
		rep, err := verifyMutation(t, c)
		if (err == nil) != c.good {
			t.Errorf("%s: Go returned %v, want a finding: %v", c.Name, err, !c.good)
		}
		if ok := strings.HasPrefix(python[i], "ok:"); ok != c.good {
			t.Errorf("%s: Python printed %q, want a finding: %v", c.Name, python[i], !c.good)
		}

		ours, theirs := "none", "none"
		if rep.Bad != nil {
			ours = strconv.FormatUint(rep.Bad.Seq, 10)
		}
		if named := seqNamed.FindStringSubmatch(python[i]); named != nil {
			theirs = named[1]
		}
		if ours != theirs {
			t.Errorf("%s: Go names record %s (%v), Python %s (%q)", c.Name, ours, err, theirs, python[i])
		}
	}
	t.Logf("%d mutations", len(all))
}

func verifyMutation(t *testing.T, c mutation) (audit.Report, error) {
	t.Helper()
	var keys []audit.PublicKey
	for _, k := range c.Keys {
		key, err := audit.ParsePublicKey(k)
		if err != nil {
			return audit.Report{}, err
		}
		keys = append(keys, key)
	}

	return audit.Folders(c.Folders).Verify(keys[0], audit.VerifyOptions{Keys: keys[1:], Kept: c.Kept})
}

// verifyAll is a program that verifies logs with docs/verify.py, which it imports.
// It keeps the results of signatures, because the logs share most of them.
const verifyAll = `
import functools, importlib.util, json, sys
spec = importlib.util.spec_from_file_location("verify", sys.argv[1])
v = importlib.util.module_from_spec(spec)
spec.loader.exec_module(v)
v.signed_by = functools.lru_cache(None)(v.signed_by)
out = []
for c in json.load(sys.stdin):
    try:
        out.append("ok: " + v.verify_log(c["folders"], [v.Key(k, 1) for k in c["keys"]], c["kept"] or [], [], 0))
    except (v.Bad, ValueError) as e:
        out.append("BAD: %s" % e)
json.dump(out, sys.stdout)
`

func verifyAllWithPython(t *testing.T, all []mutation) (results []string) {
	t.Helper()
	cmd := exec.Command("python3", "-c", verifyAll, pythonVerifier)
	cmd.Stdin = bytes.NewReader(audittest.Must(json.Marshal(all)))
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("verify.py: %v: %s", err, exit.Stderr)
	}
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatal(err)
	}

	return results
}

// flipBytes flips a bit here and there in each segment.
func (m *mutations) flipBytes() {
	for _, s := range audittest.Must(segment.List(m.base)) {
		for at := 11; at < int(s.Size); at += int(s.Size) / 7 {
			m.file(fmt.Sprintf("flip byte %d of", at), filepath.Base(s.Path), flip(at))
		}
	}
}

// cutTails cuts the log after lines all over it and inside of lines. The tiles stay,
// or a checkpoint was kept elsewhere.
func (m *mutations) cutTails() {
	kept := audittest.LastCheckpoint(m.t, m.base)
	starts := map[int]bool{}
	for _, s := range audittest.Must(segment.List(m.base)) {
		starts[int(s.First)] = true
	}
	for n := 1; n < len(m.lines); n++ {
		isCheckpoint := bytes.Contains(m.lines[n], []byte(`"kind":"checkpoint"`))
		near := starts[n] || starts[n-1] || starts[n+1] || isCheckpoint || n > len(m.lines)-6
		if !near && n%25 != 0 {
			continue
		}

		m.rewrite(fmt.Sprintf("cut after %d lines", n), func(lines [][]byte) [][]byte { return lines[:n] })
		m.add(fmt.Sprintf("cut after %d lines, without tiles, with a kept checkpoint", n), func(dir string) bool {
			m.replaceLines(dir, m.lines[:n])
			return os.RemoveAll(filepath.Join(dir, audit.TilesDir)) == nil
		}).Kept = []string{kept}
		m.add(fmt.Sprintf("cut inside of line %d", n), func(dir string) bool {
			m.replaceLines(dir, m.lines[:n+1])
			files := audittest.Must(segment.List(dir))
			last := files[len(files)-1]
			return os.Truncate(last.Path, last.Size-20) == nil
		})
	}
}

// moveLines removes, repeats, swaps and rewrites lines.
func (m *mutations) moveLines() {
	for k := 3; k < len(m.lines)-2; k += 23 {
		m.rewrite(fmt.Sprintf("without line %d", k), func(l [][]byte) [][]byte { return slices.Delete(l, k, k+1) })
		m.rewrite(fmt.Sprintf("line %d twice", k), func(l [][]byte) [][]byte { return slices.Insert(l, k, l[k]) })
		m.rewrite(fmt.Sprintf("lines %d and %d swapped", k, k+1), func(l [][]byte) [][]byte {
			l[k], l[k+1] = l[k+1], l[k]
			return l
		})
		m.rewrite(fmt.Sprintf("line %d changed and rechained", k), func(l [][]byte) [][]byte {
			return audittest.Rechain(l, k, func(r *audit.Record) { r.Instance = "mallory" })
		})
	}
}

// changeSegments removes, swaps and extends whole segments.
func (m *mutations) changeSegments() {
	files := audittest.Must(segment.List(m.base))
	for i, s := range files {
		name := filepath.Base(s.Path)
		if i > 0 {
			m.add("without "+name, func(dir string) bool { return os.Remove(filepath.Join(dir, name)) == nil })
			m.file("emptied", name, func([]byte) []byte { return nil })
		}
		if i+1 == len(files) {
			continue
		}
		m.file("zeros after", name, func(b []byte) []byte { return append(b, make([]byte, 100)...) })
		m.file("bytes after", name, func(b []byte) []byte { return append(b, "{}"...) })
		m.add("copy that differs of "+name, func(dir string) bool { return true }).Folders = append(
			m.all[len(m.all)-1].Folders, m.otherCopy(name))
		next := filepath.Base(files[i+1].Path)
		m.add("swapped with the next one "+name, func(dir string) bool {
			a, b := filepath.Join(dir, name), filepath.Join(dir, next)
			return errors.Join(os.Rename(a, a+"x"), os.Rename(b, a), os.Rename(a+"x", b)) == nil
		})
	}
	m.add("segment with another name", func(dir string) bool {
		return os.WriteFile(filepath.Join(dir, segment.Name(9999)), m.lines[0], 0o600) == nil
	})
}

// otherCopy returns a directory with a changed copy of a segment.
func (m *mutations) otherCopy(name string) (dir string) {
	dir = m.t.TempDir()
	b := audittest.Must(os.ReadFile(filepath.Join(m.base, name)))
	b[len(b)/2] ^= 1
	os.WriteFile(filepath.Join(dir, name), b, 0o600)

	return dir
}

// changeTiles changes each tile.
func (m *mutations) changeTiles() {
	filepath.WalkDir(filepath.Join(m.base, audit.TilesDir, "tile"), func(path string, d fs.DirEntry, _ error) error {
		if d.IsDir() {
			return nil
		}
		name := audittest.Must(filepath.Rel(m.base, path))
		size := int(audittest.Must(d.Info()).Size())
		for _, at := range []int{0, size / 3, size / 2, size - 1} {
			m.file(fmt.Sprintf("flip byte %d of", at), name, flip(at))
		}
		m.file("one byte less", name, func(b []byte) []byte { return b[:size-1] })
		m.file("one byte more", name, func(b []byte) []byte { return append(b, 0) })
		m.file("zeroed", name, func([]byte) []byte { return make([]byte, size) })
		if size >= 64 {
			m.file("first hashes swapped", name, func(b []byte) []byte { return slices.Concat(b[32:64], b[:32], b[64:]) })
		}
		return nil
	})
}

// changeNotes changes the published checkpoints. A flipped bit in the signature of a
// witness cannot be found without the key of the witness.
func (m *mutations) changeNotes() {
	for _, file := range []string{audit.CheckpointFile, audit.WitnessedFile} {
		name := filepath.Join(audit.TilesDir, file)
		signed := string(audittest.Must(os.ReadFile(filepath.Join(m.base, audit.TilesDir, audit.CheckpointFile))))
		for at := 0; at < len(signed)-1; at += 13 {
			m.file(fmt.Sprintf("flip byte %d of", at), name, flip(at))
		}
		m.file("garbage in", name, func([]byte) []byte { return []byte("garbage\n") })
		m.file("unsigned", name, func(b []byte) []byte { return b[:bytes.Index(b, []byte("\n\n"))+2] })
		m.file("signed by an unknown key", name, func([]byte) []byte {
			c := audittest.Must(audit.ParseCheckpoint(signed, audit.PublicKey{Key: audittest.PublicOf(audittest.KeyFrom("b"))}))
			return []byte(audittest.SignNote(c.Text(), c.Origin, audittest.KeyFrom("m")))
		})
		m.file("of a longer log, signed by an unknown key", name, func([]byte) []byte {
			c := audittest.Must(audit.ParseCheckpoint(signed, audit.PublicKey{Key: audittest.PublicOf(audittest.KeyFrom("b"))}))
			c.Size += 100
			return []byte(audittest.SignNote(c.Text(), c.Origin, audittest.KeyFrom("m")))
		})
		m.file("of a longer log, signed by the first key", name, func([]byte) []byte {
			c := audittest.Must(audit.ParseCheckpoint(signed, audit.PublicKey{Key: audittest.PublicOf(audittest.KeyFrom("b"))}))
			c.Size += 100
			return []byte(audittest.SignNote(c.Text(), c.Origin, audittest.Key))
		})
		m.add("lost checkpoint next to the log "+file, func(dir string) bool {
			c := audittest.Must(audit.ParseCheckpoint(signed, audit.PublicKey{Key: audittest.PublicOf(audittest.KeyFrom("b"))}))
			c.Root = c.Root[:3] + strings.ToLower(c.Root[3:5]) + "0" + c.Root[6:]
			c.Size -= 3
			note := audittest.SignNote(c.Text(), c.Origin, audittest.KeyFrom("b"))
			return os.WriteFile(filepath.Join(dir, name+".ahead-1-00000000"), []byte(note), 0o600) == nil
		})
	}
}

// changeKeys verifies the log with other keys.
func (m *mutations) changeKeys() {
	nothing := func(string) bool { return true }
	unknown := audit.PublicKey{Name: audit.Origin(audittest.Instance), Key: audittest.PublicOf(audittest.KeyFrom("m"))}.String()
	m.add("first key alone", nothing).Keys = m.keys[:1]
	m.all[len(m.all)-1].good = true
	m.add("keys swapped", nothing).Keys = []string{m.keys[1], m.keys[0]}
	m.add("second key alone", nothing).Keys = m.keys[1:]
	m.add("unknown key", nothing).Keys = []string{unknown}
	m.add("unknown key before both", nothing).Keys = append([]string{unknown}, m.keys...)
	m.rewrite("announced key replaced", func(l [][]byte) [][]byte {
		for i := range l {
			l[i] = bytes.ReplaceAll(l[i], []byte(m.keys[1]), []byte(unknown))
		}
		return l
	})
}

// moveSegmentsAway removes the first segments, which verification accepts, and changes
// the rest.
func (m *mutations) moveSegmentsAway() {
	files := audittest.Must(segment.List(m.base))
	for n := 1; n < len(files); n++ {
		drop := func(dir string) bool {
			for _, s := range files[:n] {
				os.Remove(filepath.Join(dir, filepath.Base(s.Path)))
			}
			return true
		}
		m.add(fmt.Sprintf("without the first %d segments", n), drop).good = true

		archive := m.t.TempDir()
		for _, s := range files[:n] {
			os.WriteFile(filepath.Join(archive, filepath.Base(s.Path)), audittest.Must(os.ReadFile(s.Path)), 0o600)
		}
		c := m.add(fmt.Sprintf("with the first %d segments in another folder", n), drop)
		c.Folders = append(c.Folders, archive)
		c.good = true
		c = m.add(fmt.Sprintf("the same without the segment %d", n), func(dir string) bool {
			return drop(dir) && os.Remove(filepath.Join(dir, filepath.Base(files[n].Path))) == nil
		})
		if n+1 < len(files) {
			c.Folders = append(c.Folders, archive)
		}

		first := filepath.Base(files[n].Path)
		length := bytes.IndexByte(audittest.Must(os.ReadFile(files[n].Path)), '\n')
		for at := 5; at < length; at += length / 6 {
			m.add(fmt.Sprintf("without the first %d segments, byte %d of the next flipped", n, at), func(dir string) bool {
				path := filepath.Join(dir, first)
				return drop(dir) && os.WriteFile(path, flip(at)(audittest.Must(os.ReadFile(path))), 0o600) == nil
			})
		}
		m.add(fmt.Sprintf("without the first %d segments and the last", n), func(dir string) bool {
			return drop(dir) && os.Remove(filepath.Join(dir, filepath.Base(files[len(files)-1].Path))) == nil
		})
		m.add(fmt.Sprintf("without the first %d segments, an older tile flipped", n), func(dir string) bool {
			path := filepath.Join(dir, audit.TilesDir, "tile", "0", "000")
			return drop(dir) && os.WriteFile(path, flip(40)(audittest.Must(os.ReadFile(path))), 0o600) == nil
		})
	}
}

// TestI8BothVerifiersKnowAcceptedBreaks rolls a log back and accepts that on record.
func TestI8BothVerifiersKnowAcceptedBreaks(t *testing.T) {
	dir := t.TempDir()
	write := func(l *journal.Log) {
		for i := range 4 {
			mustWait(t, l.Append(audittest.Intent(i)))
		}
		mustClose(t, l)
	}
	backup := t.TempDir()
	write(openLog(t, journal.Config{Dir: dir}))
	audittest.CopySegments(t, dir, backup)
	write(openLog(t, journal.Config{Dir: dir}))
	audittest.CopySegments(t, backup, dir)
	vector := audittest.Vector{Path: dir, Keys: []string{audittest.VerifierKey()}}

	l := openLog(t, journal.Config{Dir: dir})
	if output, ok := verifyWithPython(t, vector); ok {
		t.Errorf("before it is accepted Python printed %q, want a finding", output)
	}
	audittest.Must(l.AcceptRollback("bob@acme.example", ""))
	write(l)
	audittest.Verify(t, dir)
	output, ok := verifyWithPython(t, vector)
	if !ok || !strings.Contains(output, "ACCEPTED BREAK") || !strings.Contains(output, "bob@acme.example") {
		t.Errorf("after it was accepted Python printed %q, want an accepted break by bob", output)
	}

	// An acceptance that no checkpoint covers counts for nothing.
	os.RemoveAll(dir)
	audittest.CopySegments(t, backup, dir)
	write(openLog(t, journal.Config{Dir: dir}))
	audittest.CopySegments(t, backup, dir)
	note := string(audittest.Must(os.ReadFile(filepath.Join(dir, audit.TilesDir, audit.CheckpointFile))))
	audittest.AppendLine(t, dir, &audit.Record{ID: audit.NewID(), Kind: audit.KindRollback, Sponsor: "mallory@acme.example", Checkpoint: note})
	if output, ok := verifyWithPython(t, vector); ok {
		t.Errorf("with a forged acceptance Python printed %q, want a finding", output)
	}
	if rep, err := audit.Verify(dir, audittest.PublicKey, nil); err == nil {
		t.Errorf("with a forged acceptance Go returned %+v, want a finding", rep)
	}
}
