package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

const vectorsDir = "testdata/vectors"

var pythonVerifier = filepath.Join("..", "..", "docs", "verify.py")

// TestVectors compares both verifiers, ours and docs/verify.py, with the vectors.
// The package journal writes new vectors.
func TestVectors(t *testing.T) {
	var vectors []audittest.Vector
	list := audittest.Must(os.ReadFile(filepath.Join(vectorsDir, "vectors.json")))
	if err := json.Unmarshal(list, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 25 {
		t.Fatalf("vectors.json lists %d vectors, want at least 25", len(vectors))
	}

	for i, v := range vectors {
		if testing.Short() && i%8 > 0 {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			bad, err := verifyWithGo(v)
			if (err != nil) != v.Bad || v.Seq != nil && bad != *v.Seq {
				t.Errorf("Go returned %v, first bad record %d; want %s", err, bad, verdict(v))
			}

			output, ok := verifyWithPython(t, v)
			if ok == v.Bad || v.Seq != nil && !strings.Contains(output, fmt.Sprintf("first bad record is seq %d:", *v.Seq)) {
				t.Errorf("Python printed %q; want %s", output, verdict(v))
			}
		})
	}
}

// verdict describes what a verifier must say of a vector.
func verdict(v audittest.Vector) string {
	switch {
	case !v.Bad:
		return "no fault"
	case v.Seq == nil:
		return "a fault"
	}
	return fmt.Sprintf("a fault at seq %d", *v.Seq)
}

// verifyWithGo verifies a vector and returns the first bad record of a log.
func verifyWithGo(v audittest.Vector) (bad uint64, err error) {
	trust := audit.Trust{Quorum: v.Quorum}
	for _, k := range v.Keys {
		trust.Keys = append(trust.Keys, audittest.Must(audit.ParsePublicKey(k)))
	}
	for _, w := range v.Witnesses {
		trust.Witnesses = append(trust.Witnesses, audittest.Must(audit.ParseWitnessKey(w)))
	}

	path := filepath.Join(vectorsDir, v.Path)
	if !audittest.Must(os.Stat(path)).IsDir() {
		_, err := audit.VerifyProof(audittest.Must(os.ReadFile(path)), trust)
		return 0, err
	}

	options := audit.VerifyOptions{Witnesses: trust.Witnesses, Quorum: v.Quorum}
	if v.Kept != "" {
		kept := audittest.Must(os.ReadFile(filepath.Join(vectorsDir, v.Kept)))
		options.Kept = []string{string(kept)}
	}
	rep, err := audit.VerifyWith(path, trust.Keys[0], options)
	if rep.Bad != nil {
		bad = rep.Bad.Seq
	}
	return bad, err
}

// verifyWithPython runs docs/verify.py on a vector, whose path may be absolute.
// It returns the output and whether the verdict was good.
func verifyWithPython(t *testing.T, v audittest.Vector) (output string, ok bool) {
	t.Helper()
	args := []string{pythonVerifier, "--quorum", fmt.Sprint(v.Quorum)}
	for _, k := range v.Keys {
		args = append(args, "--key", k)
	}
	for _, w := range v.Witnesses {
		args = append(args, "--witness", w)
	}
	if v.Kept != "" {
		args = append(args, "--kept", filepath.Join(vectorsDir, v.Kept))
	}
	path := v.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(vectorsDir, path)
	}
	args = append(args, path)

	out, err := exec.Command("python3", args...).CombinedOutput()
	if err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !bytes.HasPrefix(out, []byte("BAD:")) {
			t.Fatalf("verify.py %v: %v: %s", args, err, out)
		}
	}
	return string(out), err == nil
}

// TestPythonVerifierReadsANewLog runs docs/verify.py on a log that was just
// written, and on copies with a byte changed anywhere.
func TestPythonVerifierReadsANewLog(t *testing.T) {
	dir, lines := writeSegmentedLog(t)
	keys := []string{audittest.VerifierKey()}
	output, ok := verifyWithPython(t, audittest.Vector{Path: dir, Keys: keys})
	if !ok || !strings.Contains(output, fmt.Sprintf("%d records", len(lines))) {
		t.Fatalf("Python printed %q, want %d records", output, len(lines))
	}

	rounds := 12
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		i := rand.IntN(len(lines))
		at := rand.IntN(len(lines[i]))
		changed := append([][]byte(nil), lines...)
		changed[i] = bytes.Clone(lines[i])
		changed[i][at] ^= byte(1 << rand.IntN(7))

		bad := audittest.WriteLines(t, dir, changed)
		rep, _ := audit.Verify(bad, audittest.PublicKey, nil)
		output, ok := verifyWithPython(t, audittest.Vector{Path: bad, Keys: keys})
		if ok || rep.Bad == nil || !strings.Contains(output, fmt.Sprintf("first bad record is seq %d:", rep.Bad.Seq)) {
			t.Errorf("byte %d of line %d changed: Go found %+v, Python printed %q", at, i, rep.Bad, output)
		}
	}
}

func TestPythonVerifierIsShort(t *testing.T) {
	text := audittest.Must(os.ReadFile(pythonVerifier))
	if n := bytes.Count(text, []byte("\n")); n > 450 {
		t.Errorf("docs/verify.py has %d lines, want at most 450, so that it can be read in one sitting", n)
	}
}
