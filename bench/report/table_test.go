package report

import (
	"math"
	"strings"
	"testing"
)

func TestATableIsAligned(t *testing.T) {
	table := NewTable("proxy", "µs", "× tunnel")
	table.Add("tunnel", "15.5", "1.00")
	table.Add("a|b", "7")
	var b strings.Builder
	n, err := table.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	want := `| proxy  |   µs | × tunnel |
|--------|-----:|---------:|
| tunnel | 15.5 |     1.00 |
| a\|b   |    7 |          |

`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if int(n) != len(want) {
		t.Errorf("WriteTo returned %d, want %d", n, len(want))
	}
}

func TestARowWithTooManyCellsPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Add accepted four cells in three columns")
		}
	}()
	NewTable("proxy", "µs", "× tunnel").Add("1", "2", "3", "4")
}

func TestFormatFigure(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.614: "0.61", 1.005: "1.00", 9.999: "10.0", 15.49: "15.5", 99.99: "100", 1149.2: "1149",
		-3.14159: "-3.14", math.NaN(): "–", math.Inf(1): "–",
	} {
		if got := formatFigure(v); got != want {
			t.Errorf("%v is formatted as %q, want %q", v, got, want)
		}
	}
}

func TestFormatShare(t *testing.T) {
	for v, want := range map[float64]string{0.126: "13 %", math.NaN(): "–"} {
		if got := formatShare(v); got != want {
			t.Errorf("%v is formatted as %q, want %q", v, got, want)
		}
	}
}
