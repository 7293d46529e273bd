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

// settle is how long memory is given to come to rest before it is read.
const settle = 3 * time.Second

// Idle is the memory that tunnels without work hold. Each carried one small
// request first.
type Idle struct {
	Peer    string `json:"peer"`
	Tunnels int    `json:"tunnels"`
	// Each is resident memory of the proxy per open tunnel, in bytes.
	Each float64 `json:"each"`
	// Left is how much more than before is resident after all were closed, in
	// bytes, over all tunnels. Go gives memory back slowly: see Again.
	Left float64 `json:"left"`
	// Again is how much more the same tunnels take, per tunnel, when they are
	// opened a second time: what a closed tunnel never gives back.
	Again  float64 `json:"again"`
	Failed string  `json:"failed,omitempty"`
}

// Back is the part of what the tunnels took that was given back to the system
// some seconds after they were closed.
func (i Idle) Back() float64 { return 1 - i.Left/(i.Each*float64(i.Tunnels)) }

// idle measures a fresh process for each of all, at the same time: it is memory
// that counts here, which no neighbour takes away.
func idle(ctx context.Context, s *peer.Testbed, all []Idle) {
	var running sync.WaitGroup
	for i := range all {
		p, err := s.Start(ctx, all[i].Peer)
		if err != nil {
			all[i].Failed = err.Error()
			continue
		}
		running.Go(func() {
			defer p.Stop()
			if err := all[i].measure(ctx, s, p); err != nil {
				all[i].Failed = err.Error()
			}
		})
	}
	running.Wait()
}

func (out *Idle) measure(ctx context.Context, s *peer.Testbed, p *peer.Peer) error {
	n := out.Tunnels
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(n)*40*time.Millisecond)
	defer cancel()
	var at [5]float64 // warm, first filled, first closed, again filled, again closed
	for i, count := range []int{16, n, 0, n, 0} {
		tunnels, err := fill(ctx, s, p, count)
		if err != nil {
			return errors.Join(p.Err(), err)
		}
		if i == 0 { // the warm-up is closed before it is read
			drain(tunnels)
			tunnels = nil
		}
		if err := rest(ctx); err != nil {
			return err
		}
		resident, err := measure.Resident(p.PID())
		if err != nil {
			return err
		}
		at[i] = float64(resident)
		drain(tunnels)
	}
	out.Each, out.Left, out.Again = (at[1]-at[0])/float64(n), at[4]-at[0], (at[3]-at[1])/float64(n)
	return nil
}

func rest(ctx context.Context) error {
	select {
	case <-time.After(settle):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fill opens n tunnels, 16 at a time.
func fill(ctx context.Context, s *peer.Testbed, p *peer.Peer, n int) ([]*load.Tunnel, error) {
	tunnels := make([]*load.Tunnel, n)
	errs := make([]error, 16)
	var all sync.WaitGroup
	for lane := range errs {
		all.Go(func() {
			for i := lane; i < n && errs[lane] == nil; i += len(errs) {
				t, err := newAccess(s, p, i).OpenTunnel(ctx)
				if err == nil {
					tunnels[i] = t
					stop := context.AfterFunc(ctx, t.Abort)
					err = t.GetPage()
					stop()
				}
				if err != nil {
					errs[lane] = fmt.Errorf("tunnel %d: %w", i+1, err)
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		drain(tunnels)
		return nil, err
	}
	return tunnels, nil
}

func drain(tunnels []*load.Tunnel) {
	for _, t := range tunnels {
		if t != nil {
			t.Close()
		}
	}
}
