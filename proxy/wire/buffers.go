package wire

import "sync"

// page holds most answers that are not files.
type page [4 << 10]byte

var pages = sync.Pool{New: func() any { return new(page) }}

type buffer [32 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func getPage() *page  { return pages.Get().(*page) }
func putPage(p *page) { pages.Put(p) }

func getBuffer() *buffer  { return buffers.Get().(*buffer) }
func putBuffer(b *buffer) { buffers.Put(b) }
