package report

import (
	"strings"
	"testing"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// run is small and made up: the tunnel costs 10 in each of three rounds.
func run(t *testing.T, byline ...float64) *Run {
	t.Helper()
	works, err := compare.Works(compare.Options{Works: []string{"small"}})
	if err != nil {
		t.Fatal(err)
	}
	tunnel, own := &compare.Row{Work: "small", Peer: peer.Tunnel}, &compare.Row{Work: "small", Peer: peer.Byline}
	for i, cpu := range byline {
		tunnel.Samples = append(tunnel.Samples, compare.Sample{Round: i, CPU: 10, Yard: 1, Units: 1})
		own.Samples = append(own.Samples, compare.Sample{Round: i, CPU: cpu, Yard: 1, Units: 1, Records: 2, Groups: 1})
	}
	return &Run{Outcome: &compare.Outcome{Works: works, Peers: []string{peer.Tunnel, peer.Byline}, Rows: []*compare.Row{tunnel, own}}}
}

func text(t *testing.T, r *Run) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "%!") {
		t.Error(b.String())
	}
	return strings.Join(strings.FieldsFunc(b.String(), func(r rune) bool { return r == ' ' }), " ") // columns are padded
}

func TestTheVerdictIsTheMediansAndDoubtIsSaid(t *testing.T) {
	for _, c := range []struct {
		byline []float64
		want   []string
		not    []string
	}{
		{[]float64{13, 13.5, 14}, []string{"Budget 1.50: **kept**, 1.35 × the tunnel.\n"}, []string{"rounds were within", "| ≈ "}},
		{[]float64{16, 17, 18}, []string{"**missed**, 1.70 × the tunnel is 13 % over it.\n"}, []string{"rounds were within"}},
		{[]float64{14, 17, 30}, []string{"**missed**", "1 of 3 rounds were within it, from 1.40 to 3.00.", "≈ 1.70", "≈ 47 %", "| *byline, × floors* | 1.40 |"}, nil},
	} {
		got := text(t, run(t, c.byline...))
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%v: no %q in\n%s", c.byline, want, got)
			}
		}
		for _, not := range c.not {
			if strings.Contains(got, not) {
				t.Errorf("%v: %q in\n%s", c.byline, not, got)
			}
		}
	}
}

func TestALargeBodyIsHeldToItsBudget(t *testing.T) {
	r := run(t, 12)
	r.Outcome.Streams = []compare.Stream{{Way: "down", Bytes: 10 << 30, Before: 30 << 20, Peak: 37 << 20, After: 30 << 20, Seconds: 20, CPU: 1.8},
		{Way: "up", Bytes: 10 << 30, Before: 30 << 20, Peak: 94 << 20, After: 80 << 20, Seconds: 20, CPU: 1.8}, {Way: "up", Bytes: 1 << 30, Failed: "it ended\nbadly"}}
	got := text(t, r)
	for _, want := range []string{"| down | 10.0 | 20.0 | 1.80 | 30.0 | 37.0 | 7.00 | 30.0 |",
		"**kept**, 10.0 GiB down made it grow by 7.00 MiB", "**missed**, 10.0 GiB up made it grow by 64.0 MiB", "failed: it ended |"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestTheRecordIsShownOnItsOwn(t *testing.T) {
	r := run(t, 12)
	of := func(name string, p50, p99, p999, cpu, sync float64) compare.Latency {
		s := func(v float64) measure.Series { return measure.Series{v, v, v} }
		return compare.Latency{Peer: name, Rate: 3000, Done: s(3000), P50: s(p50), P99: s(p99), P999: s(p999), CPU: s(cpu), Busy: s(0.5), Groups: s(1000), Group: s(3), SyncUS: s(sync)}
	}
	r.Outcome.Latency = []compare.Latency{of(peer.Tunnel, 200, 500, 2000, 30, 0), of(peer.Byline, 700, 9000, 12500, 200, 250), of(compare.InMemory, 400, 2000, 3500, 150, 2)}
	got := text(t, r)
	for _, want := range []string{"| *the wait for the disk* | | | 248 | 0.30 | 7.00 | 9.00 | 50.0 |", "Medians of 3 rounds"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestACurveRisesOnlyWhenItsRoundsAgree(t *testing.T) {
	p := func(v ...float64) compare.Point { return compare.Point{Size: int(v[0]), CPU: v} }
	for want, points := range map[string][]compare.Point{
		"":                             {p(1)},
		"It is flat within a quarter.": {p(100), p(190), p(120)},
		"It **rises** by 50 % from the first point to the last.":                                                          {p(90, 100, 110), p(140, 150, 160)},
		"It **rises** by 50 % from the first point to the last. Their rounds overlap, so that this may be noise.":         {p(90, 100, 145), p(140, 150, 160)},
		"It falls by 40 % from the first point to the last. From the cheapest point, 100, to the last it rises by 200 %.": {p(500), p(100), p(300)},
		"It falls by 50 % from the first point to the last.":                                                              {p(100), p(50)},
	} {
		if got := grows(points); got != want {
			t.Errorf("%v: %q, want %q", points, got, want)
		}
	}
}
