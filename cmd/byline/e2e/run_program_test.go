package e2e

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/e2e/testenv"
)

// startRunEnv starts an installation for a ledger application with one account,
// and returns the task that byline run creates for its programs.
func startRunEnv(t *testing.T) (*crashEnv, testenv.TaskSpec) {
	t.Helper()
	e := newCrashEnv(t, "", "agent-01")
	e.Start()
	return e, testenv.TaskSpec{Allow: []string{"ledger:item.read"}}
}

// TestRunForwardsSignalsAndExitCodes shows that a program under byline run ends
// as it would without it, and its task with it.
func TestRunForwardsSignalsAndExitCodes(t *testing.T) {
	e, spec := startRunEnv(t)
	const (
		send = "curl -fsS https://ledger.acme.test/item/x-1 >/dev/null || exit 99; "
		wait = "i=0; while [ $i -lt 200 ]; do sleep 0.1; i=$((i+1)); done; exit 98"
	)
	for _, c := range []struct {
		name, script string
		code         int
	}{
		{"exit code 0", send, 0},
		{"exit code 7", send + "exit 7", 7},
		{"exit code 1, which byline uses for refusals", send + "exit 1", 1},
		{"SIGTERM with a handler", `trap "exit 42" TERM; ` + send + "kill -TERM $PPID; " + wait, 42},
		{"SIGHUP with a handler", `trap "exit 43" HUP; ` + send + "kill -HUP $PPID; " + wait, 43},
		{"SIGTERM without a handler", send + "kill -TERM $PPID; " + wait, 128 + int(syscall.SIGTERM)},
		{"SIGKILL to itself", send + "kill -KILL $$", 128 + int(syscall.SIGKILL)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := e.RunToEnd(e.RunCommand(spec, t.TempDir(), nil, "bash", "-c", c.script)); r.Code != c.code {
				t.Errorf("want exit %d, got %s", c.code, r)
			}
		})
	}

	for program, code := range map[string]int{"no-such-program": 127, "/no/such/program": 127, "/etc/passwd": 126} {
		if r := e.RunToEnd(e.RunCommand(spec, t.TempDir(), nil, program)); r.Code != code || !strings.HasPrefix(r.Err, "byline: run: ") {
			t.Errorf("%s: want exit %d and \"byline: run: \", got %s", program, code, r)
		}
	}

	for task, state := range e.load.taskStates(t) {
		if state != "ended" {
			t.Errorf("task %s is %s after the end of its program, want ended", task, state)
		}
	}
	if users := e.app.loggedInUsers(); len(users) > 0 {
		t.Errorf("sessions are live at the application: %v, want none", users)
	}
}

// TestRunRemovesItsFilesAndListener kills a program. The files that byline run wrote for
// it are removed, and nothing listens where its proxy was.
func TestRunRemovesItsFilesAndListener(t *testing.T) {
	e, spec := startRunEnv(t)
	tmp := t.TempDir()
	r := e.RunToEnd(e.RunCommand(spec, t.TempDir(), []string{"TMPDIR=" + tmp}, "sh", "-c",
		`ls "$(dirname "$SSL_CERT_FILE")" >/dev/null && echo "$HTTPS_PROXY"; kill -KILL $$`))
	proxy, err := url.Parse(strings.TrimSpace(r.Out))
	if r.Code != 137 || err != nil || proxy.Hostname() != "127.0.0.1" || proxy.User != nil {
		t.Fatalf("want exit 137 and the URL of the proxy without credentials, got %s", r)
	}

	if files, err := os.ReadDir(tmp); err != nil || len(files) > 0 {
		t.Errorf("the temporary folder holds %v, error %v; want it empty", files, err)
	}
	if conn, err := net.Dial("tcp", proxy.Host); err == nil {
		conn.Close()
		t.Errorf("something listens at %s after the end of the program", proxy.Host)
	}
}

