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

// BenchmarkDurable reports how many records become durable in a second if many
// agents each wait for theirs.
func BenchmarkDurable(b *testing.B) {
	for _, writers := range []int{64, 1024, 4096} {
		b.Run(fmt.Sprintf("%d writers", writers), func(b *testing.B) {
			l := openLog(b, Config{Dir: b.TempDir()})
			var next atomic.Int64
			var running sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			cpuBefore := cpuTime()
			began := time.Now()
			for range writers {
				running.Go(func() {
					intent := audittest.Intent(1)
					for next.Add(1) <= int64(b.N) {
						intent.ID = ""
						if err := l.Append(intent).Wait(context.Background()); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			running.Wait()
			took := time.Since(began)
			cpu := cpuTime() - cpuBefore
			b.StopTimer()

			s := l.Stats()
			b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/record")
			b.ReportMetric(float64(b.N)/took.Seconds(), "records/s")
			b.ReportMetric(float64(s.Records)/float64(s.Groups), "records/sync")
			b.ReportMetric(float64(s.SyncTime)/float64(s.Groups)/1e6, "ms/sync")
		})
	}
}

// BenchmarkWaitAt10k appends 10,000 records a second, whether or not those before
// are durable, and reports how long they wait.
func BenchmarkWaitAt10k(b *testing.B) {
	const perMillisecond = 10
	l := openLog(b, Config{Dir: b.TempDir()})
	waits := make([]time.Duration, b.N)
	var running sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for i := range b.N {
		if i%perMillisecond == 0 {
			time.Sleep(time.Until(began.Add(time.Duration(i/perMillisecond) * time.Millisecond)))
		}
		running.Go(func() {
			appended := time.Now()
			if err := l.Append(audittest.Intent(1)).Wait(context.Background()); err != nil {
				b.Error(err)
			}
			waits[i] = time.Since(appended)
		})
	}
	running.Wait()
	b.StopTimer()

	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "records/s")
	slices.Sort(waits)
	reportQuantile(b, waits, 500, "p50-ms")
	reportQuantile(b, waits, 990, "p99-ms")
	reportQuantile(b, waits, 999, "p99.9-ms")
}

// reportQuantile reports the given quantile, in thousandths, of sorted durations.
func reportQuantile(b *testing.B, sorted []time.Duration, thousandths int, unit string) {
	b.ReportMetric(sorted[len(sorted)*thousandths/1000].Seconds()*1e3, unit)
}

// BenchmarkDiskAlone reports the least time that a commit can take: it writes 64
// KiB over zeros and syncs, without a log.
func BenchmarkDiskAlone(b *testing.B) {
	f := audittest.Must(osDisk{}.create(filepath.Join(b.TempDir(), "f")))
	defer f.Close()
	for i := range int64(64) {
		f.WriteAt(zeros[:], i*zeroChunk)
	}
	f.Sync()

	waits := make([]time.Duration, 0, b.N)
	lines := make([]byte, 64<<10)
	for i := 0; b.Loop(); i++ {
		lines[0] = byte(i)
		began := time.Now()
		f.WriteAt(lines, int64(i%1024)*int64(len(lines)))
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, time.Since(began))
	}

	slices.Sort(waits)
	reportQuantile(b, waits, 500, "p50-ms")
	reportQuantile(b, waits, 990, "p99-ms")
}

// BenchmarkOpen opens a log whose last segment is nearly full.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l := openLog(b, Config{Dir: dir})
	for i := range 60_000 {
		ticket := l.Append(audittest.Intent(1))
		if i%4096 == 0 {
			mustWait(b, ticket)
		}
	}
	mustClose(b, l)

	for b.Loop() {
		openLog(b, Config{Dir: dir}).Close()
	}
}

// BenchmarkWait32 is what requests do: each of 32 agents waits for its intent and
// then appends an outcome without waiting. It reports the processor time of the
// process for one record, including that of the kernel.
func BenchmarkWait32(b *testing.B) {
	for _, withOutcome := range []bool{false, true} {
		name := "intent"
		if withOutcome {
			name = "intent+outcome"
		}
		b.Run(name, func(b *testing.B) {
			l := openLog(b, Config{Dir: b.TempDir()})
			ctx := b.Context() // can be cancelled, like that of a request
			var next atomic.Int64
			var running sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			cpuBefore := cpuTime()
			for range 32 {
				running.Go(func() {
					intent := audittest.Intent(1)
					outcome := &audit.Record{Kind: "outcome", Agent: intent.Agent, Task: intent.Task, Adapter: intent.Adapter, Status: 200}
					for next.Add(1) <= int64(b.N) {
						intent.ID = ""
						ticket := l.Append(intent)
						if err := ticket.Wait(ctx); err != nil {
							b.Error(err)
							return
						}
						if withOutcome {
							outcome.ID = ""
							outcome.Intent = ticket.ID()
							l.Append(outcome)
						}
					}
				})
			}
			running.Wait()
			cpu := cpuTime() - cpuBefore
			b.StopTimer()

			s := l.Stats()
			b.ReportMetric(float64(cpu)/float64(s.Records), "cpu-ns/record")
			b.ReportMetric(float64(s.Records)/float64(s.Groups), "records/sync")
		})
	}
}

// cpuTime returns the processor time of the process in nanoseconds.
func cpuTime() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
