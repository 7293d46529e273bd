package audit

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// child writes as fast as it can and prints each id once it is acknowledged.
func child(dir string) {
	l, err := Open(Config{Dir: dir, SegmentBytes: 64 << 10, CheckpointEvery: 2 * time.Millisecond}, testKey, "child")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	var mu sync.Mutex
	for range 8 {
		go func() {
			for n := 0; ; n++ {
				if k := l.Append(intent(n)); k.Wait(context.Background()) == nil {
					mu.Lock()
					fmt.Println(k.ID())
					mu.Unlock()
				}
			}
		}()
	}
	select {}
}

func TestI3KilledWriterLosesNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("kills 50 processes")
	}
	dir := t.TempDir()
	var ids []string
	for range 50 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "BYLINE_AUDIT_CHILD="+dir)
		cmd.Stderr = os.Stderr
		out := must(cmd.StdoutPipe())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(out)
		first := in.Scan() // it has begun to write
		if first {
			ids = append(ids, in.Text())
		}
		kill := time.AfterFunc(time.Duration(rand.IntN(30_000))*time.Microsecond, func() { cmd.Process.Kill() })
		for in.Scan() {
			if len(in.Text()) == 28 { // the last may be half printed
				ids = append(ids, in.Text())
			}
		}
		kill.Stop()
		cmd.Wait()
		if !first {
			t.Fatal("the writer did not start")
		}
		if _, err := Verify(dir, testPub, nil); err != nil {
			t.Fatal(err)
		}
	}
	openLog(t, Config{Dir: dir}).Close()
	rep := mustVerify(t, dir, ids...)
	if !rep.Closed || len(ids) < 1000 {
		t.Errorf("%d acknowledged; %+v", len(ids), rep)
	}
	t.Logf("%d acknowledged over 50 kills, %d records, %d segments", len(ids), rep.Records, rep.Segments)
}
