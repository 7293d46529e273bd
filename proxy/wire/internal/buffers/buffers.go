package buffers

import "sync"

// page holds most answers that are not files.
type Page [4 << 10]byte

var pages = sync.Pool{New: func() any { return new(Page) }}

type Buffer [32 << 10]byte

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

func GetPage() *Page  { return pages.Get().(*Page) }
func PutPage(p *Page) { pages.Put(p) }

func GetBuffer() *Buffer  { return buffers.Get().(*Buffer) }
func PutBuffer(b *Buffer) { buffers.Put(b) }
