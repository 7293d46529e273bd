package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// soakSample is what the server says of itself at one moment.
type soakSample struct {
	at                                 time.Duration
	heap, rss, goroutines, descriptors float64
	records, tasks                     float64 // written and ended so far
}

// soakMetrics are the metrics of a sample, in the order of its fields.
var soakMetrics = []string{"go_gc_heap_live_bytes", "process_resident_memory_bytes", "go_goroutines", "process_open_fds", "byline_audit_records_total"}

const (
	soakSamples = 16
	// maxBytesPerEndedTask is what an ended task may keep for the day that it is
	// listed, with what the log counts of it and the noise of the garbage collector.
	maxBytesPerEndedTask = 8 << 10

	soakReload   = 20 * time.Second // between reloads
	soakRotation = time.Minute      // between changes of the record's key
)

// TestSoak sends mixed traffic for the time in BYLINE_SOAK, reloads the adapters and
// changes the record's key, and samples heap, memory, goroutines and descriptors of the
// server. None may grow in the second half, but for what ended tasks keep for a day.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("BYLINE_SOAK"))
	if err != nil {
		t.Skip("BYLINE_SOAK says for how long, like 15m; see make soak")
	}
	var accounts []string
	for i := range soakAccounts {
		accounts = append(accounts, fmt.Sprintf("agent-%02d", i))
	}
	e := newCrashEnv(t, "lease: {wait: 5s}\naudit: {segment_bytes: 4000000}\n", accounts...)
	e.WriteFile("adapters.d/ledger.yaml", fmt.Sprintf(soakAdapter, e.app.URL))
	e.Start()
	for range longTasks {
		e.long = append(e.long, e.load.createTask())
	}

	ctx, stop := context.WithTimeout(context.Background(), length)
	defer stop()
	var counts soakTraffic
	var agents sync.WaitGroup
	agents.Go(func() { e.runSoakTraffic(ctx, &counts) })
	samples, reloads, rotations := e.runSoak(t, ctx, length)
	agents.Wait()

	t.Logf("%d requests carried (%v), %d with a broken end, refusals %v; %d uploads, %d WebSockets with %d messages (%d did not open), %d refused, %d wrong tokens; "+
		"%d logins, %d sessions ended by the application; %d tasks created, %d ended; %d reloads, %d changes of the key\n%s",
		len(e.load.records), e.load.protocols, e.load.broken, e.load.refusals, counts.uploads.Load(), counts.sockets.Load(), counts.messages.Load(), counts.failedSockets.Load(), counts.refused.Load(), counts.badTokens.Load(),
		e.app.countLogins(), counts.sessionsEnded.Load(), len(e.load.created), len(e.load.ended), reloads, rotations, soakTable(samples))
	counts.failures.Range(func(what, err any) bool {
		t.Errorf("%v: %v", what, err)
		return true
	})
	for what, n := range map[string]int64{"uploads": counts.uploads.Load(), "WebSockets": counts.sockets.Load(), "refusals": counts.refused.Load(), "ended tasks": int64(len(e.load.ended))} {
		if n < int64(length/(10*time.Second)) {
			t.Errorf("there were %d %s, too few to show anything about them", n, what)
		}
	}
	checkFlat(t, samples)

	e.Stop()
	if e.auditKey, err = audit.LoadPublicKey(filepath.Join(e.Dir, "data", "audit.key.pub")); err != nil {
		t.Fatal(err)
	}
	e.verifyStoppedLog(t)
}

