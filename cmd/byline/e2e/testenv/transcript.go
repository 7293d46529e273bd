package testenv

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
)

// transcript keeps everything that agents and operators were shown.
type transcript struct {
	mu      sync.Mutex
	entries []transcriptEntry
}

type transcriptEntry struct {
	source string // such as "the body of an answer"
	text   []byte
}

func (tr *transcript) add(source, text string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.entries = append(tr.entries, transcriptEntry{source, []byte(text)})
}

// addHead adds the status and the header of an answer.
func (tr *transcript) addHead(resp *http.Response) {
	var b bytes.Buffer
	b.WriteString(resp.Status + "\n")
	_ = resp.Header.Write(&b)
	tr.add("the head of an answer", b.String())
}

// addTrailers adds the trailers of an answer whose body was read. It does not
// use tr if there are none.
func (tr *transcript) addTrailers(resp *http.Response) {
	if len(resp.Trailer) == 0 {
		return
	}
	var b bytes.Buffer
	_ = resp.Trailer.Write(&b)
	tr.add("the trailers of an answer", b.String())
}

// keepBody returns a body that adds what is read of it to the transcript, as
// one entry.
func (tr *transcript) keepBody(body io.ReadCloser) io.ReadCloser {
	return &keptBody{ReadCloser: body, transcript: tr, entry: -1}
}

// all returns a copy of the entries.
func (tr *transcript) all() []transcriptEntry {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.entries)
}

type keptBody struct {
	io.ReadCloser
	transcript *transcript
	entry      int // index in transcript.entries; -1 until the first Read
}

func (k *keptBody) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)

	k.transcript.mu.Lock()
	defer k.transcript.mu.Unlock()
	if k.entry < 0 {
		k.entry = len(k.transcript.entries)
		k.transcript.entries = append(k.transcript.entries, transcriptEntry{source: "the body of an answer"})
	}
	e := &k.transcript.entries[k.entry]
	e.text = append(e.text, p[:n]...)
	return n, err
}
