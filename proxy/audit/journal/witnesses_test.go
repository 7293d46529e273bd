package journal

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// startRealWitness starts a witness of transparency-dev for the log of
// audittest.Key.
func startRealWitness(t *testing.T, name string) Witness {
	t.Helper()
	cmd := exec.Command(audittest.BuildC2SP(t), "witness", name, audittest.VerifierKey())
	cmd.Stderr = os.Stderr
	stdout := audittest.Must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})

	in := bufio.NewScanner(stdout)
	var lines []string // its URL and its key
	for len(lines) < 2 && in.Scan() {
		lines = append(lines, in.Text())
	}
	if len(lines) < 2 {
		t.Fatal("the witness did not start")
	}
	return Witness{URL: lines[0], Key: lines[1]}
}

func parseWitnessKeys(witnesses ...Witness) (keys []audit.WitnessKey) {
	for _, w := range witnesses {
		keys = append(keys, audittest.Must(audit.ParseWitnessKey(w.Key)))
	}
	return keys
}

// TestRealWitnessesSign lets two witnesses of transparency-dev sign a log that
// grows over three runs, and proves a record with both signatures.
func TestRealWitnessesSign(t *testing.T) {
	one := startRealWitness(t, "witness.example/one")
	two := startRealWitness(t, "witness.example/two")
	dir := t.TempDir()
	cfg := Config{Dir: dir, CheckpointEvery: 20 * time.Millisecond, Witnesses: []Witness{one, two}, Quorum: 2}
	var id string
	for range 3 {
		l := openLog(t, cfg)
		ids := writeIntents(t, l, 300)
		id = ids[len(ids)-1]
		waitUntil(t, "signatures", func() bool { return uint64(l.Stats().Witnessed) > seqOf(t, dir, id) })
		mustWait(t, l.Append(audittest.Intent(1)), l.Append(audittest.Intent(2)))
		mustClose(t, l)
		for _, state := range l.Witnesses() {
			if state.Err != "" || state.Time.IsZero() {
				t.Errorf("Witnesses returned %+v, want a time and no error", state)
			}
		}
	}

	trust := audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}, Witnesses: parseWitnessKeys(one, two), Quorum: 2}
	proved, err := audittest.Must(audit.Prove(dir, id, nil)).Verify(trust)
	if err != nil || len(proved.Cosigned) != 2 || time.Since(proved.Cosigned[0].Time) > time.Minute {
		t.Errorf("the proof verified with %+v, %v; want two signatures of the last minute", proved, err)
	}
	report, err := audit.VerifyWith(dir, audittest.PublicKey, audit.VerifyOptions{Witnesses: trust.Witnesses, Quorum: 2})
	if err != nil || len(report.Cosigned) != 2 {
		t.Errorf("Verify returned %+v, %v; want two signatures", report, err)
	}

	cosigned := 0
	for r, err := range audit.Tail(t.Context(), dir, 2000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == audit.KindCosigned {
			cosigned++
			if _, err := trust.Witnesses[1].Verify(r.Checkpoint); err != nil {
				t.Errorf("a cosigned record: %v", err)
			}
		}
		if r.Kind == "alert" {
			t.Errorf("the log has the alert %+v, want none", r)
		}
	}
	if cosigned == 0 {
		t.Error("the log has no cosigned record")
	}
}

// seqOf returns the number of the record with that ID.
func seqOf(t *testing.T, dir, id string) uint64 {
	t.Helper()
	found := audittest.Must(audit.Find(dir, id))
	if len(found) == 0 {
		t.Fatalf("record %s is not in the log", id)
	}
	return found[0].Seq
}

