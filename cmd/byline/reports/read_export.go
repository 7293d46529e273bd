package reports

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/byline-proxy/byline/adapters"
)

// The formats of an export.
const (
	FormatCSV       = "csv"   // with a heading that names the columns
	FormatJSONLines = "jsonl" // one JSON object a line, or one array of them
	FormatText      = "text"  // lines that log.line of the adapter reads
)

const (
	maxExportLine = 4 << 20 // bytes of a line
	maxJoined     = 1 << 20 // bytes of an entry of several lines
)

// ReadExport reads an application's history from a file into h. name is the file, for
// findings, and columns what must be among the columns of a CSV. What cannot be read is
// added to h as such; an error means that the rest of the file was not read.
func ReadExport(in io.Reader, name, format, timeColumn string, h *History) error {
	b := bufio.NewReaderSize(in, 1<<16)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = b.Discard(3) // spreadsheets begin with a byte order mark
	}

	e := &exportReader{in: b, name: name, history: h}
	switch format {
	case FormatText:
		return e.readText()
	case FormatJSONLines:
		return e.readJSON()
	}
	return e.readCSV(timeColumn)
}

// exportReader reads one file.
type exportReader struct {
	in      *bufio.Reader
	name    string
	history *History
	line    int // number of the last line that was read
}

func (e *exportReader) where(line int) string { return fmt.Sprintf("%s line %d", e.name, line) }

func (e *exportReader) readCSV(timeColumn string) error {
	r := csv.NewReader(e.in)
	r.ReuseRecord = true
	r.Comma = e.separator()
	first, err := r.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty; a heading was expected")
	}
	if err != nil {
		return err
	}
	heading := make([]string, len(first))
	for i, column := range first {
		heading[i] = strings.Clone(column)
	}
	if !containsText(heading, timeColumn) {
		return fmt.Errorf("line 1: the heading has no column %q, which log.entry.time of the adapter names", timeColumn)
	}

	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			e.history.AddUnreadable(e.where(bad.Line), bad.Err.Error())
			continue
		}
		if err != nil {
			return err
		}

		item := make(map[string]string, len(row))
		for i, cell := range row {
			item[heading[i]] = cell
		}
		line, _ := r.FieldPos(0)
		e.history.Add(item, e.where(line))
	}
}

// separator returns what separates the columns: the one of comma, semicolon and tab that
// the heading has most of.
func (e *exportReader) separator() rune {
	head, _ := e.in.Peek(4096) // what is there, if it is less
	head, _, _ = bytes.Cut(head, []byte{'\n'})
	best, most := ',', bytes.Count(head, []byte{','})
	for _, c := range []byte{';', '\t'} {
		if n := bytes.Count(head, []byte{c}); n > most {
			best, most = rune(c), n
		}
	}
	return best
}

func containsText(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// readJSON reads JSON lines, or an array.
func (e *exportReader) readJSON() error {
	for {
		c, err := e.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if c == '[' {
			return e.readArray()
		}
		if !bytes.ContainsRune([]byte(" \t\r\n"), rune(c)) {
			break
		}
		if c == '\n' {
			e.line++
		}
	}
	if err := e.in.UnreadByte(); err != nil {
		return err
	}

	return e.eachLine(func(line string) {
		if strings.TrimSpace(line) == "" {
			return
		}
		item, err := adapters.FlattenLine([]byte(line))
		if err != nil {
			e.history.AddUnreadable(e.where(e.line), err.Error())
			return
		}
		e.history.Add(item, e.where(e.line))
	})
}

// readArray reads the rest of an array whose bracket was read.
func (e *exportReader) readArray() error {
	d := json.NewDecoder(io.MultiReader(strings.NewReader("["), e.in))
	if _, err := d.Token(); err != nil {
		return err
	}
	for n := 1; d.More(); n++ {
		var text json.RawMessage
		if err := d.Decode(&text); err != nil {
			return fmt.Errorf("item %d: %w", n, err)
		}
		where := fmt.Sprintf("%s item %d", e.name, n)
		item, err := adapters.FlattenLine(text)
		if err != nil {
			e.history.AddUnreadable(where, err.Error())
			continue
		}
		e.history.Add(item, where)
	}
	_, err := d.Token()
	return err
}

// readText reads lines by log.line. Lines that continue an entry are joined to it.
func (e *exportReader) readText() error {
	reader := e.history.Reader()
	var joined strings.Builder
	first := 0
	flush := func() {
		if first == 0 {
			return
		}
		e.addText(joined.String(), first)
		joined.Reset()
		first = 0
	}

	err := e.eachLine(func(line string) {
		if first > 0 && reader.Continues(line) {
			if joined.Len() < maxJoined {
				joined.WriteByte('\n')
				joined.WriteString(line)
			}
			return
		}
		flush()
		if strings.TrimSpace(line) != "" {
			joined.WriteString(line)
			first = e.line
		}
	})
	flush()
	return err
}

// addText adds an entry of a text, which begins at a line.
func (e *exportReader) addText(text string, line int) {
	where := e.where(line)
	if len(text) >= maxJoined {
		e.history.AddUnreadable(where, "the entry is too long")
		return
	}
	item, ok := e.history.Reader().ReadLine(text)
	if !ok && !e.history.Reader().IsIgnored(item) {
		e.history.AddUnreadable(where, "no expression of log.line matches")
		return
	}
	e.history.Add(item, where)
}

// eachLine calls do with each line, without its end. Lines that are too long are added as
// unreadable.
func (e *exportReader) eachLine(do func(line string)) error {
	var buf []byte
	tooLong := false
	for {
		part, err := e.in.ReadSlice('\n')
		if len(buf)+len(part) > maxExportLine {
			tooLong = true
		} else {
			buf = append(buf, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}

		if len(buf) > 0 || tooLong {
			e.line++
			if tooLong {
				e.history.AddUnreadable(e.where(e.line), "the line is too long")
			} else {
				do(string(bytes.TrimRight(buf, "\r\n")))
			}
		}
		buf, tooLong = buf[:0], false
		if err != nil {
			return nil
		}
	}
}
