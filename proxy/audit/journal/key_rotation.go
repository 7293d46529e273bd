package journal

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
	"github.com/byline-proxy/byline/proxy/internal/durable"
)

// nextKey is the suffix of a signing key that is to take over.
const nextKey = ".next"

type keyChange struct {
	key  ed25519.PrivateKey
	done chan error // capacity 1
}

// ChangeKey lets another key sign from now on. A record signed by both keys
// announces it, so that who has the key so far follows. Once ChangeKey has
// returned nil, that record is durable and only the new key opens the log. On
// error the old key stays, unless the process ends before the log has recovered:
// then [FinishKeyChange] tells.
func (l *Log) ChangeKey(key ed25519.PrivateKey) error {
	c := &keyChange{key, make(chan error, 1)}
	select {
	case l.changes <- c:
		return <-c.done
	case <-l.closing:
		return fmt.Errorf("audit: change key: %w", errClosed)
	}
}

// changeKey is the committer's.
func (l *Log) changeKey(key ed25519.PrivateKey) error {
	from := l.w.st.seq
	if err := l.w.changeKey(key); err != nil {
		l.mu.Lock()
		l.failure = err
		l.mu.Unlock()
		l.failures.Add(1)
		return err
	}
	l.records.Add(int64(l.w.st.seq - from))
	l.durable.Store(l.w.st.seq)
	l.checkpointed(&l.w.st)
	return nil
}

func (w *writer) changeKey(key ed25519.PrivateKey) error {
	another, err := newSigner(w.origin, key)
	if err != nil {
		return err
	}
	if another.public().Key.Equal(w.pub.Key) {
		return nil
	}
	st := w.st
	if st.seq > 0 {
		w.begin()
		if err := w.trim(); err != nil {
			return err
		}
		if err := w.next(&st, another); err != nil {
			return err
		}
		if _, err := w.write(&st); err != nil {
			return err
		}
	}
	w.signer, w.pub = another, audit.PublicKey{Key: another.public().Key}
	return nil
}

// CreateNextKey writes a key that is to take over beside the one at path. A
// running server takes it up, or the next start does.
func CreateNextKey(path string) error {
	key, err := NewKey()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("next audit key: %w", err)
	}
	if err := writeKey(path+nextKey, key); err != nil {
		return fmt.Errorf("next audit key: %w", err)
	}
	return nil
}

// LoadNextKey is the key that is to take over; nil: none.
func LoadNextKey(path string) (ed25519.PrivateKey, error) {
	if _, err := os.Stat(path + nextKey); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return LoadKey(path + nextKey)
}

// InstallNextKey puts the next key in the place of the one at path, and its public key
// below those in path + ".pub", after the log has announced it.
func InstallNextKey(path string) error {
	next, err := LoadNextKey(path)
	if err != nil || next == nil {
		return err
	}
	pub := path + ".pub"
	text, err := os.ReadFile(pub)
	if err != nil {
		return fmt.Errorf("take over audit key: %w", err)
	}
	keys, err := audit.ParsePublicKeys(string(text))
	if err != nil {
		return fmt.Errorf("take over audit key: %s: %w", pub, err)
	}
	line := audit.PublicKey{Name: keys[0].Name, Key: next.Public().(ed25519.PublicKey)}.String() + "\n"
	if !strings.Contains(string(text), line) {
		text = append(append(bytes.TrimRight(text, "\n"), '\n'), line...)
		if err := durable.Replace(pub, text, 0o644, durable.Synced); err != nil {
			return fmt.Errorf("take over audit key: %w", err)
		}
	}
	if err := os.Rename(path+nextKey, path); err != nil {
		return fmt.Errorf("take over audit key: %w", err)
	}
	return durable.SyncDir(filepath.Dir(path))
}

// FinishKeyChange is for the start of a server: it finishes a change of keys that the
// log in dir announced before the files at path had followed, and returns the
// key that opens the log.
func FinishKeyChange(dir, path string) (ed25519.PrivateKey, error) {
	next, err := LoadNextKey(path)
	if err != nil {
		return nil, err
	}
	if next != nil {
		announced, err := lastAnnounced(dir)
		if err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		if k, err := audit.ParsePublicKey(announced); err == nil && k.Key.Equal(next.Public()) {
			if err := InstallNextKey(path); err != nil {
				return nil, err
			}
		}
	}
	return LoadKey(path)
}

// lastAnnounced is the verifier key that the log announced last; "": none.
func lastAnnounced(dir string) (key string, err error) {
	segs, err := segment.List(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		return "", err
	}
	for i := len(segs) - 1; i >= 0 && key == ""; i-- {
		err := segment.EachLine(segs[i].Path, func(line []byte) error {
			r, err := audit.ParseRecord(line)
			if err == nil {
				key, err = r.Key, segment.ErrStop
			}
			return err
		})
		if err != nil && !errors.Is(err, segment.ErrStop) {
			return "", err
		}
	}
	return key, nil
}
