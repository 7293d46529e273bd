package reports

import (
	"bufio"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// BenchmarkReconcile reconciles a text log of which every fifth line is an account's. The
// time for a line must not depend on how many there are; heap is what is in use at the end.
func BenchmarkReconcile(b *testing.B) {
	shape := logShapes["Apache combined"]
	for _, lines := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(lines), func(b *testing.B) {
			a := shapeAdapter(b, shape.log)
			step := 10 * time.Hour / time.Duration(lines)
			at := func(i int) time.Time { return day.Add(-5*time.Hour + time.Duration(i)*step) }
			records := func(yield func(audit.Record, error) bool) {
				for i := 0; i < lines; i += 5 {
					in := audit.Record{
						Kind: "intent", ID: fmt.Sprint("r_", i), Time: at(i), Adapter: "wiki", Account: "svc", Action: "item.save",
						Resource: fmt.Sprint("item/", i%1000), Method: "POST", Agent: "triage", Sponsor: "alice",
					}
					out := audit.Record{Kind: "outcome", Intent: in.ID, Time: at(i).Add(time.Second), Adapter: "wiki", Status: 302}
					if !yield(in, nil) || !yield(out, nil) {
						return
					}
				}
			}

			for b.Loop() {
				r := NewReconciler(a, testPeriod, map[string][]string{"svc": nil})
				if err := r.ReadRecords(records); err != nil {
					b.Fatal(err)
				}
				h := r.History()
				in, out := io.Pipe()
				go func() {
					w := bufio.NewWriter(out)
					for i := range lines {
						line := shape.noise(at(i))
						if i%5 == 0 {
							line = shape.write(at(i), "svc", "save", i%1000)
						}
						_, _ = w.WriteString(line + "\n")
					}
					_ = w.Flush()
					_ = out.Close()
				}()
				if err := ReadExport(in, "export", FormatText, "time", h); err != nil {
					b.Fatal(err)
				}
				got := r.Finish(false)
				if got.Verdict != VerdictClear || len(got.Matched) != lines/5 {
					b.Fatalf("%s, %d matched, %+v", got.Verdict, len(got.Matched), got.Findings)
				}

				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapAlloc)/1e6, "heap-MB")
				runtime.KeepAlive(got)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*lines), "ns/line")
		})
	}
}