// TestI8RollbackIsFoundByAWitness restores a log from an older copy, without its
// published checkpoints, and then continues it differently. A real witness
// refuses to sign both, and the log records that.
func TestI8RollbackIsFoundByAWitness(t *testing.T) {
	w := startRealWitness(t, "witness.example/one")
	dir := filepath.Join(t.TempDir(), "log")
	backup := t.TempDir()
	cfg := Config{Dir: dir, CheckpointEvery: 20 * time.Millisecond, Witnesses: []Witness{w}}
	appendTasks := func(l *Log, n int, text string) {
		var last Ticket
		for i := range n {
			last = l.Append(&audit.Record{Kind: "task", Detail: fmt.Sprint(text, i)})
		}
		mustWait(t, last)
	}

	l := openLog(t, cfg)
	appendTasks(l, 50, "first ")
	waitUntil(t, "the first signature", func() bool { return l.Stats().Witnessed > 0 })
	mustClose(t, l)
	audittest.CopySegments(t, dir, backup)

	l = openLog(t, cfg)
	appendTasks(l, 50, "second ")
	waitUntil(t, "the second signature", func() bool { return l.Stats().Witnessed > 60 })
	mustClose(t, l)
	kept := []string{audittest.LastCheckpoint(t, dir)}

	os.RemoveAll(dir)
	audittest.CopySegments(t, backup, dir)
	l = openLog(t, cfg)
	waitUntil(t, "the alert rolled_back", func() bool { return hasAlert(t, dir, "rolled_back") })
	mustClose(t, l)
	report, err := audit.VerifyWith(dir, audittest.PublicKey, audit.VerifyOptions{Kept: kept})
	if err == nil || report.Bad == nil {
		t.Errorf("with a kept checkpoint Verify returned %+v, %v; want a fault", report, err)
	}

	l = openLog(t, cfg)
	appendTasks(l, 150, "another ") // more records than the witness has seen
	waitUntil(t, "the alert forked", func() bool { return hasAlert(t, dir, "forked") })
	mustClose(t, l)
	options := audit.VerifyOptions{Witnesses: parseWitnessKeys(w), Quorum: 1}
	if _, err := audit.VerifyWith(dir, audittest.PublicKey, options); err == nil {
		t.Error("the forked log counts as witnessed")
	}
}

// answerWith returns a witness that answers every request with status and the
// body that is made from the text of the checkpoint.
func answerWith(status int, body func(text string) string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, text string) {
		w.WriteHeader(status)
		io.WriteString(w, body(text))
	}
}

func fixed(body string) func(string) string {
	return func(string) string { return body }
}

// outcome is what a witness's answer must lead to.
type outcome struct {
	alert string // code of the alert; empty if there must be none
	signs bool   // the answer is a valid signature
}

