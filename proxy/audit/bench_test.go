package audit_test

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func BenchmarkAppendLine(b *testing.B) {
	r := audittest.Intent(1)
	r.ID = audit.NewID()
	var line, body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = audit.AppendBody(body[:0], r)
		line = audit.AppendLine(line[:0], 7, 3, merkle.Hash{}, 1, body)
	}
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		audit.NewID()
	}
}

func BenchmarkFingerprint(b *testing.B) {
	key := []byte("0123456789abcdef0123456789abcdef")
	b.ReportAllocs()
	for b.Loop() {
		audit.Fingerprint(key, "a session cookie's value of some length")
	}
}

// BenchmarkVerify verifies a log of AUDIT_RECORDS records, by default 200,000. It
// reports the largest heap, which must not grow with the log.
func BenchmarkVerify(b *testing.B) {
	n := 200_000
	if set, err := strconv.Atoi(os.Getenv("AUDIT_RECORDS")); err == nil {
		n = set
	}
	dir := writeExchanges(b, n)
	b.SetBytes(segment.TotalSize(audittest.Must(segment.List(dir))))
	b.ResetTimer()

	cpuBefore, start := cpuTime(), time.Now()
	peak := uint64(0)
	for b.Loop() {
		calls := 0
		rep, err := audit.Verify(dir, audittest.PublicKey, func(int64, int64) {
			calls++
			if calls%8 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		})
		if err != nil || rep.Records < uint64(n) {
			b.Fatalf("verified %d records: %v, want at least %d", rep.Records, err, n)
		}
	}

	b.ReportMetric(float64(n)*float64(b.N)/time.Since(start).Seconds(), "records/s")
	b.ReportMetric(float64(cpuTime()-cpuBefore)/float64(n*b.N), "cpu-ns/record")
	b.ReportMetric(float64(peak)/(1<<20), "peak-heap-MB")
}

// writeExchanges writes a closed log of n records, intents and outcomes in turn.
func writeExchanges(b *testing.B, n int) (dir string) {
	b.Helper()
	dir = b.TempDir()
	l := openLog(b, journal.Config{Dir: dir})
	intent := audittest.Intent(1)
	outcome := &audit.Record{
		Kind: "outcome", Agent: intent.Agent, Task: intent.Task, Adapter: intent.Adapter,
		Status: 200, BytesDown: 1024, DurationUS: 12_345,
	}
	for i := 0; i < n; i += 2 {
		intent.ID, outcome.ID = "", ""
		outcome.Intent = l.Append(intent).ID()
		last := l.Append(outcome)
		if i%8192 == 0 {
			mustWait(b, last)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// cpuTime returns the processor time that the process has used, in nanoseconds.
func cpuTime() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
