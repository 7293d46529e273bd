package compare

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/byline-proxy/byline/bench/load"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// memorySettles is how long a process may take to return memory before its
// resident memory is read.
const memorySettles = 3 * time.Second

// Idle is the memory that idle tunnels use. Each tunnel carried one small request
// before.
type Idle struct {
	Peer    string `json:"peer"`
	Tunnels int    `json:"tunnels"`
	// BytesEach is the resident memory of the proxy per open tunnel.
	BytesEach float64 `json:"each"`
	// BytesLeft is how much more than before is resident after all tunnels are
	// closed, over all tunnels. Go returns memory slowly, see MoreBytesEach.
	BytesLeft float64 `json:"left"`
	// MoreBytesEach is how much more the tunnels use, per tunnel, when they are
	// opened a second time: what a closed tunnel never returns.
	MoreBytesEach float64 `json:"again"`
	Failed        string  `json:"failed,omitempty"` // why there are no figures
}

// ReturnedShare returns the share of the tunnels' memory that the proxy returned
// to the system within some seconds after they were closed.
func (i Idle) ReturnedShare() float64 { return 1 - i.BytesLeft/(i.BytesEach*float64(i.Tunnels)) }

// measureIdle measures all entries at the same time, each with its own process.
// Memory, unlike CPU time, is not affected by what else runs.
func measureIdle(ctx context.Context, tb *peer.Testbed, all []Idle) {
	var wg sync.WaitGroup
	for i := range all {
		p, err := tb.Start(ctx, all[i].Peer)
		if err != nil {
			all[i].Failed = err.Error()
			continue
		}
		wg.Go(func() {
			defer p.Stop()
			if err := all[i].measure(ctx, tb, p); err != nil {
				all[i].Failed = err.Error()
			}
		})
	}
	wg.Wait()
}

func (i *Idle) measure(ctx context.Context, tb *peer.Testbed, p *peer.Peer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(i.Tunnels)*40*time.Millisecond)
	defer cancel()

	// A few tunnels warm the process up; they are closed before its memory is read.
	warmUp, err := openTunnels(ctx, tb, p, 16)
	if err != nil {
		return errors.Join(p.Err(), err)
	}
	closeTunnels(warmUp)
	before, err := residentMemory(ctx, p)
	if err != nil {
		return err
	}

	var open, closed [2]float64 // resident memory with all tunnels open, and with all closed again
	for round := range open {
		tunnels, err := openTunnels(ctx, tb, p, i.Tunnels)
		if err != nil {
			return errors.Join(p.Err(), err)
		}
		open[round], err = residentMemory(ctx, p)
		closeTunnels(tunnels)
		if err != nil {
			return err
		}
		closed[round], err = residentMemory(ctx, p)
		if err != nil {
			return err
		}
	}
	n := float64(i.Tunnels)
	i.BytesEach = (open[0] - before) / n
	i.BytesLeft = closed[1] - before
	i.MoreBytesEach = (open[1] - open[0]) / n
	return nil
}

// residentMemory returns the resident memory of a peer once it has settled.
func residentMemory(ctx context.Context, p *peer.Peer) (float64, error) {
	if err := waitForMemory(ctx); err != nil {
		return 0, err
	}
	bytes, err := measure.Resident(p.PID())
	return float64(bytes), err
}

// waitForMemory waits until memory has settled, or ctx ends.
func waitForMemory(ctx context.Context) error {
	select {
	case <-time.After(memorySettles):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// openTunnels opens n tunnels, 16 at a time, and gets a small page in each. If
// one fails, it closes the others.
func openTunnels(ctx context.Context, tb *peer.Testbed, p *peer.Peer, n int) ([]*load.Tunnel, error) {
	tunnels := make([]*load.Tunnel, n)
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for lane := range errs {
		wg.Go(func() {
			for i := lane; i < n && errs[lane] == nil; i += len(errs) {
				tunnel, err := newAgent(tb, p, i).OpenTunnel(ctx)
				if err == nil {
					tunnels[i] = tunnel
					stop := context.AfterFunc(ctx, tunnel.Abort)
					err = tunnel.GetPage()
					stop()
				}
				if err != nil {
					errs[lane] = fmt.Errorf("tunnel %d: %w", i+1, err)
				}
			}
		})
	}
	wg.Wait()

	if err := errors.Join(errs...); err != nil {
		closeTunnels(tunnels)
		return nil, err
	}
	return tunnels, nil
}

func closeTunnels(tunnels []*load.Tunnel) {
	for _, tunnel := range tunnels {
		if tunnel != nil {
			tunnel.Close()
		}
	}
}
