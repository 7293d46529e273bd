package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// soakSample is what the server says of itself at one moment.
type soakSample struct {
	at                            time.Duration
	heap, goroutines, descriptors float64
	tasks                         int // that were ended so far
}

// soakMetrics are the metrics of a sample, in the order of its fields.
var soakMetrics = []string{"go_memstats_heap_inuse_bytes", "go_goroutines", "process_open_fds"}

const (
	soakSamples = 12
	// maxBytesPerEndedTask is what an ended task may keep: its view, what the log counts
	// of it, and the noise of the garbage collector.
	maxBytesPerEndedTask = 8 << 10
)

// TestSoak runs tasks one after the other for the time in BYLINE_SOAK and samples heap,
// goroutines and descriptors of the server. In the second half none may grow, but for
// what ended tasks keep for a day.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("BYLINE_SOAK"))
	if err != nil {
		t.Skip("BYLINE_SOAK says for how long, like 15m; see make soak")
	}
	e := newCrashEnv(t, "lease: {wait: 5s}\n", "agent-01", "agent-02", "agent-03", "agent-04", "agent-05", "agent-06")
	e.Start()
	for range longTasks {
		e.long = append(e.long, e.load.createTask())
	}

	ctx, stop := context.WithTimeout(context.Background(), length)
	defer stop()
	var agents sync.WaitGroup
	for _, a := range e.long {
		rng := e.forkRand()
		agents.Go(func() { a.sendUntilDone(ctx, rng) })
	}
	for range 2 {
		rng := e.forkRand()
		var unended []string
		agents.Go(func() { e.load.runShortTasks(ctx, rng, &unended) })
	}

	var samples []soakSample
	began := time.Now()
	for range soakSamples {
		time.Sleep(length / (soakSamples + 1))
		s := e.sampleServer(t)
		s.at = time.Since(began)
		samples = append(samples, s)
	}
	agents.Wait()

	t.Logf("%d requests, refusals %v\n%s", len(e.load.records), e.load.refusals, soakTable(samples))
	checkFlat(t, samples)
	e.Stop()
	e.verifyStoppedLog(t)
}

// sampleServer reads the server's metrics. The heap is the least of several readings:
// the collector runs between them.
func (e *crashEnv) sampleServer(t *testing.T) (s soakSample) {
	t.Helper()
	for range 8 {
		status, text, err := e.load.callControlAPI(http.MethodGet, "/metrics", nil)
		if err != nil || status != http.StatusOK {
			t.Fatalf("GET /metrics: status %d, error %v", status, err)
		}
		values := readMetrics(text)
		if s.heap == 0 || values[soakMetrics[0]] < s.heap {
			s.heap = values[soakMetrics[0]]
		}
		s.goroutines, s.descriptors = values[soakMetrics[1]], values[soakMetrics[2]]
		time.Sleep(100 * time.Millisecond)
	}

	e.load.mu.Lock()
	defer e.load.mu.Unlock()
	s.tasks = len(e.load.ended)
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
	fmt.Fprintln(w, "AFTER\tHEAP MB\tGOROUTINES\tDESCRIPTORS\tENDED TASKS")
	for _, s := range samples {
		fmt.Fprintf(w, "%s\t%.1f\t%.0f\t%.0f\t%d\n", s.at.Round(time.Second), s.heap/(1<<20), s.goroutines, s.descriptors, s.tasks)
	}
	_ = w.Flush()
	return b.String()
}

// checkFlat compares the third and the fourth quarter of the samples.
func checkFlat(t *testing.T, samples []soakSample) {
	t.Helper()
	quarter := len(samples) / 4
	third, fourth := samples[2*quarter:3*quarter], samples[3*quarter:]
	mean := func(of []soakSample, value func(soakSample) float64) (sum float64) {
		for _, s := range of {
			sum += value(s)
		}
		return sum / float64(len(of))
	}

	ended := mean(fourth, func(s soakSample) float64 { return float64(s.tasks) }) - mean(third, func(s soakSample) float64 { return float64(s.tasks) })
	heap := func(s soakSample) float64 { return s.heap }
	if grew := mean(fourth, heap) - mean(third, heap); grew > ended*maxBytesPerEndedTask+(4<<20) {
		t.Errorf("the heap grew by %.0f bytes while %.0f tasks ended, want at most %d for each and 4 MiB", grew, ended, maxBytesPerEndedTask)
	}
	for name, value := range map[string]func(soakSample) float64{
		"goroutines":  func(s soakSample) float64 { return s.goroutines },
		"descriptors": func(s soakSample) float64 { return s.descriptors },
	} {
		if before, after := mean(third, value), mean(fourth, value); after > 1.2*before+10 {
			t.Errorf("%s grew from %.0f to %.0f, want them flat", name, before, after)
		}
	}
}
