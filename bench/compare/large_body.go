package compare

import (
	"context"
	"errors"
	"time"

	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// LargeBody is the result of transferring one body that is larger than the memory
// that the proxy may use, through a fresh Byline.
type LargeBody struct {
	Direction string `json:"way"` // down or up
	Bytes     int64  `json:"bytes"`
	// Resident memory of the proxy in bytes: before the body (after a page and
	// 1 MiB went through the same tunnel), at its peak during the transfer, and
	// some seconds after it.
	Before int64 `json:"before"`
	Peak   int64 `json:"peak"`
	After  int64 `json:"after"`
	// CPU is the CPU time of the proxy in seconds per GiB, not normalized.
	// Seconds is how long the transfer took.
	CPU     float64 `json:"cpu"`
	Seconds float64 `json:"seconds"`
	Failed  string  `json:"failed,omitempty"` // why there are no figures
}

// Growth returns by how many bytes the resident memory grew.
func (b LargeBody) Growth() int64 { return b.Peak - b.Before }

// transferLargeBody transfers one body of o.Stream bytes. The receiver, agent or
// origin, counts its bytes.
func transferLargeBody(ctx context.Context, tb *peer.Testbed, direction string, o Options) LargeBody {
	b := LargeBody{Direction: direction, Bytes: o.Stream}
	if err := b.measure(ctx, tb, o); err != nil {
		b.Failed = err.Error()
	}
	return b
}

func (b *LargeBody) measure(ctx context.Context, tb *peer.Testbed, o Options) error {
	const slowest = 32 << 20 // bytes per second
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(b.Bytes/slowest)*time.Second)
	defer cancel()
	o.BigBytes = b.Bytes
	o.Workloads = []string{b.Direction}
	workloads, err := Workloads(o)
	if err != nil {
		return err
	}
	p, err := tb.Start(ctx, peer.Byline)
	if err != nil {
		return err
	}
	defer p.Stop()
	agents, err := prepareAgents(ctx, tb, p, workloads[0])
	if err != nil {
		return err
	}
	defer agents.cleanUp()
	if err := waitForMemory(ctx); err != nil {
		return err
	}

	b.Before, err = measure.Resident(p.PID())
	if err != nil {
		return err
	}
	cpuBefore, err := measure.ProcessCPU(p.PID())
	if err != nil {
		return err
	}
	stopWatching := measure.WatchResident(p.PID())
	began := time.Now()
	transferErr := agents.units[0]()
	b.Seconds = time.Since(began).Seconds()
	peak, watchErr := stopWatching()
	cpuAfter, cpuErr := measure.ProcessCPU(p.PID())
	if err := errors.Join(transferErr, watchErr, cpuErr); err != nil {
		return errors.Join(p.Err(), err)
	}
	b.Peak = max(peak, b.Before)
	b.CPU = (cpuAfter - cpuBefore).Seconds() / (float64(b.Bytes) / (1 << 30))

	if err := waitForMemory(ctx); err != nil {
		return err
	}
	b.After, err = measure.Resident(p.PID())
	return err
}
