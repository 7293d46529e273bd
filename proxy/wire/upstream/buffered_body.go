package upstream

import (
	"io"
	"sync"

	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
)

// kept is a body that was read whole. Its memory is used again once it is
// closed, so a Read beside or after Close must find nothing: hence the lock.
type kept struct {
	mu   sync.Mutex
	left []byte
	own  *buffers.Page // nil: left lies elsewhere
}

// newKept has room for n bytes in left, to be filled by the caller.
func newKept(n int64) *kept {
	k := &kept{}
	if n > int64(len(buffers.Page{})) {
		k.left = make([]byte, n)
		return k
	}
	k.own = buffers.GetPage()
	k.left = k.own[:n]
	return k
}

func (k *kept) Read(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.left) == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	n := copy(p, k.left)
	k.left = k.left[n:]
	if len(k.left) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// Close may be called again, and beside a Read.
func (k *kept) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left = nil; k.own != nil {
		buffers.PutPage(k.own)
		k.own = nil
	}
	return nil
}
