package journal

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

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// child writes as fast as it can and prints each id once it is acknowledged.
func child(dir string) {
	l, err := Open(Config{Dir: dir, SegmentBytes: 64 << 10, CheckpointEvery: 2 * time.Millisecond}, audittest.Key, "child")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	var mu sync.Mutex
	for range 8 {
		go func() {
			for n := 0; ; n++ {
				if k := l.Append(audittest.Intent(n)); k.Wait(context.Background()) == nil {
					mu.Lock()
					fmt.Println(k.ID())
					mu.Unlock()
				}
			}
		}()
	}
	select {}
}

// TestI3KilledWriterLosesNothingAcknowledged kills 50 writers at random
// moments, ten in a row on each of five logs.
func TestI3KilledWriterLosesNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("kills 50 processes")
	}
	acknowledged := 0
	for range 5 {
		dir := t.TempDir()
		var ids []string
		for range 10 {
			ids = append(ids, killedWriter(t, dir)...)
			if _, err := audit.Verify(dir, audittest.PublicKey, nil); err != nil {
				t.Fatal(err)
			}
		}
		openLog(t, Config{Dir: dir}).Close()
		if rep := audittest.Verify(t, dir, ids...); !rep.Closed {
			t.Errorf("%+v", rep)
		}
		acknowledged += len(ids)
	}
	if acknowledged < 500 {
		t.Errorf("only %d records were acknowledged: the writers were killed too soon to show anything", acknowledged)
	}
	t.Logf("%d records acknowledged over 50 kills", acknowledged)
}

// killedWriter runs a child on dir, kills it, and returns the ids that the
// child knew to be durable.
func killedWriter(t *testing.T, dir string) (ids []string) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BYLINE_AUDIT_CHILD="+dir)
	cmd.Stderr = os.Stderr
	out := audittest.Must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(out)
	for in.Scan() {
		if len(ids) == 0 { // it has begun to write
			kill := time.AfterFunc(time.Duration(rand.IntN(20_000))*time.Microsecond, func() { cmd.Process.Kill() })
			defer kill.Stop()
		}
		if len(in.Text()) == len("r_")+26 { // the last may be half printed
			ids = append(ids, in.Text())
		}
	}
	cmd.Wait()
	if len(ids) == 0 {
		t.Fatal("the writer did not start")
	}
	return ids
}
