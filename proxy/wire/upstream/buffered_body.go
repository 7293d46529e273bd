package upstream

import (
	"io"
	"sync"

	"github.com/byline-proxy/byline/proxy/wire"
	"github.com/byline-proxy/byline/proxy/wire/internal/buffers"
)

// bufferedBody is a body that was read whole. Its memory is reused after Close, so
// a Read during or after Close must find nothing; mu ensures that.
type bufferedBody struct {
	mu   sync.Mutex
	left []byte        // what Read has not returned yet
	page *buffers.Page // holds left; nil if left is not pooled
}

// newBufferedBody returns a body with n bytes of memory in left, which the caller
// fills.
func newBufferedBody(n int64) *bufferedBody {
	b := &bufferedBody{}
	if n > int64(len(buffers.Page{})) {
		b.left = make([]byte, n)
		return b
	}

	b.page = buffers.GetPage()
	b.left = b.page[:n]
	return b
}

func (b *bufferedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.left) == 0 && len(p) > 0 {
		return 0, io.EOF
	}

	n := copy(p, b.left)
	b.left = b.left[n:]
	if len(b.left) == 0 {
		return n, io.EOF
	}
	return n, nil
}

var _ wire.WholeBody = (*bufferedBody)(nil)

// Rest is for the time before the body is passed on, when nobody reads or closes it.
func (b *bufferedBody) Rest() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left
}

// Close may be called more than once, and concurrently with Read.
func (b *bufferedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = nil
	if b.page != nil {
		buffers.PutPage(b.page)
		b.page = nil
	}
	return nil
}
