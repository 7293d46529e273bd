package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

const (
	// lastCosignTimeout bounds how long Close waits for witnesses to sign the last
	// checkpoint.
	lastCosignTimeout = 2 * time.Second

	// The pause after a failed request doubles from minWitnessPause to
	// maxWitnessPause. A new checkpoint ends it.
	minWitnessPause = 5 * time.Second
	maxWitnessPause = 5 * time.Minute
)

// witnessPool asks the witnesses to sign published checkpoints and collects their
// signatures. Nothing waits for it: each witness has a goroutine.
type witnessPool struct {
	tiles     audit.Tiles
	quorum    int
	alert     func(*audit.Record) // puts an alert on record
	witnesses []*witness
	client    *http.Client
	cancel    context.CancelFunc // of all goroutines
	running   sync.WaitGroup

	witnessed atomic.Int64           // size of the newest checkpoint that a quorum signed
	cosigned  atomic.Pointer[string] // that checkpoint with the signatures, until the committer has put it on record

	mu     sync.Mutex // also held while the checkpoint files are written
	newest cosigning
	closed bool
}

// cosigning is a published checkpoint with the signatures that it has so far.
type cosigning struct {
	signed     string // the note as the log signed it; empty if nothing was published yet
	checkpoint audit.Checkpoint
	signatures map[string]string // signature lines by name of the witness
}

// witness is one witness. Its goroutine owns the client.
type witness struct {
	client witnessClient
	wake   chan struct{} // capacity 1; the newest checkpoint has changed. Closed by close

	mu    sync.Mutex
	state WitnessState
}

// WitnessState says which checkpoint a witness signed last.
type WitnessState struct {
	Name string    `json:"name"`
	Size uint64    `json:"size"`            // records that the checkpoint covers; 0 if it has signed none since Open
	Time time.Time `json:"time,omitzero"`   // when it signed
	Err  string    `json:"error,omitempty"` // why it has not signed the newest checkpoint
}

// startWitnesses starts a goroutine for each witness in cfg, which must be valid.
func startWitnesses(cfg Config, tiles audit.Tiles, alert func(*audit.Record)) *witnessPool {
	ctx, cancel := context.WithCancel(context.Background())
	p := &witnessPool{
		tiles:  tiles,
		quorum: max(cfg.Quorum, 1),
		alert:  alert,
		client: newWitnessHTTPClient(),
		cancel: cancel,
	}

	for _, configured := range cfg.Witnesses {
		key, _ := audit.ParseWitnessKey(configured.Key) // Config.Check has parsed it
		w := &witness{
			client: witnessClient{url: strings.TrimRight(configured.URL, "/"), key: key, http: p.client},
			wake:   make(chan struct{}, 1),
			state:  WitnessState{Name: key.Name},
		}
		p.witnesses = append(p.witnesses, w)
		p.running.Go(func() { p.serve(ctx, w) })
	}

	return p
}

// publish writes the checkpoint file and wakes the witnesses. The tiler calls it
// when the tiles of c are complete.
func (p *witnessPool) publish(signed string, c audit.Checkpoint) error {
	p.mu.Lock()
	defer p.mu.Unlock()

	if err := p.tiles.WriteFile(audit.CheckpointFile, []byte(signed)); err != nil {
		return err
	}
	p.startCosigning(signed, c)

	return nil
}