// runSoak samples the server, reloads it and changes the record's key until ctx is
// done.
func (e *crashEnv) runSoak(t *testing.T, ctx context.Context, length time.Duration) (samples []soakSample, reloads, rotations int) {
	began := time.Now()
	reloadDue, rotationDue := soakReload, soakRotation
	sampleDue := length / (soakSamples + 1)
	for ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
		at := time.Since(began)
		if at > reloadDue {
			reloadDue += soakReload
			reloads++
			logged := e.Reload(func() {
				e.WriteFile("adapters.d/ledger.yaml", fmt.Sprintf(soakAdapter, e.app.URL)+fmt.Sprintf("# change %d\n", reloads))
			})
			if strings.Contains(logged, "not reloaded") {
				t.Errorf("not reloaded: %s", logged)
			}
		}
		if at > rotationDue {
			rotationDue += soakRotation
			rotations++
			if r := e.Byline("audit", "rotate"); r.Code != 0 {
				t.Errorf("byline audit rotate: %v", r)
			}
		}
		if at > sampleDue && len(samples) < soakSamples {
			sampleDue += length / (soakSamples + 1)
			s := e.sampleServer(t)
			s.at = at
			samples = append(samples, s)
		}
	}
	return samples, reloads, rotations
}

// sampleServer reads the server's metrics. The heap is what the last garbage collection
// found in use, the least of several readings, so that requests in flight count little.
func (e *crashEnv) sampleServer(t *testing.T) (s soakSample) {
	t.Helper()
	for range 8 {
		status, text, err := e.load.callControlAPI(http.MethodGet, "/metrics", nil)
		if err != nil || status != http.StatusOK {
			t.Fatalf("GET /metrics: status %d, error %v", status, err)
		}
		values := readMetrics(text)
		for i, least := range []*float64{&s.heap, &s.rss, &s.goroutines, &s.descriptors} {
			if v := values[soakMetrics[i]]; *least == 0 || v < *least {
				*least = v
			}
		}
		s.records = values[soakMetrics[4]]
		time.Sleep(100 * time.Millisecond)
	}

	e.load.mu.Lock()
	defer e.load.mu.Unlock()
	s.tasks = float64(len(e.load.ended))
	return s
}

// readMetrics reads the metrics without labels of the text format of Prometheus.
func readMetrics(text []byte) map[string]float64 {
	values := map[string]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = v
		}
	}
	return values
}

func soakTable(samples []soakSample) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "AFTER\tLIVE HEAP MB\tRSS MB\tGOROUTINES\tDESCRIPTORS\tRECORDS\tENDED TASKS")
	for _, s := range samples {
		fmt.Fprintf(w, "%s\t%.2f\t%.1f\t%.0f\t%.0f\t%.0f\t%.0f\n", s.at.Round(time.Second), s.heap/(1<<20), s.rss/(1<<20), s.goroutines, s.descriptors, s.records, s.tasks)
	}
	_ = w.Flush()
	return b.String()
}

// checkFlat compares the third and the fourth quarter of the samples.
func checkFlat(t *testing.T, samples []soakSample) {
	t.Helper()
	quarter := len(samples) / 4
	if quarter == 0 {
		t.Fatalf("%d samples: too few to compare", len(samples))
	}
	growth := func(value func(soakSample) float64) (before, after float64) {
		mean := func(of []soakSample) (sum float64) {
			for _, s := range of {
				sum += value(s)
			}
			return sum / float64(len(of))
		}
		return mean(samples[2*quarter : 3*quarter]), mean(samples[3*quarter : 4*quarter])
	}

	tasksBefore, tasksAfter := growth(func(s soakSample) float64 { return s.tasks })
	kept := (tasksAfter - tasksBefore) * maxBytesPerEndedTask
	for _, c := range []struct {
		what  string
		value func(soakSample) float64
		room  float64
	}{
		{"live heap", func(s soakSample) float64 { return s.heap }, kept + 2<<20},
		{"RSS", func(s soakSample) float64 { return s.rss }, 2*kept + 8<<20},
		{"goroutines", func(s soakSample) float64 { return s.goroutines }, 10},
		{"descriptors", func(s soakSample) float64 { return s.descriptors }, 10},
	} {
		if before, after := growth(c.value); after > before+c.room {
			t.Errorf("%s grew from %.0f to %.0f while %.0f tasks ended, want at most %.0f more", c.what, before, after, tasksAfter-tasksBefore, c.room)
		}
	}
}
