package audit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// benchRecords is how many records the large benchmarks use: AUDIT_RECORDS,
// or 200,000.
func benchRecords() int {
	if n, err := strconv.Atoi(os.Getenv("AUDIT_RECORDS")); err == nil {
		return n
	}
	return 200_000
}

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
					in := intent(1)
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
			if err := l.Append(intent(1)).Wait(context.Background()); err != nil {
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
	f := must(osDisk{}.create(filepath.Join(b.TempDir(), "f")))
	defer f.Close()
	for i := range int64(64) {
		f.WriteAt(zeros[:], i*chunk)
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

// bigLog writes n records, intents and outcomes in turn, and closes.
func bigLog(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	l := openLog(b, Config{Dir: dir})
	in, out := intent(1), &Record{Kind: "outcome", Agent: intent(1).Agent, Task: "t_5", Adapter: "mediawiki", Status: 200, BytesDown: 1024, DurationUS: 12_345}
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
	for _, s := range must(segments(dir)) {
		bytes += s.size
	}
	b.SetBytes(bytes)
	b.ResetTimer()
	before, began := cpu(), time.Now()
	peak := uint64(0)
	for b.Loop() {
		step := 0
		rep, err := Verify(dir, testPub, func(int64, int64) {
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

// BenchmarkOpen is how long a start takes with a full last segment.
func BenchmarkOpen(b *testing.B) {
	dir := bigLog(b, 60_000)
	for b.Loop() {
		openLog(b, Config{Dir: dir}).Close()
	}
}

// BenchmarkProveAt100M makes inclusion and consistency proofs in a tree of 100
// million leaves. The leaves are alike, so that the tiles on every path can be
// written without a log of 90 GB.
func BenchmarkProveAt100M(b *testing.B) {
	const size = 100_000_000
	files := tileFiles{filepath.Join(b.TempDir(), "tiles")}
	e := alikeTiles(b, files, size)
	root := e.tree().root()
	b.Run("inclusion", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i = (i + 7_777_777) % size {
			p, err := tlog.ProveRecord(size, int64(i), files.hashes(size, root))
			if err != nil || tlog.CheckRecord(p, size, tlog.Hash(root), int64(i), tlog.Hash(leafHash([]byte{0, 'x'}))) != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("consistency", func(b *testing.B) {
		for i := uint64(1); b.Loop(); i = (i+7_777_777)%size + 1 {
			if _, err := tlog.ProveTree(size, int64(i), files.hashes(size, root)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// alikeTiles makes the tiles of a tree whose leaves are alike: all full tiles
// of a level are one file, linked under each name.
func alikeTiles(b *testing.B, files tileFiles, size uint64) edge {
	b.Helper()
	e := edge{size: size}
	h := leafHash([]byte{0, 'x'})
	for l := range e.level {
		n := size >> (tileHeight * l)
		if n == 0 {
			break
		}
		for range n % tileWidth {
			e.level[l] = append(e.level[l], h)
		}
		full := make([]hash, tileWidth)
		for i := range full {
			full[i] = h
		}
		one := filepath.Join(files.dir, fmt.Sprint("level", l))
		if err := replaceFile(one, flat(full)); err != nil {
			b.Fatal(err)
		}
		for t := range n / tileWidth {
			path := files.path(l, t, tileWidth)
			os.MkdirAll(filepath.Dir(path), 0o700)
			if err := os.Symlink(one, path); err != nil {
				b.Fatal(err)
			}
		}
		if w := int(n % tileWidth); w > 0 {
			if err := files.write(l, n/tileWidth, w, flat(full[:w])); err != nil {
				b.Fatal(err)
			}
		}
		h = fullRoot(full)
	}
	return e
}
