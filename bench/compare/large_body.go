package compare

import (
	"context"
	"errors"
	"time"

	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// Stream is one body, larger than the proxy's memory may ever be, through a
// fresh Byline.
type Stream struct {
	Way   string `json:"way"` // down, up
	Bytes int64  `json:"bytes"`
	// Resident memory of the proxy in bytes: before the body (after a page and a
	// MiB went through the same tunnel), at its highest while the body was on its
	// way, and some seconds after.
	Before int64 `json:"before"`
	Peak   int64 `json:"peak"`
	After  int64 `json:"after"`
	// CPU is seconds of the proxy a GiB, as measured; Seconds is how long the body took.
	CPU     float64 `json:"cpu"`
	Seconds float64 `json:"seconds"`
	Failed  string  `json:"failed,omitempty"`
}

// Growth is how many bytes more were resident at the highest than before.
func (s Stream) Growth() int64 { return s.Peak - s.Before }

// stream sends one body. The agent counts what comes down, the origin what goes up.
func stream(ctx context.Context, s *peer.Testbed, key string, o Options) Stream {
	out := Stream{Way: key, Bytes: o.Stream}
	if err := out.measure(ctx, s, o); err != nil {
		out.Failed = err.Error()
	}
	return out
}

func (out *Stream) measure(ctx context.Context, s *peer.Testbed, o Options) error {
	const slowest = 32 << 20 // bytes a second
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(out.Bytes/slowest)*time.Second)
	defer cancel()
	o.BigBytes, o.Works = out.Bytes, []string{out.Way}
	works, err := Works(o)
	if err != nil {
		return err
	}
	p, err := s.Start(ctx, peer.Byline)
	if err != nil {
		return err
	}
	defer p.Stop()
	_, units, leave, err := enter(ctx, s, p, works[0])
	if err != nil {
		return err
	}
	defer leave()
	if err := rest(ctx); err != nil {
		return err
	}
	if out.Before, err = measure.Resident(p.PID()); err != nil {
		return err
	}
	from, err := measure.ProcessCPU(p.PID())
	if err != nil {
		return err
	}
	highest := measure.WatchResident(p.PID())
	began := time.Now()
	err = units[0]()
	out.Seconds = time.Since(began).Seconds()
	peak, err2 := highest()
	to, err3 := measure.ProcessCPU(p.PID())
	if err := errors.Join(err, err2, err3); err != nil {
		return errors.Join(p.Err(), err)
	}
	out.Peak, out.CPU = max(peak, out.Before), (to-from).Seconds()/(float64(out.Bytes)/(1<<30))
	if err := rest(ctx); err != nil {
		return err
	}
	out.After, err = measure.Resident(p.PID())
	return err
}
