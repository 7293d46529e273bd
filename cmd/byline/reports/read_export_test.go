package reports

import (
	"strings"
	"testing"
	"time"
)

func TestReadExport(t *testing.T) {
	a := historyAdapter(t)
	log := a.History()

	csv := "\ufeffwhen,who,what,page,n\r\n2026-11-02 09:00:00,agent-01,edit,A,1\r\n2026-11-02 09:00:01,agent-01,view,A,2\r\n\"2026-11-02T09:00:02Z\",agent-01,move-x,\"B, or C\",3\r\n"
	jsonl := `{"when":"2026-11-02 09:00:00","who":"agent-01","what":"edit","page":"A","n":1}` + "\n\n" + `{"when":"2026-11-02T09:00:02Z","who":"agent-01","what":"move-x","n":3}` + "\n"
	for format, text := range map[string]string{"csv": csv, "jsonl": jsonl} {
		got, err := ReadExport(strings.NewReader(text), format, &log)
		if err != nil || len(got) != 2 || got[0].ID != "1" || got[0].Resource != "page/A" || got[1].ID != "3" || !got[1].Many || !got[1].Time.Equal(day.Add(2*time.Second)) {
			t.Errorf("%s: got %+v %v, want entries 1 and 3", format, got, err)
		}
	}

	for name, c := range map[string]struct{ format, text, want string }{
		"empty":                   {"csv", "", "a heading was expected"},
		"a short row":             {"csv", "when,who\n2026", "line 2"},
		"a malformed time":        {"csv", "when,who,what\nyesterday,a,edit\n", `line 2: the time "yesterday"`},
		"a line that is not JSON": {"jsonl", "{}\nnonsense", "line 2"},
	} {
		if _, err := ReadExport(strings.NewReader(c.text), c.format, &log); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", name, err, c.want)
		}
	}
}
