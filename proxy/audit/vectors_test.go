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

// TestVectors holds both verifiers, ours and docs/verify.py, to the vectors.
func TestVectors(t *testing.T) {
	var all []audittest.Vector
	if err := json.Unmarshal(audittest.Must(os.ReadFile(filepath.Join(vectorsDir, "vectors.json"))), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 25 {
		t.Fatalf("%d vectors", len(all))
	}
	for i, v := range all {
		if testing.Short() && i%8 > 0 {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			seq, err := ours(v)
			if (err != nil) != v.Bad || v.Seq != nil && seq != *v.Seq {
				t.Errorf("Go: %v, first bad record %d", err, seq)
			}
			said, ok := pythons(t, v)
			if ok == v.Bad || v.Seq != nil && !strings.Contains(said, fmt.Sprintf("first bad record is seq %d:", *v.Seq)) {
				t.Errorf("Python: %s", said)
			}
		})
	}
}

func ours(v audittest.Vector) (seq uint64, err error) {
	path := filepath.Join(vectorsDir, v.Path)
	trust := audit.Trust{Quorum: v.Quorum}
	for _, k := range v.Keys {
		trust.Keys = append(trust.Keys, audittest.Must(audit.ParsePublicKey(k)))
	}
	for _, w := range v.Witnesses {
		trust.Witnesses = append(trust.Witnesses, audittest.Must(audit.ParseWitnessKey(w)))
	}
	if st := audittest.Must(os.Stat(path)); !st.IsDir() {
		_, err := audit.VerifyProof(audittest.Must(os.ReadFile(path)), trust)
		return 0, err
	}
	o := audit.VerifyOptions{Witnesses: trust.Witnesses, Quorum: v.Quorum}
	if v.Kept != "" {
		o.Kept = []string{string(audittest.Must(os.ReadFile(filepath.Join(vectorsDir, v.Kept))))}
	}
	rep, err := audit.VerifyWith(path, trust.Keys[0], o)
	if rep.Bad != nil {
		seq = rep.Bad.Seq
	}
	return seq, err
}

func pythons(t *testing.T, v audittest.Vector) (said string, ok bool) {
	t.Helper()
	args := []string{filepath.Join("..", "..", "docs", "verify.py"), "--quorum", fmt.Sprint(v.Quorum)}
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
	out, err := exec.Command("python3", append(args, path)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1 || !bytes.HasPrefix(out, []byte("BAD:"))) {
		t.Fatalf("verify.py %v: %v: %s", args, err, out)
	}
	return string(out), err == nil
}

// TestPythonVerifierReadsAFreshLog has the independent verifier read what the
// log writes today, whole and with a byte changed anywhere.
func TestPythonVerifierReadsAFreshLog(t *testing.T) {
	dir, lines := sealedLog(t)
	key := audittest.VerifierKey()
	if said, ok := pythons(t, audittest.Vector{Path: dir, Keys: []string{key}}); !ok || !strings.Contains(said, fmt.Sprintf("%d records", len(lines))) {
		t.Fatal(said)
	}
	rounds := 12
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		i := rand.IntN(len(lines))
		changed := append([][]byte(nil), lines...)
		changed[i] = bytes.Clone(lines[i])
		changed[i][rand.IntN(len(lines[i]))] ^= byte(1 << rand.IntN(7))
		bad := audittest.WriteLines(t, dir, changed)
		rep, _ := audit.Verify(bad, audittest.PublicKey, nil)
		said, ok := pythons(t, audittest.Vector{Path: bad, Keys: []string{key}})
		if ok || rep.Bad == nil || !strings.Contains(said, fmt.Sprintf("first bad record is seq %d:", rep.Bad.Seq)) {
			t.Errorf("line %d changed: Go says %+v, Python %s", i, rep.Bad, said)
		}
	}
}

func TestPythonVerifierIsShort(t *testing.T) {
	text := audittest.Must(os.ReadFile(filepath.Join("..", "..", "docs", "verify.py")))
	if n := bytes.Count(text, []byte("\n")); n > 300 {
		t.Errorf("%d lines; at most 300 can be read in one sitting", n)
	}
}
