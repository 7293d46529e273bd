package state

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// crashFileVar names the file that a child process of this test writes.
const crashFileVar = "BYLINE_STATE_CRASH_FILE"

// writeUntilKilled is the child process: it writes until it is killed, and
// prints each fence once its session is durable.
func writeUntilKilled() {
	path := os.Getenv(crashFileVar)
	if path == "" {
		return
	}
	s, err := OpenBolt(path, nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}

	var out sync.Mutex
	for i := range 8 {
		go func() {
			for {
				account := fmt.Sprint("a", i)
				fence, err := s.AcquireLease("wiki", account, "t_child", time.Now().Add(time.Hour))
				if err == nil {
					err = s.PutSession("wiki", account, fence, fmt.Append(nil, fence))
				}
				if err != nil {
					os.Exit(1)
				}
				out.Lock()
				fmt.Println(account, fence)
				out.Unlock()
			}
		}()
	}
	select {}
}

func TestI5FencesNeverGoBackAfterAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var highest uint64
	for round := range 5 {
		printed := killAfter(t, path, 40+round*17)

		s := must(OpenBolt(path, nil))(t)
		for account, fence := range printed {
			highest = max(highest, fence)
			var kept uint64
			_, _ = fmt.Sscan(string(must(s.Session("wiki", account))(t)), &kept)
			if kept < fence {
				t.Errorf("round %d: the session of fence %d was durable, the file holds that of %d", round, fence, kept)
			}
		}
		for account := range printed {
			next := must(s.AcquireLease("wiki", account, "t_child", time.Now()))(t)
			if next <= highest {
				t.Errorf("round %d: fence %d after %d", round, next, highest)
			}
			highest = next
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter kills the child with SIGKILL after it printed that many lines, and
// returns the last fence that it printed for each account.
func killAfter(t *testing.T, path string, lines int) map[string]uint64 {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashFileVar+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	printed := map[string]uint64{}
	scanner := bufio.NewScanner(out)
	for n := 0; scanner.Scan(); n++ {
		var account string
		var fence uint64
		if _, err := fmt.Sscan(scanner.Text(), &account, &fence); err != nil {
			break // the kill cut the line off
		}
		printed[account] = fence
		if n == lines {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if len(printed) == 0 {
		t.Fatal("the child printed no fence")
	}
	return printed
}
