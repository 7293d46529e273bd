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

const childFile = "BYLINE_STATE_CRASH_FILE"

// child writes until it is killed, and tells what it was promised.
func child() {
	path := os.Getenv(childFile)
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

func TestI5KilledInMidWriteFencesNeverGoBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var top uint64
	for round := range 5 {
		promised := killAfter(t, path, 40+round*17)
		s := must[*Bolt](t)(OpenBolt(path, nil))
		for account, fence := range promised {
			top = max(top, fence)
			var kept uint64
			_, _ = fmt.Sscan(string(must[[]byte](t)(s.Session("wiki", account))), &kept)
			if kept < fence {
				t.Errorf("round %d: session of fence %d was promised, %d is there", round, fence, kept)
			}
		}
		for account := range promised {
			next := must[uint64](t)(s.AcquireLease("wiki", account, "t_child", time.Now()))
			if next <= top {
				t.Errorf("round %d: fence %d after %d", round, next, top)
			}
			top = next
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killAfter kills the child with SIGKILL after so many promises, and returns
// the last one for each account.
func killAfter(t *testing.T, path string, lines int) map[string]uint64 {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	promised := map[string]uint64{}
	lead := bufio.NewScanner(out)
	for n := 0; lead.Scan(); n++ {
		var account string
		var fence uint64
		if _, err := fmt.Sscan(lead.Text(), &account, &fence); err != nil {
			break // cut off in mid-line by the kill
		}
		promised[account] = fence
		if n == lines {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if len(promised) == 0 {
		t.Fatal("the child promised nothing")
	}
	return promised
}
