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
	b.ReportAllocs()
	for b.Loop() {
		audit.Fingerprint([]byte("0123456789abcdef0123456789abcdef"), "a session cookie's value of some length")
	}
}

// benchRecords is how many records the large benchmarks use: AUDIT_RECORDS,
// or 200,000.
func benchRecords() int {
	if n, err := strconv.Atoi(os.Getenv("AUDIT_RECORDS")); err == nil {
		return n
	}
	return 200_000
}

// bigLog writes n records, intents and outcomes in turn, and closes.
func bigLog(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	l := openLog(b, journal.Config{Dir: dir})
	in, out := audittest.Intent(1), &audit.Record{Kind: "outcome", Agent: audittest.Intent(1).Agent, Task: "t_5", Adapter: "mediawiki", Status: 200, BytesDown: 1024, DurationUS: 12_345}
	for i := 0; i < n; i += 2 {
		in.ID, out.ID = "", ""
		out.Intent = l.Append(in).ID()
		if last := l.Append(out); i%8192 == 0 {
			mustWait(b, last)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkVerify reads a log of AUDIT_RECORDS once per round. It reports the
// most that the heap held: it must not grow with the log.
func BenchmarkVerify(b *testing.B) {
	n := benchRecords()
	dir := bigLog(b, n)
	var bytes int64
	for _, s := range audittest.Must(segment.List(dir)) {
		bytes += s.Size
	}
	b.SetBytes(bytes)
	b.ResetTimer()
	before, began := cpu(), time.Now()
	peak := uint64(0)
	for b.Loop() {
		step := 0
		rep, err := audit.Verify(dir, audittest.PublicKey, func(int64, int64) {
			if step++; step%8 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		})
		if err != nil || rep.Records < uint64(n) {
			b.Fatal(rep.Records, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/time.Since(began).Seconds(), "records/s")
	b.ReportMetric(float64(cpu()-before)/float64(n*b.N), "cpu-ns/record")
	b.ReportMetric(float64(peak)/(1<<20), "peak-heap-MB")
}

// cpu returns the processor time that the process has used, in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
