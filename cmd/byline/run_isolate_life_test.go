package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestIsolatedProgramsKeepTheirExitCode(t *testing.T) {
	needsNamespaces(t)
	h, _ := serve(t)
	h.write(t, "not-executable", "x")

	for _, c := range []struct {
		program []string
		code    int
		output  string
	}{
		{[]string{"sh", "-c", "exit 7"}, 7, ""},
		{[]string{"sh", "-c", "kill -TERM $$"}, 143, ""},
		{[]string{"sh", "-c", "sleep 100 & exit 3"}, 3, ""}, // what it leaves ends with it
		{[]string{"no-such-program"}, 127, ""},
		{[]string{h.Path("not-executable")}, 126, ""},
		{[]string{"sh", "-c", "echo $(id -u) $(id -g); pwd"}, 0, fmt.Sprintf("%d %d\n%s\n", os.Getuid(), os.Getgid(), h.Path(""))},
		{[]string{"sh", "-c", "ls /proc/self/fd | wc -l"}, 0, "4\n"},     // 0 to 2 and the folder
		{[]string{"sh", "-c", "set -- /proc/[0-9]*; echo $#"}, 0, "2\n"}, // process 1 and the shell
	} {
		cmd := h.Command(t.Context(), append(strings.Fields("run --isolate=require --agent agent/test --sponsor alice --purpose INC-1 --allow tickets:ticket.* --"), c.program...)...)
		cmd.Dir = h.Path("")
		r := runCommandLine(t, cmd)
		if r.code != c.code || c.output != "" && r.stdout != c.output {
			t.Errorf("%q: got code %d, output %q, errors %q; want code %d, output %q", c.program, r.code, r.stdout, r.stderr, c.code, c.output)
		}
	}
}

// TestIsolatedProgramsReadTheirInput and get signals.
func TestIsolatedProgramsGetInputAndSignals(t *testing.T) {
	needsNamespaces(t)
	h, _ := serve(t)
	cmd := h.Command(t.Context(), strings.Fields("run --isolate=require --agent agent/test --sponsor alice --purpose INC-1 --allow tickets:ticket.* -- sh -c")...)
	cmd.Args = append(cmd.Args, `trap 'echo got TERM; exit 5' TERM; read line; echo "read $line"; while :; do sleep 0.1; done`)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	fmt.Fprintln(in, "hello")
	lines := bufio.NewScanner(out)
	lines.Scan()
	if lines.Text() != "read hello" {
		t.Errorf("got %q, want the line that was written", lines.Text())
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	lines.Scan()
	if lines.Text() != "got TERM" {
		t.Errorf("after SIGTERM got %q", lines.Text())
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Errorf("got code %d, want 5", code)
	}
}

// TestI6NothingIsLeftOfAnIsolatedProgram kills byline run.
func TestI6NothingIsLeftOfAnIsolatedProgram(t *testing.T) {
	needsNamespaces(t)
	h, _ := serve(t)
	marker := fmt.Sprintf("4%07d", os.Getpid())
	cmd := h.Command(t.Context(), strings.Fields("run --isolate=require --agent agent/test --sponsor alice --purpose INC-1 --allow tickets:ticket.* -- sh -c")...)
	cmd.Args = append(cmd.Args, "setsid sleep "+marker+" & trap '' TERM HUP; echo started; sleep "+marker)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	bufio.NewScanner(out).Scan()
	if n := countProcesses(t, marker); n == 0 {
		t.Fatal("the program does not run")
	}

	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	for end := time.Now().Add(10 * time.Second); countProcesses(t, marker) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d processes of the program live", countProcesses(t, marker))
		}
	}
}

// countProcesses counts those with an argument.
func countProcesses(t *testing.T, argument string) (n int) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), argument) {
			n++
		}
	}
	return n
}

// TestI7IsolationFailsClosed runs where namespaces are denied.
func TestI7IsolationFailsClosed(t *testing.T) {
	needsNamespaces(t)
	h, _ := serve(t)
	// A namespace in which no more can be made.
	args := append([]string{"-c", `echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"`, "sh"}, h.Command(t.Context(), strings.Fields("run --isolate=require --agent agent/test --sponsor alice --purpose INC-1 --allow tickets:ticket.* -- echo ran")...).Args...)
	inner := h.Command(t.Context())
	inner.Path, inner.Args = lookPath(t, "unshare"), append([]string{"unshare", "--user", "--map-root-user", "sh"}, args...)
	r := runCommandLine(t, inner)
	if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "max_user_namespaces") {
		t.Errorf("got code %d, output %q, errors %q; want a failure with its remedy", r.code, r.stdout, r.stderr)
	}
	// The configuration may require it, too.
	h.write(t, "byline.yaml", strings.Replace(h.read(t, "byline.yaml"), "isolate: off", "isolate: require", 1))
	r = runCommandLine(t, h.Command(t.Context(), strings.Fields("run --agent agent/test --sponsor alice --purpose INC-1 --allow tickets:ticket.* -- cat /etc/resolv.conf")...))
	if r.code != 0 || !strings.Contains(r.stdout, "only Byline answers") {
		t.Errorf("with run.isolate: code %d, output %q, errors %q", r.code, r.stdout, r.stderr)
	}
}
