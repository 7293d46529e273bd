package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
)

// BenchmarkDurable is how many records a second become durable while so many
// agents each wait for theirs.
func BenchmarkDurable(b *testing.B) {
	for _, writers := range []int{64, 1024, 4096} {
		b.Run(fmt.Sprintf("%d writers", writers), func(b *testing.B) {
			l := openLog(b, Config{Dir: b.TempDir()})
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			before, began := cpu(), time.Now()
			for range writers {
				wg.Go(func() {
					in := audittest.Intent(1)
					for next.Add(1) <= int64(b.N) {
						in.ID = ""
						if err := l.Append(in).Wait(context.Background()); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			took, used := time.Since(began), cpu()-before
			b.StopTimer()
			s := l.Stats()
			b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/record")
			b.ReportMetric(float64(b.N)/took.Seconds(), "records/s")
			b.ReportMetric(float64(s.Records)/float64(s.Groups), "records/sync")
			b.ReportMetric(float64(s.SyncTime)/float64(s.Groups)/1e6, "ms/sync")
		})
	}
}

// BenchmarkWaitAt10k sends 10,000 records a second, whether or not the ones
// before are durable, and reports how long they wait.
func BenchmarkWaitAt10k(b *testing.B) {
	const perMS = 10
	l := openLog(b, Config{Dir: b.TempDir()})
	waits := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for i := range b.N {
		if i%perMS == 0 {
			time.Sleep(time.Until(began.Add(time.Duration(i/perMS) * time.Millisecond)))
		}
		wg.Go(func() {
			at := time.Now()
			if err := l.Append(audittest.Intent(1)).Wait(context.Background()); err != nil {
				b.Error(err)
			}
			waits[i] = time.Since(at)
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "records/s")
	b.ReportMetric(waits[len(waits)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(waits[len(waits)*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(waits[len(waits)*999/1000].Seconds()*1e3, "p99.9-ms")
}

// BenchmarkDiskAlone is the floor under the two above: 64 KiB and fdatasync, on
// a file filled with zeros ahead of time, without a log.
func BenchmarkDiskAlone(b *testing.B) {
	f := audittest.Must(osDisk{}.create(filepath.Join(b.TempDir(), "f")))
	defer f.Close()
	for i := range int64(64) {
		f.WriteAt(zeros[:], i*zeroChunk)
	}
	f.Sync()
	waits := make([]time.Duration, 0, b.N)
	piece := make([]byte, 64<<10)
	for i := 0; b.Loop(); i++ {
		piece[0] = byte(i)
		at := time.Now()
		f.WriteAt(piece, int64(i%1024)*int64(len(piece)))
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, time.Since(at))
	}
	slices.Sort(waits)
	b.ReportMetric(waits[len(waits)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(waits[len(waits)*99/100].Seconds()*1e3, "p99-ms")
}

// BenchmarkOpen is how long a start takes with a full last segment.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l := openLog(b, Config{Dir: dir})
	for i := range 60_000 {
		if last := l.Append(audittest.Intent(1)); i%4096 == 0 {
			mustWait(b, last)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		openLog(b, Config{Dir: dir}).Close()
	}
}

// BenchmarkWait32 is the hot path: 32 agents, each waits for its intent and
// appends an outcome without waiting. It reports processor time of the whole
// process, kernel included, for one record.
func BenchmarkWait32(b *testing.B) {
	for _, outcome := range []bool{false, true} {
		name := "intent"
		if outcome {
			name = "intent+outcome"
		}
		b.Run(name, func(b *testing.B) {
			l := openLog(b, Config{Dir: b.TempDir()})
			ctx := b.Context() // cancellable, as in a request
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			for range 32 {
				wg.Go(func() {
					in := audittest.Intent(1)
					out := &audit.Record{Kind: "outcome", Agent: in.Agent, Task: in.Task, Adapter: in.Adapter, Status: 200}
					for next.Add(1) <= int64(b.N) {
						in.ID, out.ID = "", ""
						k := l.Append(in)
						if err := k.Wait(ctx); err != nil {
							b.Error(err)
							return
						}
						if outcome {
							out.Intent = k.ID()
							l.Append(out)
						}
					}
				})
			}
			wg.Wait()
			used := cpu() - before
			b.StopTimer()
			s := l.Stats()
			b.ReportMetric(float64(used)/float64(s.Records), "cpu-ns/record")
			b.ReportMetric(float64(s.Records)/float64(s.Groups), "records/sync")
		})
	}
}

func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
