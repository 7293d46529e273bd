package report

import (
	"math"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	table := NewTable("proxy", "µs", "× tunnel")
	table.Add("tunnel", "15.5", "1.00")
	table.Add("a|b", "7")
	var b strings.Builder
	n, err := table.WriteTo(&b)
	want := `| proxy  |   µs | × tunnel |
|--------|-----:|---------:|
| tunnel | 15.5 |     1.00 |
| a\|b   |    7 |          |

`
	if b.String() != want || err != nil || int(n) != len(want) {
		t.Errorf("got %d, %v:\n%s\nwant:\n%s", n, err, b.String(), want)
	}
	defer func() {
		if recover() == nil {
			t.Error("a cell too many was taken")
		}
	}()
	table.Add("1", "2", "3", "4")
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "0.00", 0.614: "0.61", 1.005: "1.00", 9.999: "10.0", 15.49: "15.5", 99.99: "100", 1149.2: "1149",
		-3.14159: "-3.14", math.NaN(): "–", math.Inf(1): "–"} {
		if got := figure(v); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	if got := part(0.126) + part(math.NaN()); got != "13 %–" {
		t.Error(got)
	}
}
