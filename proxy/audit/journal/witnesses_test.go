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

// realWitness starts a transparency-dev/witness.
func realWitness(t *testing.T, name string) Witness {
	t.Helper()
	cmd := exec.Command(audittest.BuildC2SP(t), "witness", name, audittest.VerifierKey())
	cmd.Stderr = os.Stderr
	out := audittest.Must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	in := bufio.NewScanner(out)
	var lines []string
	for len(lines) < 2 && in.Scan() {
		lines = append(lines, in.Text())
	}
	if len(lines) < 2 {
		t.Fatal("the witness did not start")
	}
	return Witness{URL: lines[0], Key: lines[1]}
}

// await waits until ok is true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: did not come", what)
}

func witnessKeys(t *testing.T, all ...Witness) (keys []audit.WitnessKey) {
	t.Helper()
	for _, w := range all {
		keys = append(keys, audittest.Must(audit.ParseWitnessKey(w.Key)))
	}
	return keys
}

// TestRealWitnessesSign lets two witnesses of transparency-dev sign a growing
// log over a restart, and proves a record with both signatures.
func TestRealWitnessesSign(t *testing.T) {
	one, two := realWitness(t, "witness.example/one"), realWitness(t, "witness.example/two")
	dir := t.TempDir()
	cfg := Config{Dir: dir, CheckpointEvery: 20 * time.Millisecond, Witnesses: []Witness{one, two}, Quorum: 2}
	var id string
	for range 3 {
		l := openLog(t, cfg)
		for i := range 300 {
			k := l.Append(audittest.Intent(i))
			mustWait(t, k)
			id = k.ID()
		}
		await(t, "signatures", func() bool { return uint64(l.Stats().Witnessed) > seqOf(t, dir, id) })
		mustWait(t, l.Append(audittest.Intent(1)), l.Append(audittest.Intent(2)))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for _, s := range l.Witnesses() {
			if s.Err != "" || s.Time.IsZero() {
				t.Errorf("%+v", s)
			}
		}
	}
	trust := audit.Trust{Keys: []audit.PublicKey{audittest.PublicKey}, Witnesses: witnessKeys(t, one, two), Quorum: 2}
	p, err := audittest.Must(audit.Prove(dir, id, nil)).Verify(trust)
	if err != nil || len(p.Cosigned) != 2 || time.Since(p.Cosigned[0].Time) > time.Minute {
		t.Errorf("%+v %v", p, err)
	}
	rep, err := audit.VerifyWith(dir, audittest.PublicKey, audit.VerifyOptions{Witnesses: trust.Witnesses, Quorum: 2})
	if err != nil || len(rep.Cosigned) != 2 {
		t.Errorf("%+v %v", rep, err)
	}
	onRecord := 0
	for r, err := range audit.Tail(t.Context(), dir, 2000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == audit.KindCosigned {
			onRecord++
			if _, err := trust.Witnesses[1].Verify(r.Checkpoint); err != nil {
				t.Error(err)
			}
		}
		if r.Kind == "alert" {
			t.Errorf("%+v", r)
		}
	}
	if onRecord == 0 {
		t.Error("no cosignature is on record")
	}
}

// seqOf returns the number of the record with that id.
func seqOf(t *testing.T, dir, id string) uint64 {
	t.Helper()
	found := audittest.Must(audit.Find(dir, id))
	if len(found) == 0 {
		t.Fatalf("record %s is not in the log", id)
	}
	return found[0].Seq
}

// TestI8RollbackIsFoundByAWitness puts a log back from a copy, and then another
// log in its place: a real witness refuses to sign, and the log says so itself.
func TestI8RollbackIsFoundByAWitness(t *testing.T) {
	w := realWitness(t, "witness.example/one")
	dir := filepath.Join(t.TempDir(), "log")
	cfg := Config{Dir: dir, CheckpointEvery: 20 * time.Millisecond, Witnesses: []Witness{w}}
	write := func(what string) *Log {
		l := openLog(t, cfg)
		var last Ticket
		for i := range 50 {
			last = l.Append(&audit.Record{Kind: "task", Detail: fmt.Sprint(what, i)})
		}
		mustWait(t, last)
		return l
	}
	first := write("a")
	await(t, "the first signature", func() bool { return first.Stats().Witnessed > 0 })
	first.Close()
	backup := t.TempDir()
	audittest.CopySegments(t, dir, backup)
	second := write("b")
	await(t, "the second signature", func() bool { return second.Stats().Witnessed > 60 })
	second.Close()
	kept := []string{audittest.LastCheckpoint(t, dir)}

	os.RemoveAll(dir)
	audittest.CopySegments(t, backup, dir)
	rolled := openLog(t, cfg)
	await(t, "the alert", func() bool { return alerted(t, dir, "rolled_back") })
	rolled.Close()
	if rep, err := audit.VerifyWith(dir, audittest.PublicKey, audit.VerifyOptions{Kept: kept}); err == nil || rep.Bad == nil {
		t.Errorf("against a kept checkpoint: %+v %v", rep.Bad, err)
	}
	third := write("c") // past what the witness has seen, on another history
	write2 := func() {
		for i := range 100 {
			mustWait(t, third.Append(&audit.Record{Kind: "task", Detail: fmt.Sprint("d", i)}))
		}
	}
	write2()
	await(t, "the fork", func() bool { return alerted(t, dir, "forked") })
	third.Close()
	if _, err := audit.VerifyWith(dir, audittest.PublicKey, audit.VerifyOptions{Witnesses: witnessKeys(t, w), Quorum: 1}); err == nil {
		t.Error("a forked log audit.TaskCounts as witnessed")
	}
}

