// Package audittest holds what the tests of the audit packages share: a key, a
// typical record, and ways to read a log's lines and to write changed ones.
package audittest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// Key signs the logs of the tests, whose instance is Instance.
var Key = KeyFrom("k")

// Instance is the instance that writes the logs of the tests.
const Instance = "test-1"

// PublicKey is the public part of Key. It accepts every origin.
var PublicKey = audit.PublicKey{Key: Key.Public().(ed25519.PublicKey)}

// VerifierKey is PublicKey with the origin of Instance, as a line of text.
func VerifierKey() string {
	return audit.PublicKey{Name: audit.Origin(Instance), Key: PublicKey.Key}.String()
}

// KeyFrom returns the signing key whose seed repeats one letter.
func KeyFrom(letter string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(letter, ed25519.SeedSize)))
}

// Must returns v and panics if err is not nil.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Intent returns a typical intent record for the resource with number n.
func Intent(n int) *audit.Record {
	return &audit.Record{Kind: "intent", Agent: "spiffe://acme.example/agent/triage", Sponsor: "alice@acme.example",
		Task: "t_5", Grant: "sha256:" + strings.Repeat("ab", 32), Adapter: "mediawiki", AdapterDigest: "sha256:" + strings.Repeat("cd", 32),
		PolicyDigest: "sha256:" + strings.Repeat("ef", 32), Action: "page.edit", Resource: fmt.Sprintf("page/Sandbox%d", n), Method: "POST",
		Host: "wiki.acme.example", Path: "/index.php", Account: "svc-1", Lease: "l_7",
		Stripped: []audit.Stripped{{In: "cookie", Name: "wikiUserID", Fingerprint: "hmac-sha256:" + strings.Repeat("0", 32)}},
		Decision: audit.Decision{Effect: "permit", Policies: []string{"grant.0"}}}
}

// Verify fails the test unless the log in dir verifies under PublicKey and
// holds a record with each of the ids.
func Verify(t testing.TB, dir string, ids ...string) audit.Report {
	t.Helper()
	rep, err := audit.Verify(dir, PublicKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for r, err := range audit.Tail(context.Background(), dir, int(rep.Records), false) {
		if err != nil {
			t.Fatal(err)
		}
		have[r.ID] = true
	}
	for _, id := range ids {
		if !have[id] {
			t.Fatalf("record %s was acknowledged and is gone", id)
		}
	}
	return rep
}

// Lines returns the lines of the closed log in dir, without newlines, in order.
func Lines(t testing.TB, dir string) (lines [][]byte) {
	t.Helper()
	for _, s := range Must(segment.List(dir)) {
		for line := range bytes.Lines(Must(os.ReadFile(s.Path))) {
			lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
		}
	}
	return lines
}

// WriteLines writes lines to a new directory as a log whose segments begin at
// the same records as those of the log in from.
func WriteLines(t testing.TB, from string, lines [][]byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	segs := Must(segment.List(from))
	for i, s := range segs {
		end := len(lines)
		if i+1 < len(segs) {
			end = min(end, int(segs[i+1].First))
		}
		if int(s.First) >= end {
			break
		}
		b := append(bytes.Join(lines[s.First:end], []byte("\n")), '\n')
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(s.Path)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Rechain changes record k as someone would who knows the format but not the
// key: seq, prev and frontier are made to fit in all records that follow.
func Rechain(lines [][]byte, k int, change func(*audit.Record)) (out [][]byte) {
	var tree merkle.Tree
	var prev merkle.Hash
	for i, line := range lines {
		r := Must(audit.ParseRecord(line))
		if i == k {
			change(&r)
		}
		if r.Kind == audit.KindCheckpoint {
			r.Frontier = tree.Frontier()
		}
		line := audit.AppendLine(nil, uint64(i), r.TaskSeq, prev, r.Time.UnixMicro(), audit.AppendBody(nil, &r))
		prev = merkle.LeafHash(append([]byte{0}, line...))
		tree.Add(prev)
		out = append(out, line)
	}
	return out
}

// LastCheckpoint returns the newest signed checkpoint in the last segment of
// the log in dir.
func LastCheckpoint(t testing.TB, dir string) string {
	t.Helper()
	for _, line := range slices.Backward(Lines(t, dir)) {
		if r := Must(audit.ParseRecord(line)); r.Kind == audit.KindCheckpoint {
			return r.Checkpoint
		}
	}
	t.Fatal("the log has no checkpoint")
	return ""
}

// CopySegments copies the segments of a log and nothing else, as a backup of
// the records would.
func CopySegments(t testing.TB, from, to string) {
	t.Helper()
	os.MkdirAll(to, 0o700)
	for _, s := range Must(segment.List(from)) {
		if err := os.WriteFile(filepath.Join(to, filepath.Base(s.Path)), Must(os.ReadFile(s.Path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// AppendLine appends r to the closed log in dir as somebody would who has no key:
// the line continues the chain, and no checkpoint covers it.
func AppendLine(t testing.TB, dir string, r *audit.Record) {
	t.Helper()
	var tree merkle.Tree
	var head merkle.Hash
	var last audit.Record
	for _, line := range Lines(t, dir) {
		head = merkle.LeafHash(append([]byte{0}, line...))
		tree.Add(head)
		last = Must(audit.ParseRecord(line))
	}
	if r.Kind == audit.KindRollback {
		r.Frontier = tree.Frontier()
	}

	segments := Must(segment.List(dir))
	f := Must(os.OpenFile(segments[len(segments)-1].Path, os.O_APPEND|os.O_WRONLY, 0))
	defer f.Close()
	line := audit.AppendLine(nil, last.Seq+1, 0, head, last.Time.UnixMicro(), audit.AppendBody(nil, r))
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// NextLine returns the line of r that follows the line last, as somebody would write
// it who has no key.
func NextLine(t testing.TB, last []byte, r *audit.Record) []byte {
	t.Helper()
	before := Must(audit.ParseRecord(last))
	head := merkle.LeafHash(append([]byte{0}, last...))

	return audit.AppendLine(nil, before.Seq+1, 0, head, before.Time.UnixMicro(), audit.AppendBody(nil, r))
}

// PublicOf returns the public part of a key.
func PublicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// SignNote signs a text as the log with that origin would, with any key.
func SignNote(text, origin string, key ed25519.PrivateKey) string {
	hash := sha256.Sum256(append([]byte(origin+"\n\x01"), PublicOf(key)...))
	signature := append(hash[:4:4], ed25519.Sign(key, []byte(text))...)

	return text + "\n" + audit.SignaturePrefix + origin + " " + base64.StdEncoding.EncodeToString(signature) + "\n"
}
