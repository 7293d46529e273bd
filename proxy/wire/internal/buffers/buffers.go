// Package buffers keeps pools of byte arrays that are used for a short time and
// often: to read heads, to copy bodies, and to hold small bodies.
package buffers

import "sync"

// Page is the small size. Most heads and most bodies that are not files fit into it.
type Page [4 << 10]byte

// Buffer is the large size, for copying bodies.
type Buffer [32 << 10]byte

var (
	pagePool   = sync.Pool{New: func() any { return new(Page) }}
	bufferPool = sync.Pool{New: func() any { return new(Buffer) }}
)

// GetPage returns a Page with arbitrary content.
func GetPage() *Page { return pagePool.Get().(*Page) }

// PutPage gives p back. The caller must not use p afterwards.
func PutPage(p *Page) { pagePool.Put(p) }

// GetBuffer returns a Buffer with arbitrary content.
func GetBuffer() *Buffer { return bufferPool.Get().(*Buffer) }

// PutBuffer gives b back. The caller must not use b afterwards.
func PutBuffer(b *Buffer) { bufferPool.Put(b) }
