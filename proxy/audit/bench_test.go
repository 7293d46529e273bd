package audit

import (
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

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
					in := intent(1)
					out := &Record{Kind: "outcome", Agent: in.Agent, Task: in.Task, Adapter: in.Adapter, Status: 200}
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

func BenchmarkAppendLine(b *testing.B) {
	r := intent(1)
	r.ID = NewID()
	var line, body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = appendBody(body[:0], r)
		line = appendLine(line[:0], 7, 3, hash{}, 1, body)
	}
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewID()
	}
}

func BenchmarkFingerprint(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Fingerprint([]byte("0123456789abcdef0123456789abcdef"), "a session cookie's value of some length")
	}
}
