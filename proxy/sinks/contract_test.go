package sinks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// sinkContract is what testSink needs of one kind of sink.
type sinkContract struct {
	// config names a destination that is up; testSink sets Name and Format.
	config Config
	// received returns the bodies that the destination has, in order. At the
	// first call that is none.
	received func(t *testing.T) []string
	// stop takes the destination down.
	stop func()
}

// testSink tests what every Sink guarantees. Call it from the test of each kind.
func testSink(t *testing.T, c sinkContract) {
	record := c.config
	s := openSink(t, record)
	want := []string{}
	wantReceived := func(what string) {
		t.Helper()
		if got := c.received(t); !slices.Equal(got, want) {
			t.Errorf("%s: the destination has %d bodies, want %d:\ngot  %.500q\nwant %.500q", what, len(got), len(want), got, want)
		}
	}
	wantReceived("before the first delivery")

	// All lines of a batch arrive unchanged and in order, batch after batch.
	for _, batch := range [][][]byte{testLines(100), testLines(1)} {
		deliver(t, s, batch)
		for _, line := range batch {
			want = append(want, string(line))
		}
		wantReceived(fmt.Sprintf("a batch of %d", len(batch)))
	}

	// In the other format each line is one OCSF event.
	ocsf := c.config
	ocsf.Format = formatOCSF
	deliver(t, openSink(t, ocsf), testLines(3))
	events, err := formatLines(formatOCSF, testLines(3))
	if err != nil {
		t.Fatal(err)
	}
	for _, event := range events {
		want = append(want, string(event))
	}
	wantReceived("a batch in OCSF")

	// Lines that are not records cannot be mapped, and nothing is sent.
	if err := openSink(t, ocsf).Deliver(t.Context(), [][]byte{[]byte("{")}); err == nil {
		t.Error("Deliver mapped a line that is not a record")
	}
	wantReceived("a line that is not a record")

	// A delivery ends soon after its context.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	if err := s.Deliver(ended, testLines(1)); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("Deliver returned %v after %s with a context that had ended", err, time.Since(began))
	}

	// A destination that is down is an error.
	c.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Deliver(ctx, testLines(1)); err == nil {
		t.Error("Deliver returned nil for a destination that is down")
	}
}

// testLines returns n records as they stand in a log.
func testLines(n int) (lines [][]byte) {
	for i := range n {
		lines = append(lines, fmt.Appendf(nil, `{"v":1,"seq":%d,"prev":"00","time":"2026-11-25T08:00:00.%06dZ","id":"r_%d","kind":"intent","instance":"eu-1",`+
			`"agent":"agent/triage","sponsor":"alice@acme.example","task":"t_1","adapter":"wiki","action":"page.edit","resource":"page/\"A\"]",`+
			`"method":"POST","host":"wiki.acme.example:443","path":"/index.php","account":"agent-01","decision":{"effect":"permit","policies":["scope[0]"]}}`, i, i, i))
	}
	return lines
}

// openSink opens the sink as a server does, and closes it after the test.
func openSink(t *testing.T, c Config) Sink {
	t.Helper()
	c.Name = "test"
	c.SetDefaults()
	if problems := c.Check(); len(problems) > 0 {
		t.Fatal(errors.Join(problems...))
	}
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func deliver(t *testing.T, s Sink, lines [][]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Deliver(ctx, lines); err != nil {
		t.Fatal(err)
	}
}
