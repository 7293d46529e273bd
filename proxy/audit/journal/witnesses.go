package journal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

// lastCosign bounds how long Close waits for witnesses to sign the last checkpoint.
const lastCosign = 2 * time.Second

// witnessing brings published checkpoints to the witnesses and their signatures
// back. Nothing waits for it: each witness has a goroutine of its own.
type witnessing struct {
	files  audit.Tiles
	quorum int
	alert  func(*audit.Record)
	done   sync.WaitGroup
	stop   context.CancelFunc
	client *http.Client
	all    []*witnessState

	witnessed atomic.Int64           // size of the newest checkpoint with a quorum
	cosigned  atomic.Pointer[string] // that checkpoint, until it is on record

	mu     sync.Mutex
	newest round
	ended  bool
}

// round is one checkpoint and the signature lines that came for it, by witness.
type round struct {
	signed string
	c      audit.Checkpoint
	lines  map[string]string
}

type witnessState struct {
	witness
	wake chan struct{} // capacity 1

	mu    sync.Mutex
	shown WitnessState
}

// WitnessState is how a witness does.
type WitnessState struct {
	Name string    `json:"name"`
	Size uint64    `json:"size"`            // records that it has signed last
	Time time.Time `json:"time,omitzero"`   // when
	Err  string    `json:"error,omitempty"` // why it has not signed the newest checkpoint
}

func startWitnessing(cfg Config, files audit.Tiles, alert func(*audit.Record)) *witnessing {
	ctx, stop := context.WithCancel(context.Background())
	w := &witnessing{files: files, quorum: max(cfg.Quorum, 1), alert: alert, stop: stop, client: newWitnessClient()}
	for _, one := range cfg.Witnesses {
		key, _ := audit.ParseWitnessKey(one.Key) // Check has looked
		s := &witnessState{witness: witness{url: strings.TrimRight(one.URL, "/"), key: key, http: w.client}, wake: make(chan struct{}, 1)}
		s.shown.Name = key.Name
		w.all = append(w.all, s)
		w.done.Go(func() { w.serve(ctx, s) })
	}
	return w
}

// publish puts a new checkpoint in place and wakes the witnesses. It is the
// tiler's.
func (w *witnessing) publish(signed string, c audit.Checkpoint) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.files.WriteFile(audit.CheckpointFile, []byte(signed)); err != nil {
		return err
	}
	w.begin(signed, c)
	return nil
}

// resume goes on with what an earlier run published.
func (w *witnessing) resume() {
	signed, c, err := w.files.Checkpoint()
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.newest.signed != "" {
		return
	}
	text, sigs, _ := audit.SplitNote(signed)
	own := ""
	for line := range strings.Lines(sigs) {
		if strings.HasPrefix(line, audit.SignaturePrefix+c.Origin+" ") {
			own += line
		}
	}
	w.begin(text+"\n"+own, c)
	for _, s := range w.all {
		if line, _, err := s.key.FindSignature(text, sigs); err == nil {
			w.newest.lines[s.key.Name] = line
		}
	}
}

// begin begins a round. Callers hold mu.
func (w *witnessing) begin(signed string, c audit.Checkpoint) {
	w.newest = round{signed, c, map[string]string{}}
	for _, s := range w.all {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// close lets the witnesses sign the last checkpoint, for a short while.
func (w *witnessing) close() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	timer := time.AfterFunc(lastCosign, w.stop)
	for _, s := range w.all {
		close(s.wake)
	}
	w.done.Wait()
	timer.Stop()
	w.stop()
	w.client.CloseIdleConnections()
}

// serve brings one witness each newest checkpoint, and again after a while what
// it did not sign.
func (w *witnessing) serve(ctx context.Context, s *witnessState) {
	rest := witnessRetry
	said := ""
	for {
		signed, c := w.current()
		err := w.round(ctx, s, signed, c)
		if code := alertCode(err); code != "" && code != said {
			w.alert(&audit.Record{Kind: "alert", Code: code, Detail: fmt.Sprintf("witness %s: %v", s.key.Name, err)})
			said = code
		}
		if w.isEnded() && (err != nil || w.isNewest(c)) {
			return
		}
		wait := time.Duration(1<<63 - 1)
		if err != nil {
			wait, rest = rest, min(2*rest, witnessRests)
		} else {
			rest, said = witnessRetry, ""
		}
		timer := time.NewTimer(wait)
		select {
		case <-s.wake: // also when it is closed: one last round
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// alertCode is that of the alert that an error deserves; "": none.
func alertCode(err error) string {
	switch {
	case errors.Is(err, errAhead):
		return "rolled_back"
	case errors.Is(err, errForked):
		return "forked"
	case errors.Is(err, errLies):
		return "witness_lies"
	case errors.Is(err, errUnkept), errors.Is(err, errNoKey):
		return "witness_refuses"
	}
	return ""
}

func (w *witnessing) current() (string, audit.Checkpoint) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest.signed, w.newest.c
}

func (w *witnessing) isEnded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

func (w *witnessing) isNewest(c audit.Checkpoint) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.newest.c == c
}

func (w *witnessing) round(ctx context.Context, s *witnessState, signed string, c audit.Checkpoint) error {
	if signed == "" {
		return nil // nothing is published yet
	}
	line, err := s.cosign(ctx, signed, c, w.files)
	if err == nil {
		err = w.add(s.key.Name, c, line)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.shown.Err = err.Error()
		return err
	}
	s.shown = WitnessState{Name: s.key.Name, Size: c.Size, Time: time.Now().UTC()}
	return nil
}

// add takes a signature of the checkpoint c. One that came too late for its
// checkpoint is of no use: the newer one will be signed, too.
func (w *witnessing) add(name string, c audit.Checkpoint, line string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.newest.c != c {
		return nil
	}
	w.newest.lines[name] = line
	signed := w.newest.signed
	for _, s := range w.all {
		signed += w.newest.lines[s.key.Name]
	}
	if err := w.files.WriteFile(audit.CheckpointFile, []byte(signed)); err != nil {
		return err
	}
	if len(w.newest.lines) < w.quorum {
		return nil
	}
	w.cosigned.Store(&signed)
	w.witnessed.Store(int64(c.Size))
	return w.files.WriteFile(audit.WitnessedFile, []byte(signed))
}

// states are the witnesses as they stand.
func (w *witnessing) states() (all []WitnessState) {
	for _, s := range w.all {
		s.mu.Lock()
		all = append(all, s.shown)
		s.mu.Unlock()
	}
	return slices.Clip(all)
}
