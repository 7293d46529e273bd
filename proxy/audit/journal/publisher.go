package journal

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// lastTilesTimeout bounds how long Close waits for the tiles of the last records.
// The publisher makes the missing ones after the next Open.
const lastTilesTimeout = 3 * time.Second

var errStopped = errors.New("stopped")

// publisher is what the committer and the publisher's goroutine share: how far
// the goroutine may read.
type publisher struct {
	wake      chan struct{} // capacity 1; target has changed
	quit      chan struct{} // closed by stop
	quitOnce  sync.Once
	stopped   chan struct{} // closed when the goroutine has ended
	published atomic.Int64  // lines that the published checkpoint covers; 0 if none was published yet

	mu        sync.Mutex
	target    audit.Position // after the newest durable checkpoint
	hasTarget bool
	err       error // why the tiles end before target; nil if nothing failed
}

func newPublisher() *publisher {
	return &publisher{
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
}

// advanceTo lets the publisher read up to target, which follows a durable
// checkpoint. It does not wait for the publisher.
func (p *publisher) advanceTo(target audit.Position) {
	p.mu.Lock()
	p.target = target
	p.hasTarget = true
	p.mu.Unlock()

	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *publisher) currentTarget() (target audit.Position, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.target, p.hasTarget
}

// stop tells the goroutine to end after the current target. The caller waits for
// stopped.
func (p *publisher) stop() {
	p.quitOnce.Do(func() { close(p.quit) })
}

func (p *publisher) setErr(err error) {
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
}

// quitErr returns errStopped once stop was called.
func (p *publisher) quitErr() error {
	select {
	case <-p.quit:
		return errStopped
	default:
		return nil
	}
}

// PublishErr returns why the tiles and the published checkpoint do not cover the
// newest durable checkpoint, or nil if nothing failed. Records are not affected:
// tiles are made from them, and the next attempt makes those that are missing.
func (l *Log) PublishErr() error {
	l.publisher.mu.Lock()
	defer l.publisher.mu.Unlock()

	return l.publisher.err
}

// runPublisher is the publisher. After each durable checkpoint it reads the new
// lines, writes full and partial tiles and publishes the checkpoint. When it
// ends it also ends the witnesses, which may sign the last checkpoint.
func (l *Log) runPublisher() {
	p := l.publisher
	defer close(p.stopped)
	defer l.witnesses.close()

	var t *audit.Tiler
	for {
		select {
		case <-p.wake:
			t = l.publish(t, p.quitErr)
		case <-p.quit:
			deadline := time.Now().Add(lastTilesTimeout)
			l.publish(t, func() error {
				if time.Now().After(deadline) {
					return errStopped
				}
				return nil
			})
			return
		}
	}
}

// publish brings the tiles to the current target and publishes the newest
// checkpoint. An error of interrupted ends it early. t is the result of the last
// call, nil the first time.
//
// publish returns the tiler for the next call, or nil if it failed. A tiler that
// failed must not be used again, so the next call opens one, which continues
// what is in the directory.
func (l *Log) publish(t *audit.Tiler, interrupted func() error) *audit.Tiler {
	target, ok := l.publisher.currentTarget()
	if !ok {
		return t
	}

	var err error
	if t == nil {
		t, err = l.cfg.Folders().OpenTiler(l.witnesses.tiles.Dir, false)
		t.PutCheckpoint = l.witnesses.publish
		if err == nil {
			l.witnesses.resume()
		}
	}
	if err == nil {
		err = l.advanceTiler(t, target, interrupted)
	}

	l.publisher.setErr(err)
	if err != nil {
		return nil
	}
	l.publisher.published.Store(int64(t.Published()))

	return t
}

// advanceTiler brings t to target with the leaf hashes that the committer
// computed or, if some of them are gone, from the segments.
func (l *Log) advanceTiler(t *audit.Tiler, target audit.Position, interrupted func() error) error {
	complete, err := l.writer.recent.take(t.Size(), target.Seq, t.AddLeaves)
	if err != nil {
		return err
	}
	if complete {
		return t.PublishUpTo(target)
	}

	return t.Advance(&target, func(int64, int64) error { return interrupted() })
}
