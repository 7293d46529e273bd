package agents

import (
	"encoding/binary"
	"slices"

	"golang.org/x/net/http2"

	"github.com/byline-proxy/byline/proxy/wire"
)

// firstWindow is the receive window of a stream until its body is read. It is the one
// that agents assume before they know our settings (RFC 9113 section 6.9.2).
//
// The library fills the window of a stream before anybody asks for the body, and
// a request that waits for memory must not hold much already. So the settings that the
// library sends announce firstWindow instead of streamWindow, and the first read of
// the body widens the window to streamWindow. The library itself always accepts
// streamWindow, so firstWindow is enforced here.
const firstWindow = 1<<16 - 1

// streamWindows are the streams of a connection whose windows are not widened.
// mu of the h2Conn guards them.
type streamWindows struct {
	left map[uint32]int // bytes that the agent may still send, by stream; nil if our settings did not announce firstWindow
}

// announceFirstWindow replaces the window in the library's first frame, its SETTINGS,
// and returns the frame that is sent.
func (c *h2Conn) announceFirstWindow(p []byte) []byte {
	if len(p) < frameHeadSize {
		return p
	}
	f := parseFrameHead(p)
	if f.kind != http2.FrameSettings || len(p) < frameHeadSize+f.length {
		return p
	}

	p = slices.Clone(p)
	for setting := p[frameHeadSize : frameHeadSize+f.length]; len(setting) >= 6; setting = setting[6:] {
		if http2.SettingID(binary.BigEndian.Uint16(setting)) == http2.SettingInitialWindowSize {
			binary.BigEndian.PutUint32(setting[2:], firstWindow)
			c.mu.Lock()
			c.windows.left = map[uint32]int{}
			c.mu.Unlock()
		}
	}
	return p
}

// open notes a stream on which a body may come; mu is held.
func (w *streamWindows) open(stream uint32) {
	if w.left != nil {
		w.left[stream] = firstWindow
	}
}

// take notes n bytes on a stream, and reports whether its window allowed them; mu is
// held.
func (w *streamWindows) take(stream uint32, n int) bool {
	left, isNarrow := w.left[stream]
	if !isNarrow {
		return true
	}
	w.left[stream] = left - n
	return n <= left
}

// takeWindow refuses a DATA frame for which the stream's window has no room: the
// connection ends (RFC 9113 section 6.9.1).
func (c *h2Conn) takeWindow(f frameHead) {
	c.mu.Lock()
	fits := c.windows.take(f.stream, f.length)
	if f.endsStream() {
		delete(c.windows.left, f.stream)
	}
	c.mu.Unlock()

	if !fits {
		c.record(wire.Ambiguous("a stream of HTTP/2 brought more than its window allows (RFC 9113 section 6.9.1)"))
		c.ending.Store(true)
	}
}

// widenWindow lets the agent fill streamWindow.
func (c *h2Conn) widenWindow(stream uint32) {
	c.mu.Lock()
	_, isNarrow := c.windows.left[stream]
	delete(c.windows.left, stream)
	c.mu.Unlock()
	if !isNarrow {
		return
	}

	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.insert = appendFrameHead(c.insert, frameHead{length: 4, kind: http2.FrameWindowUpdate, stream: stream})
	c.insert = binary.BigEndian.AppendUint32(c.insert, streamWindow-firstWindow)
	if c.written.isBetweenFrames() { // otherwise Write inserts it
		_, _ = c.Conn.Write(c.insert) // the next write of the library fails likewise
		c.insert = c.insert[:0]
	}
}

// forgetWindow is called at the end of a stream.
func (c *h2Conn) forgetWindow(stream uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.windows.left, stream)
}
