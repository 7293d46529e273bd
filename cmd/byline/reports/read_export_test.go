package reports

import (
	"strings"
	"testing"
	"time"
)

// readInto reads an export of historyAdapter.
func readInto(t *testing.T, format, text string) (*History, error) {
	t.Helper()
	r := NewReconciler(historyAdapter(t), testPeriod, map[string][]string{"agent-01": nil})
	h := r.History()
	return h, ReadExport(strings.NewReader(text), "export", format, "when", h)
}

func TestReadExport(t *testing.T) {
	csv := "\ufeffwhen,who,what,page,n\r\n2026-11-02 09:00:00,agent-01,edit,A,1\r\n2026-11-02 09:00:01,agent-01,view,A,2\r\n\"2026-11-02T09:00:02Z\",agent-01,move-x,\"B, or C\",3\r\n"
	jsonl := `{"when":"2026-11-02 09:00:00","who":"agent-01","what":"edit","page":"A","n":1}` + "\n\n" + `{"when":"2026-11-02T09:00:02Z","who":"agent-01","what":"move-x","n":3}` + "\n"
	for name, c := range map[string]struct{ format, text string }{
		"csv":        {FormatCSV, csv},
		"semicolons": {FormatCSV, strings.ReplaceAll(strings.ReplaceAll(csv, ", or", " or"), ",", ";")},
		"tabs":       {FormatCSV, strings.ReplaceAll(strings.ReplaceAll(csv, ", or", " or"), ",", "\t")},
		"jsonl":      {FormatJSONLines, jsonl},
		"pretty":     {FormatJSONLines, strings.ReplaceAll(strings.ReplaceAll(jsonl, "{", "{\n  "), ",", ",\n  ")},
		"answer":     {FormatJSONLines, "{\n \"query\": {\"changes\": [" + strings.ReplaceAll(strings.TrimSpace(jsonl), "\n\n", ",\n") + "]},\n\"ok\": true}\n"},
		"answers":    {FormatJSONLines, `{"query": {"changes": [` + strings.ReplaceAll(strings.TrimSpace(jsonl), "\n\n", "]}}\n{\"query\": {\"changes\": [") + "]}}\n"},
		"json":       {FormatJSONLines, " \n[" + strings.ReplaceAll(strings.TrimSpace(jsonl), "\n\n", ",") + "]"},
	} {
		h, err := readInto(t, c.format, c.text)
		if err != nil || len(h.own) != 2 {
			t.Errorf("%s: got %v %v, want entries 1 and 3", name, h.own, err)
			continue
		}
		first, second := h.own[0], h.own[1]
		if first.ID != "1" || first.Resource != "page/A" || second.ID != "3" || !second.Many || !second.Time.Equal(day.Add(2*time.Second)) {
			t.Errorf("%s: got %+v %+v, want entries 1 and 3", name, first, second)
		}
	}
}

// TestExportsThatCannotBeRead checks that a line which cannot be read is counted with its
// number, and a file that is none at all fails.
func TestExportsThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ format, text, want string }{
		"a short row":                {FormatCSV, "when,who\n2026", "export line 2"},
		"a malformed time":           {FormatCSV, "when,who,what\nyesterday,a,edit\n", `export line 2: the time "yesterday"`},
		"a quote in a row":           {FormatCSV, "when,who,what\n2026-11-02 09:00:00,a\"b,edit\n", "export line 2"},
		"a line that is not JSON":    {FormatJSONLines, "{}\nnonsense", "export line 2"},
		"two values on a line":       {FormatJSONLines, `{"when":"2026-11-02 09:00:00"} {"when":"2026-11-02 09:00:00"}`, "export line 1"},
		"a line of another format":   {FormatText, "anything", "export line 1"},
		"a line that is much longer": {FormatJSONLines, strings.Repeat("x", maxExportLine+1) + "\n{}", "export line 1"},
	} {
		h, err := readInto(t, c.format, c.text)
		if err != nil || h.total.Unreadable == 0 {
			t.Errorf("%s: error %v, %d unreadable, want the line counted", name, err, h.total.Unreadable)
			continue
		}
		found := false
		for _, b := range h.total.BadLines {
			found = found || strings.HasPrefix(b.Where+": "+b.Why, c.want)
		}
		if !found {
			t.Errorf("%s: got %v, want %q", name, h.total.BadLines, c.want)
		}
	}

	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", "a heading was expected"},
		"no column of time": {"who,what\na,edit\n", `no column "when"`},
	} {
		if _, err := readInto(t, FormatCSV, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", name, err, c.want)
		}
	}
}
