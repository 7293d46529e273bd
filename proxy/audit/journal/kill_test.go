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

// writeUntilKilled is the child process: it appends records as fast as it can and
// prints the ID of each once it is acknowledged.
func writeUntilKilled(dir string) {
	cfg := Config{Dir: dir, SegmentBytes: 64 << 10, CheckpointEvery: 2 * time.Millisecond}
	l, err := Open(cfg, audittest.Key, "child")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}

	var mu sync.Mutex
	for range 8 {
		go func() {
			for n := 0; ; n++ {
				ticket := l.Append(audittest.Intent(n))
				if ticket.Wait(context.Background()) == nil {
					mu.Lock()
					fmt.Println(ticket.ID())
					mu.Unlock()
				}
			}
		}()
	}
	select {}
}

// runKilledWriter runs a child process on dir, kills it at a random moment, and
// returns the IDs of the records that were acknowledged to it.
func runKilledWriter(t *testing.T, dir string) (ids []string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+dir)
	child.Stderr = os.Stderr
	stdout := audittest.Must(child.StdoutPipe())
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}

	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if len(ids) == 0 { // the child has begun to write
			delay := time.Duration(rand.IntN(20_000)) * time.Microsecond
			kill := time.AfterFunc(delay, func() { child.Process.Kill() })
			defer kill.Stop()
		}
		if len(lines.Text()) == len("r_")+26 { // the last ID may be incomplete
			ids = append(ids, lines.Text())
		}
	}
	child.Wait()

	if len(ids) == 0 {
		t.Fatal("the child process acknowledged no record")
	}
	return ids
}

// TestI3KilledWriterLosesNothingAcknowledged kills 50 writers at random moments,
// ten in a row on each of five logs.
func TestI3KilledWriterLosesNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("kills 50 processes")
	}

	acknowledged := 0
	for range 5 {
		dir := t.TempDir()
		var ids []string
		for range 10 {
			ids = append(ids, runKilledWriter(t, dir)...)
			if _, err := audit.Verify(dir, audittest.PublicKey, nil); err != nil {
				t.Fatalf("after a kill: %v", err)
			}
		}

		mustClose(t, openLog(t, Config{Dir: dir}))
		if report := audittest.Verify(t, dir, ids...); !report.Closed {
			t.Errorf("Verify returned %+v, want a closed log", report)
		}
		acknowledged += len(ids)
	}

	if acknowledged < 500 {
		t.Errorf("only %d records were acknowledged: the writers were killed too soon to show anything", acknowledged)
	}
	t.Logf("%d records were acknowledged in 50 runs", acknowledged)
}