// TestI1ProgramUnderRunSeesNoSecret runs a Go program under byline run. It edits
// a page of the wiki, and it is searched for secrets while it runs.
func TestI1ProgramUnderRunSeesNoSecret(t *testing.T) {
	app := testenv.MediaWiki(t)
	env := startEnv(t, app, "", "Agent-01")
	script := testenv.AgentScript{BaseURL: app.PublicURL, Cookies: testenv.BorrowCookies(t, app), Steps: []testenv.Step{
		{
			Method: "GET", Path: "/index.php?title=Sandbox/Run&action=edit",
			Take: []string{"wpEditToken", "wpStarttime", "wpEdittime", "wpUnicodeCheck"},
		},
		{
			Method: "POST", Path: "/index.php?title=Sandbox/Run&action=submit",
			Form: map[string][]string{
				"wpTextbox1": {"by a program"}, "wpSummary": {"by a program"}, "wpSave": {"Save"},
				"wpUltimateParam": {"1"}, "model": {"wikitext"}, "format": {"text/x-wiki"},
				"wpEditToken": {"${wpEditToken}"}, "wpStarttime": {"${wpStarttime}"},
				"wpEdittime": {"${wpEdittime}"}, "wpUnicodeCheck": {"${wpUnicodeCheck}"},
			},
		},
		{Method: "GET", Path: "/index.php?title=Main_Page"},
	}}

	began := time.Now()
	answers := env.RunAgent(testenv.TaskSpec{Allow: scenarios["mediawiki"].allow}, script, func(pid int) {
		env.SearchProcessEnvironment(t, pid)
		env.SearchForSecrets(t)
	})
	if len(answers) != len(script.Steps) {
		t.Fatalf("%d answers, want %d", len(answers), len(script.Steps))
	}
	answers[1].Want(t, 302, "")
	answers[2].WantRefusal(t, "out_of_scope")

	checkHistory(t, app, began, "Sandbox/Run", "by a program", "Agent-01")
	var tasks []testenv.Task
	env.BylineJSON(&tasks, "task", "list")
	if len(tasks) != 1 || tasks[0].State == "active" {
		t.Errorf("the tasks are %+v, want one that ended with its program", tasks)
	}
}

// TestI6ProgramEndsWhenRunIsKilled kills byline run, which then cannot end the
// task. Its program must not live on.
func TestI6ProgramEndsWhenRunIsKilled(t *testing.T) {
	e, spec := startRunEnv(t)
	c := e.RunCommand(spec, t.TempDir(), nil, "sh", "-c", "echo $$; exec sleep 100")
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
	e.WaitUntil("the program has ended", func() bool {
		_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)) // also fails for a zombie
		return err != nil
	})
}

// TestRunAddsRootToSystemBundle checks that the program's trust store holds the
// system's certificates and the interception root.
func TestRunAddsRootToSystemBundle(t *testing.T) {
	e, spec := startRunEnv(t)
	kept := filepath.Join(t.TempDir(), "bundle.pem")
	if r := e.RunToEnd(e.RunCommand(spec, t.TempDir(), []string{"KEPT=" + kept}, "sh", "-c", `cp "$SSL_CERT_FILE" "$KEPT"`)); r.Code != 0 {
		t.Fatalf("copy the trust store: %s", r)
	}

	bundle := readCertificates(t, kept)
	root := readCertificates(t, filepath.Join(e.Dir, "data", "certs", "root.crt"))
	system := readCertificates(t, "/etc/ssl/certs/ca-certificates.crt")
	if len(root) != 1 || len(system) < 50 || len(bundle) != len(system)+1 {
		t.Errorf("the bundle has %d certificates, the system %d, the interception root %d; want the bundle to have the others'", len(bundle), len(system), len(root))
	}
	for _, want := range append(system, root...) {
		if !slices.ContainsFunc(bundle, func(got []byte) bool { return bytes.Equal(got, want) }) {
			t.Errorf("the bundle lacks a certificate of the system or the interception root")
		}
	}
}

// readCertificates returns the certificates in a PEM file.
func readCertificates(t *testing.T, path string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var certificates [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		certificates = append(certificates, block.Bytes)
	}
	return certificates
}