func alerted(t *testing.T, dir, code string) bool {
	t.Helper()
	for r, err := range audit.Tail(t.Context(), dir, 5000, false) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == "alert" && r.Code == code {
			return true
		}
	}
	return false
}

// TestLyingWitnessIsFound has one honest real witness and one that lies in every
// way: the log goes on, the honest one's signature counts, the liar's never.
func TestLyingWitnessIsFound(t *testing.T) {
	honest := Witness{}
	if !testing.Short() {
		honest = realWitness(t, "witness.example/honest")
	}
	answer := func(status int, body func(text string) string) func(http.ResponseWriter, string) {
		return func(w http.ResponseWriter, text string) {
			w.WriteHeader(status)
			io.WriteString(w, body(text))
		}
	}
	fixed := func(s string) func(string) string { return func(string) string { return s } }
	for name, c := range map[string]struct {
		lie   func(w http.ResponseWriter, text string)
		alert string
	}{
		"unsigned":           {answer(200, fixed("")), "witness_lies"},
		"another key":        {answer(200, func(text string) string { return audittest.Cosign(audittest.Key, text) }), "witness_lies"},
		"another checkpoint": {answer(200, func(string) string { return audittest.Cosign(audittest.WitnessKey, "byline/test-1\n1\nx\n") }), "witness_lies"},
		"garbage":            {answer(200, fixed(strings.Repeat("— liar.example !!!\n", 10_000))), "witness_lies"},
		"a longer log":       {answer(409, fixed("99999999\n")), "rolled_back"},
		"no size":            {answer(409, fixed("many\n")), "witness_lies"},
		"the same size":      {answer(409, fixed("0\n")), "witness_lies"},
		"a fork":             {answer(422, fixed("")), "forked"},
		"a fork of one size": {answer(409, func(text string) string { return strings.Split(text, "\n")[1] + "\n" }), "forked"},
		"an unknown log":     {answer(404, fixed("")), "witness_refuses"},
		"an unknown key":     {answer(403, fixed("")), "witness_refuses"},
		"broken":             {answer(500, fixed("oops")), ""},
		"elsewhere":          {answer(302, fixed("")), ""},
		"cut off":            {func(w http.ResponseWriter, _ string) { panic(http.ErrAbortHandler) }, ""},
		"a line of each other": {answer(200, func(text string) string {
			return "— other.example AAAA\n" + audittest.Cosign(audittest.WitnessKey, text)
		}), "signs"},
		"sixteen long ones before it": {answer(200, func(text string) string {
			return strings.Repeat("— other.example "+strings.Repeat("AAAA", 1250)+"\n", 16) + audittest.Cosign(audittest.WitnessKey, text)
		}), "signs"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, note, _ := strings.Cut(string(audittest.Must(io.ReadAll(r.Body))), "\n\n")
				text, _, _ := audit.SplitNote(note)
				c.lie(w, text)
			}))
			defer srv.Close()
			cfg := Config{Dir: t.TempDir(), CheckpointEvery: 10 * time.Millisecond, Witnesses: []Witness{{srv.URL, audittest.Witness().String()}}}
			l := openLog(t, cfg)
			mustWait(t, l.Append(audittest.Intent(1)))
			switch c.alert {
			case "signs":
				await(t, "the signature", func() bool { return l.Stats().Witnessed > 0 })
			case "":
				await(t, "the failure", func() bool { return l.Witnesses()[0].Err != "" })
			default:
				await(t, "the alert", func() bool { return alerted(t, cfg.Dir, c.alert) })
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			rep, err := audit.VerifyWith(cfg.Dir, audittest.PublicKey, audit.VerifyOptions{Witnesses: []audit.WitnessKey{audittest.Witness()}, Quorum: 1})
			if rep.Bad != nil || (err == nil) != (c.alert == "signs") {
				t.Errorf("%+v %v", rep, err)
			}
		})
	}
	if honest.URL == "" {
		return
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "no\n") }))
	defer srv.Close()
	l := openLog(t, Config{Dir: t.TempDir(), CheckpointEvery: 10 * time.Millisecond, Witnesses: []Witness{{srv.URL, audittest.Witness().String()}, honest}})
	mustWait(t, l.Append(audittest.Intent(1)))
	await(t, "the honest signature", func() bool { return l.Stats().Witnessed > 0 })
	l.Close()
}

// TestDeadWitnessHoldsNothingUp has a witness that takes the request and never
// answers: records, tiles, checkpoints and Close go on.
func TestDeadWitnessHoldsNothingUp(t *testing.T) {
	stop := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	defer srv.Close()
	defer close(stop)
	l := openLog(t, Config{Dir: t.TempDir(), CheckpointEvery: 5 * time.Millisecond, Witnesses: []Witness{{srv.URL, audittest.Witness().String()}}})
	for i := range 200 {
		mustWait(t, l.Append(audittest.Intent(i)))
	}
	await(t, "published checkpoints", func() bool { return l.Stats().Published > 100 })
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

// TestWhatTheOperatorCanMendIsSaid: a witness that was never told of the log, or
// not of its new key, is not a slow one.
func TestWhatTheOperatorCanMendIsSaid(t *testing.T) {
	c := audit.Checkpoint{Origin: audit.Origin("test-1"), Size: 1}
	for status, want := range map[int]string{404: "give its operator the log's public key", 403: "by another key", 500: "status 500"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		defer srv.Close()
		w := witnessClient{url: srv.URL, key: audittest.Witness(), http: srv.Client()}
		if _, err := w.cosign(t.Context(), "", c, audit.Tiles{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", status, err)
		}
	}
}