// TestWitnessAnswersThatAreWrong has witnesses that answer in every way but the
// right one. The log continues, and only valid signatures count.
func TestWitnessAnswersThatAreWrong(t *testing.T) {
	lies := outcome{alert: "witness_lies"}
	refuses := outcome{alert: "witness_refuses"}
	signs := outcome{signs: true}
	foreignLine := "— other.example AAAA\n"
	longForeignLine := "— other.example " + strings.Repeat("AAAA", 1250) + "\n"

	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, text string)
		want   outcome
	}{
		"no signature":  {answerWith(200, fixed("")), lies},
		"another key":   {answerWith(200, func(text string) string { return audittest.Cosign(audittest.Key, text) }), lies},
		"another text":  {answerWith(200, func(string) string { return audittest.Cosign(audittest.WitnessKey, "byline/test-1\n1\nx\n") }), lies},
		"garbage":       {answerWith(200, fixed(strings.Repeat("— liar.example !!!\n", 10_000))), lies},
		"no size":       {answerWith(409, fixed("many\n")), lies},
		"the same size": {answerWith(409, fixed("0\n")), lies},
		"a longer log":  {answerWith(409, fixed("99999999\n")), outcome{alert: "rolled_back"}},
		"a fork":        {answerWith(422, fixed("")), outcome{alert: "forked"}},
		"a fork of the same size": {
			answerWith(409, func(text string) string { return strings.Split(text, "\n")[1] + "\n" }),
			outcome{alert: "forked"},
		},
		"an unknown log": {answerWith(404, fixed("")), refuses},
		"an unknown key": {answerWith(403, fixed("")), refuses},
		"server error":   {answerWith(500, fixed("oops")), outcome{}},
		"redirect":       {answerWith(302, fixed("")), outcome{}},
		"cut off":        {func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) }, outcome{}},
		"a signature after a foreign line": {
			answerWith(200, func(text string) string { return foreignLine + audittest.Cosign(audittest.WitnessKey, text) }),
			signs,
		},
		"a signature after 16 long foreign lines": {
			answerWith(200, func(text string) string {
				return strings.Repeat(longForeignLine, 16) + audittest.Cosign(audittest.WitnessKey, text)
			}),
			signs,
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, signed, _ := strings.Cut(string(audittest.Must(io.ReadAll(r.Body))), "\n\n")
				text, _, _ := audit.SplitNote(signed)
				c.answer(w, text)
			}))
			defer srv.Close()
			cfg := Config{Dir: t.TempDir(), CheckpointEvery: 10 * time.Millisecond,
				Witnesses: []Witness{{srv.URL, audittest.Witness().String()}}}
			l := openLog(t, cfg)
			mustWait(t, l.Append(audittest.Intent(1)))

			switch {
			case c.want.signs:
				waitUntil(t, "the signature", func() bool { return l.Stats().Witnessed > 0 })
			case c.want.alert != "":
				waitUntil(t, "the alert "+c.want.alert, func() bool { return hasAlert(t, cfg.Dir, c.want.alert) })
			default:
				waitUntil(t, "the error", func() bool { return l.Witnesses()[0].Err != "" })
			}
			mustClose(t, l)

			options := audit.VerifyOptions{Witnesses: []audit.WitnessKey{audittest.Witness()}, Quorum: 1}
			report, err := audit.VerifyWith(cfg.Dir, audittest.PublicKey, options)
			if report.Bad != nil || (err == nil) != c.want.signs {
				t.Errorf("Verify returned %+v, %v; want no fault, and witnessed: %v", report, err, c.want.signs)
			}
		})
	}
}

// TestHonestWitnessSignsNextToALyingOne has a real witness and one that answers
// with garbage.
func TestHonestWitnessSignsNextToALyingOne(t *testing.T) {
	honest := startRealWitness(t, "witness.example/honest")
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "no\n")
	}))
	defer srv.Close()
	lying := Witness{srv.URL, audittest.Witness().String()}

	l := openLog(t, Config{Dir: t.TempDir(), CheckpointEvery: 10 * time.Millisecond, Witnesses: []Witness{lying, honest}})
	mustWait(t, l.Append(audittest.Intent(1)))
	waitUntil(t, "the honest signature", func() bool { return l.Stats().Witnessed > 0 })
	mustClose(t, l)
}

// TestDeadWitnessDelaysNothing has a witness that takes the request and never
// answers: records, tiles, checkpoints and Close do not wait for it.
func TestDeadWitnessDelaysNothing(t *testing.T) {
	stop := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	defer srv.Close()
	defer close(stop)
	l := openLog(t, Config{Dir: t.TempDir(), CheckpointEvery: 5 * time.Millisecond,
		Witnesses: []Witness{{srv.URL, audittest.Witness().String()}}})
	writeIntents(t, l, 200)
	waitUntil(t, "a published checkpoint over 100 records", func() bool { return l.Stats().Published > 100 })

	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(lastTilesTimeout + lastCosignTimeout + 10*time.Second):
		t.Fatal("Close waits for a dead witness")
	}
}

// TestWitnessErrorsNameTheRemedy has witnesses that the operator has not told of
// the log or of its new key, and one that is unavailable.
func TestWitnessErrorsNameTheRemedy(t *testing.T) {
	c := audit.Checkpoint{Origin: audit.Origin(audittest.Instance), Size: 1}
	for status, want := range map[int]string{
		404: "give its operator the log's public key",
		403: "by another key",
		500: "status 500",
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		defer srv.Close()
		w := witnessClient{url: srv.URL, key: audittest.Witness(), http: srv.Client()}
		_, err := w.cosign(t.Context(), "", c, audit.Tiles{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("after status %d cosign returned %v, want %q", status, err, want)
		}
	}
}
