package e2e

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// ledgerRun is a house with one account, whose programs may read items.
func ledgerRun(t *testing.T) (*killed, testenv.TaskSpec) {
	t.Helper()
	k := openLedger(t, "", "agent-01")
	k.Start()
	return k, testenv.TaskSpec{Allow: []string{"ledger:item.read"}}
}

// TestRunPassesSignalsAndExitCodesThrough holds that a program ends as it would
// without Byline, and its task with it.
func TestRunPassesSignalsAndExitCodesThrough(t *testing.T) {
	k, spec := ledgerRun(t)
	const open = "curl -fsS https://ledger.acme.test/item/x-1 >/dev/null || exit 99; "
	const wait = "i=0; while [ $i -lt 200 ]; do sleep 0.1; i=$((i+1)); done; exit 98"
	for _, c := range []struct {
		what, script string
		code         int
	}{
		{"nothing", open, 0},
		{"its own code", open + "exit 7", 7},
		{"the same number as a refusal of byline's own", open + "exit 1", 1},
		{"a signal that it catches", `trap "exit 42" TERM; ` + open + "kill -TERM $PPID; " + wait, 42},
		{"hangup", `trap "exit 43" HUP; ` + open + "kill -HUP $PPID; " + wait, 43},
		{"a signal that it dies of", open + "kill -TERM $PPID; " + wait, 128 + int(syscall.SIGTERM)},
		{"kill -9", open + "kill -KILL $$", 128 + int(syscall.SIGKILL)},
	} {
		t.Run(c.what, func(t *testing.T) {
			if r := k.RunToEnd(k.RunCommand(spec, t.TempDir(), nil, "bash", "-c", c.script)); r.Code != c.code {
				t.Errorf("exit code %d, want %d: %s", r.Code, c.code, r)
			}
		})
	}
	for what, command := range map[string]string{"no such program": "no-such-program", "a file that is no program": "/etc/passwd"} {
		if r := k.RunToEnd(k.RunCommand(spec, t.TempDir(), nil, command)); r.Code == 0 || !strings.HasPrefix(r.Err, "byline: run: ") {
			t.Errorf("%s: %s", what, r)
		}
	}
	for task, state := range k.load.states(t) {
		if state != "ended" {
			t.Errorf("task %s is %s after its program", task, state)
		}
	}
	if left := k.app.loggedIn(); len(left) > 0 {
		t.Errorf("sessions that nobody ended: %v", left)
	}
}

// TestRunLeavesNothingBehind holds that the files which surround a program go
// with it, also when it is killed, and that its token is dead.
func TestRunLeavesNothingBehind(t *testing.T) {
	k, spec := ledgerRun(t)
	tmp := t.TempDir()
	r := k.RunToEnd(k.RunCommand(spec, t.TempDir(), []string{"TMPDIR=" + tmp}, "sh", "-c",
		`ls "$(dirname "$SSL_CERT_FILE")" >/dev/null && echo "$HTTPS_PROXY"; kill -KILL $$`))
	proxy := strings.TrimSpace(r.Out)
	if r.Code != 137 || !strings.HasPrefix(proxy, "http://t_") {
		t.Fatal(r)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v %v", left, err)
	}
	id, rest, _ := strings.Cut(strings.TrimPrefix(proxy, "http://"), ":")
	token, _, _ := strings.Cut(rest, "@")
	if status := k.load.agent(id, token).send(k.rand); status != 0 {
		t.Errorf("the token of a task that ended is answered with %d", status)
	}
}

// TestI6AProgramDoesNotOutliveTheRunThatWouldEndItsTask kills byline run, which
// then ends nothing any more.
func TestI6AProgramDoesNotOutliveTheRunThatWouldEndItsTask(t *testing.T) {
	k, spec := ledgerRun(t)
	c := k.RunCommand(spec, t.TempDir(), nil, "sh", "-c", "echo $$; exec sleep 100")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	k.WaitUntil("the program is gone", func() bool {
		_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)) // nor does one that waits to be buried have it
		return err != nil
	})
}

// TestRunGivesOneBundleOfTheSystemsRootsAndOurs looks at the file that replaces
// a program's trust store.
func TestRunGivesOneBundleOfTheSystemsRootsAndOurs(t *testing.T) {
	k, spec := ledgerRun(t)
	kept := filepath.Join(t.TempDir(), "bundle.pem")
	if r := k.RunToEnd(k.RunCommand(spec, t.TempDir(), []string{"KEPT=" + kept}, "sh", "-c", `cp "$SSL_CERT_FILE" "$KEPT"`)); r.Code != 0 {
		t.Fatal(r)
	}
	have := certificates(t, kept)
	ours := certificates(t, filepath.Join(k.Dir, "data", "certs", "root.crt"))
	system := certificates(t, "/etc/ssl/certs/ca-certificates.crt")
	if len(ours) != 1 || len(system) < 50 || len(have) != len(system)+1 {
		t.Errorf("%d certificates in the bundle, %d of the system, %d of ours", len(have), len(system), len(ours))
	}
	for _, c := range append(system, ours...) {
		found := false
		for _, h := range have {
			found = found || bytes.Equal(h, c)
		}
		if !found {
			t.Errorf("a certificate is missing from the bundle")
		}
	}
}

func certificates(t *testing.T, path string) (all [][]byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, block.Bytes)
	}
	return all
}
