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

// A change of the signing key has three steps, each durable before the next:
//
//  1. CreateNextKey writes the next key to path + nextKeySuffix.
//  2. Log.ChangeKey announces the next key in the log. From then on it alone opens
//     the log.
//  3. InstallNextKey adds the next public key to path + ".pub" and renames the
//     next key to path.
//
// After a crash between two steps, FinishKeyChange finds out from the log whether
// step 2 was done, and if so makes step 3.

// nextKeySuffix ends the name of the file of the next signing key.
const nextKeySuffix = ".next"

// keyChange asks the committer to change the key.
type keyChange struct {
	key  ed25519.PrivateKey
	done chan error // capacity 1
}

// ChangeKey makes key sign the log from now on. A checkpoint that both keys sign
// announces it, so that whoever has the present public key can verify what
// follows. If the log cannot record at the moment, ChangeKey waits until it has
// recovered or is closed.
//
// When ChangeKey returns nil, the announcement is durable and only the new key
// opens the log. On error the old key continues to sign, unless the process ends
// before the log has recovered: the announcement may then be on the disk, and
// [FinishKeyChange] finds out. ChangeKey does nothing if key signs the log
// already.
func (l *Log) ChangeKey(key ed25519.PrivateKey) error {
	c := &keyChange{key, make(chan error, 1)}
	select {
	case l.keyChanges <- c:
		return <-c.done
	case <-l.closing:
		return fmt.Errorf("audit: change key: %w", errClosed)
	}
}

// changeKey is ChangeKey in the committer, which must repair the log after an
// error.
func (l *Log) changeKey(key ed25519.PrivateKey) error {
	from := l.writer.state.seq
	if err := l.writer.changeKey(key); err != nil {
		l.noteFailure(err)
		return err
	}
	l.noteOwnRecords(from)

	return nil
}

// changeKey starts a segment that announces key, makes it durable, and only then
// signs with key. A log without lines needs no announcement.
func (w *writer) changeKey(key ed25519.PrivateKey) error {
	newKey, err := newSigner(w.origin, key)
	if err != nil {
		return err
	}
	if newKey.public().Key.Equal(w.publicKey.Key) {
		return nil
	}

	st := w.state
	if st.seq > 0 {
		w.resetBuffer()
		if err := w.closeSegment(); err != nil {
			return err
		}
		if err := w.startSegment(&st, newKey); err != nil {
			return err
		}
		if _, err := w.writeBuffer(&st); err != nil {
			return err
		}
	}

	w.signer = newKey
	w.publicKey = audit.PublicKey{Key: newKey.public().Key}

	return nil
}

// CreateNextKey creates a signing key that will replace the one at path, which
// must exist. A running server takes it over, or else the next start does. The
// key is durable when CreateNextKey returns nil. It fails if a key is already
// waiting to be taken over.
func CreateNextKey(path string) error {
	key, err := NewKey()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("next audit key: %w", err)
	}

	if err := writeSigningKey(path+nextKeySuffix, key); err != nil {
		return fmt.Errorf("next audit key: %w", err)
	}

	return nil
}

// LoadNextKey returns the key that will replace the one at path, or nil if there
// is none.
func LoadNextKey(path string) (ed25519.PrivateKey, error) {
	if _, err := os.Stat(path + nextKeySuffix); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}

	return LoadKey(path + nextKeySuffix)
}

// InstallNextKey replaces the key at path by the next key and adds its public key
// as the last line of path + ".pub". It does nothing if there is no next key. The
// caller must have called [Log.ChangeKey] with the next key.
//
// Both files are durable when InstallNextKey returns nil. After an error or a
// crash it can be called again.
func InstallNextKey(path string) error {
	next, err := LoadNextKey(path)
	if err != nil || next == nil {
		return err
	}

	// The public key comes first: once the next key is renamed, nothing would tell
	// that its public key is missing.
	if err := addPublicKey(path+".pub", next); err != nil {
		return fmt.Errorf("install audit key: %w", err)
	}
	if err := os.Rename(path+nextKeySuffix, path); err != nil {
		return fmt.Errorf("install audit key: %w", err)
	}

	return durable.SyncDir(filepath.Dir(path))
}

// addPublicKey adds the public key of key to the file at path, under the name of
// the first key there, unless the file has it already.
func addPublicKey(path string, key ed25519.PrivateKey) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	keys, err := audit.ParsePublicKeys(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}

	line := audit.PublicKey{Name: keys[0].Name, Key: key.Public().(ed25519.PublicKey)}.String() + "\n"
	if strings.Contains(string(text), line) {
		return nil
	}
	text = append(bytes.TrimRight(text, "\n"), '\n')
	text = append(text, line...)

	return durable.ReplaceContent(path, text, 0o644, durable.Synced)
}

// FinishKeyChange returns the key that opens the log in dir, from the files at
// path. If the log announced the next key, FinishKeyChange first installs it. A
// server calls it at its start, before [Open].
func FinishKeyChange(dir, path string) (ed25519.PrivateKey, error) {
	next, err := LoadNextKey(path)
	if err != nil {
		return nil, err
	}
	if next == nil {
		return LoadKey(path)
	}

	announced, err := lastAnnouncedKey(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	key, err := audit.ParsePublicKey(announced)
	if err == nil && key.Key.Equal(next.Public()) {
		if err := InstallNextKey(path); err != nil {
			return nil, err
		}
	}

	return LoadKey(path)
}

// lastAnnouncedKey returns the verifier key that the log announced last, or "" if
// it announced none. An announcement is always the first line of a segment. The
// caller must not trust the key, because nothing was verified.
func lastAnnouncedKey(dir string) (key string, err error) {
	segments, err := segment.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}

	for i := len(segments) - 1; i >= 0 && key == ""; i-- {
		err := segments[i].EachLine(func(line []byte) error {
			r, err := audit.ParseRecord(line)
			if err != nil {
				return err
			}
			key = r.Key
			return segment.ErrStop
		})
		if err != nil && !errors.Is(err, segment.ErrStop) {
			return "", err
		}
	}

	return key, nil
}