// resume continues with the checkpoint that an earlier run published, and with
// the signatures that it has. It does nothing if this run has published one.
func (p *witnessPool) resume() {
	published, c, err := p.tiles.Checkpoint()
	if err != nil {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest.signed != "" {
		return
	}

	text, signatures, _ := audit.SplitNote(published)
	logSignatures := ""
	for line := range strings.Lines(signatures) {
		if strings.HasPrefix(line, audit.SignaturePrefix+c.Origin+" ") {
			logSignatures += line
		}
	}
	p.startCosigning(text+"\n"+logSignatures, c)
	for _, w := range p.witnesses {
		key := w.client.key
		if line, _, err := key.FindSignature(text, signatures); err == nil {
			p.newest.signatures[key.Name] = line
		}
	}
}

// startCosigning makes c the newest checkpoint and wakes the witnesses. Callers
// hold mu.
func (p *witnessPool) startCosigning(signed string, c audit.Checkpoint) {
	p.newest = cosigning{signed, c, map[string]string{}}
	for _, w := range p.witnesses {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// close gives the witnesses lastCosignTimeout to sign the newest checkpoint, and
// ends their goroutines. The publisher calls it after its last publish.
func (p *witnessPool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()

	timer := time.AfterFunc(lastCosignTimeout, p.cancel)
	for _, w := range p.witnesses {
		close(w.wake)
	}
	p.running.Wait()

	timer.Stop()
	p.cancel()
	p.client.CloseIdleConnections()
}

// serve is the goroutine of one witness. It asks for a signature of the newest
// checkpoint whenever that changes, and again after a pause when the request
// failed. The alert for an error is recorded once until a request succeeds.
func (p *witnessPool) serve(ctx context.Context, w *witness) {
	pause := minWitnessPause
	alerted := ""
	for {
		signed, c := p.newestCheckpoint()
		err := p.cosign(ctx, w, signed, c)
		if code := alertCode(err); code != "" && code != alerted {
			p.alert(&audit.Record{Kind: "alert", Code: code, Detail: fmt.Sprintf("witness %s: %v", w.client.key.Name, err)})
			alerted = code
		}
		if p.isClosed() && (err != nil || p.isNewest(c)) {
			return
		}

		wait := time.Duration(math.MaxInt64)
		if err != nil {
			wait = pause
			pause = min(2*pause, maxWitnessPause)
		} else {
			pause = minWitnessPause
			alerted = ""
		}
		timer := time.NewTimer(wait)
		select {
		case <-w.wake: // closed: one last request
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// alertCode returns the code of the alert that err causes, or "" if it causes
// none.
func alertCode(err error) string {
	switch {
	case errors.Is(err, errAhead):
		return "rolled_back"
	case errors.Is(err, errForked):
		return "forked"
	case errors.Is(err, errBadAnswer):
		return "witness_lies"
	case errors.Is(err, errUnknownLog), errors.Is(err, errUntrustedKey):
		return "witness_refuses"
	}

	return ""
}

func (p *witnessPool) newestCheckpoint() (signed string, c audit.Checkpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.newest.signed, p.newest.checkpoint
}

func (p *witnessPool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.closed
}

func (p *witnessPool) isNewest(c audit.Checkpoint) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.newest.checkpoint == c
}

// cosign asks w to sign c, whose signed note is signed, and updates the state of
// w. It does nothing if signed is empty, because nothing was published yet.
func (p *witnessPool) cosign(ctx context.Context, w *witness, signed string, c audit.Checkpoint) error {
	if signed == "" {
		return nil
	}

	name := w.client.key.Name
	line, err := w.client.cosign(ctx, signed, c, p.tiles)
	if err == nil {
		err = p.addSignature(name, c, line)
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.state.Err = err.Error()
		return err
	}
	w.state = WitnessState{Name: name, Size: c.Size, Time: time.Now().UTC()}

	return nil
}

// addSignature adds the signature line of a witness to the files of the
// checkpoint c. It ignores a signature of an older checkpoint: the witness will
// sign the newer one too.
func (p *witnessPool) addSignature(name string, c audit.Checkpoint, line string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.newest.checkpoint != c {
		return nil
	}

	p.newest.signatures[name] = line
	signed := p.newest.signed
	for _, w := range p.witnesses {
		signed += p.newest.signatures[w.client.key.Name]
	}
	if err := p.tiles.WriteFile(audit.CheckpointFile, []byte(signed)); err != nil {
		return err
	}
	if len(p.newest.signatures) < p.quorum {
		return nil
	}

	p.cosigned.Store(&signed)
	p.witnessed.Store(int64(c.Size))

	return p.tiles.WriteFile(audit.WitnessedFile, []byte(signed))
}

// Witnesses returns the state of each witness, in the order of the configuration.
func (l *Log) Witnesses() (states []WitnessState) {
	for _, w := range l.witnesses.witnesses {
		w.mu.Lock()
		states = append(states, w.state)
		w.mu.Unlock()
	}

	return slices.Clip(states)
}
