package reports

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/byline-proxy/byline/adapters"
)

// maxExportLine bounds a line of a JSON-lines export, in bytes.
const maxExportLine = 4 << 20

// ReadExport reads an application's history from a file. The format is csv, with a
// heading that names the columns, or jsonl, one JSON object a line. Errors name the line.
func ReadExport(in io.Reader, format string, log *adapters.HistorySpec) ([]adapters.HistoryEntry, error) {
	if format == "jsonl" {
		return readJSONLines(in, log)
	}
	return readCSV(in, log)
}

func readCSV(in io.Reader, log *adapters.HistorySpec) ([]adapters.HistoryEntry, error) {
	r := csv.NewReader(skipByteOrderMark(in))
	heading, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; a heading was expected")
	}
	if err != nil {
		return nil, err
	}

	var entries []adapters.HistoryEntry
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}

		item := make(map[string]string, len(row))
		for i, cell := range row {
			item[heading[i]] = cell
		}
		line, _ := r.FieldPos(0)
		entries, err = appendEntry(entries, log, item, line)
		if err != nil {
			return nil, err
		}
	}
}

func readJSONLines(in io.Reader, log *adapters.HistorySpec) ([]adapters.HistoryEntry, error) {
	lines := bufio.NewScanner(skipByteOrderMark(in))
	lines.Buffer(nil, maxExportLine)

	var entries []adapters.HistoryEntry
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		item, err := adapters.FlattenLine(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		entries, err = appendEntry(entries, log, item, n)
		if err != nil {
			return nil, err
		}
	}
	return entries, lines.Err()
}

// appendEntry appends the entry of an item, unless the adapter says that such items are
// not to be reconciled.
func appendEntry(entries []adapters.HistoryEntry, log *adapters.HistorySpec, item map[string]string, line int) ([]adapters.HistoryEntry, error) {
	e, ours, err := log.Interpret(item)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", line, err)
	}
	if ours {
		entries = append(entries, e)
	}
	return entries, nil
}

// skipByteOrderMark drops the byte order mark with which spreadsheets begin.
func skipByteOrderMark(in io.Reader) io.Reader {
	b := bufio.NewReader(in)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = b.Discard(3)
	}
	return b
}
