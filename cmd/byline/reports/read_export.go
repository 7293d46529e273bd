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
)

// The formats of an export.
const (
	FormatCSV       = "csv"   // with a heading that names the columns
	FormatJSONLines = "jsonl" // one JSON object a line, or one array of them
	FormatText      = "text"  // lines that log.line of the adapter reads
)

const (
	maxExportLine = 16 << 20 // bytes of a line
	maxJoined     = 1 << 20  // bytes of an entry of several lines
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
	if !strings.Contains(timeColumn, "${") && !containsText(heading, timeColumn) {
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

// readJSON reads JSON lines, an array, or values that take several lines each.
func (e *exportReader) readJSON() error {
	for {
		next, err := e.in.Peek(1)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !bytes.Contains([]byte(" \t\r\n"), next) {
			break
		}
		if next[0] == '\n' {
			e.line++
		}
		_, _ = e.in.Discard(1)
	}

	head, _ := e.in.Peek(1 << 16) // what is there, if it is less
	line, _, isWhole := bytes.Cut(head, []byte{'\n'})
	switch {
	case head[0] == '[':
		return e.readArray()
	case isWhole && !json.Valid(line) && bytes.ContainsAny(line[len(bytes.TrimRight(line, " \r"))-1:], "{[,"):
		return e.readValues()
	}
	return e.eachLine(func(line string) {
		if strings.TrimSpace(line) != "" {
			e.addJSON([]byte(line), e.where(e.line))
		}
	})
}

// addJSON adds what a value holds.
func (e *exportReader) addJSON(value []byte, where string) {
	items, err := e.history.Reader().ReadJSON(value)
	if err != nil {
		e.history.AddUnreadable(where, err.Error())
		return
	}
	for i, item := range items {
		if len(items) > 1 {
			e.history.Add(item, fmt.Sprintf("%s item %d", where, i+1))
		} else {
			e.history.Add(item, where)
		}
	}
}

// readArray reads an array, item by item.
func (e *exportReader) readArray() error {
	d := json.NewDecoder(e.in)
	if _, err := d.Token(); err != nil {
		return err
	}
	for n := 1; d.More(); n++ {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("item %d: %w", n, err)
		}
		e.addJSON(value, fmt.Sprintf("%s item %d", e.name, n))
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more after the array")
	}
	return nil
}

// readValues reads values one after the other.
func (e *exportReader) readValues() error {
	d := json.NewDecoder(e.in)
	for n := 1; ; n++ {
		var value json.RawMessage
		err := d.Decode(&value)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("value %d: %w", n, err)
		}
		e.addJSON(value, fmt.Sprintf("%s value %d", e.name, n))
	}
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
