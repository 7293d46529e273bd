package report

import (
	"strings"
	"testing"

	"github.com/byline-proxy/byline/bench/compare"
	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// newRun returns a run of one workload in which the tunnel costs 10 and Byline
// the given CPU times, one per round.
func newRun(t *testing.T, byline ...float64) *Run {
	t.Helper()
	workloads, err := compare.Workloads(compare.Options{Workloads: []string{"small"}})
	if err != nil {
		t.Fatal(err)
	}
	tunnelRow := &compare.Row{Workload: "small", Peer: peer.Tunnel}
	bylineRow := &compare.Row{Workload: "small", Peer: peer.Byline}
	for i, cpu := range byline {
		tunnelRow.Samples = append(tunnelRow.Samples, compare.Sample{Round: i, CPU: 10, ReferenceTime: 1, Units: 1})
		bylineRow.Samples = append(bylineRow.Samples, compare.Sample{Round: i, CPU: cpu, ReferenceTime: 1, Units: 1, Records: 2, Groups: 1})
	}
	return &Run{Outcome: &compare.Outcome{
		Workloads: workloads,
		Peers:     []string{peer.Tunnel, peer.Byline},
		Rows:      []*compare.Row{tunnelRow, bylineRow},
	}}
}

// writePage returns the page of r with single spaces, because the columns of its
// tables are padded.
func writePage(t *testing.T, r *Run) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "%!") {
		t.Errorf("the page contains a figure that is not a number:\n%s", b.String())
	}
	return strings.Join(strings.FieldsFunc(b.String(), func(r rune) bool { return r == ' ' }), " ")
}

func checkContains(t *testing.T, page string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not contain %q:\n%s", want, page)
		}
	}
}

func TestTheVerdictIsOnTheMedianAndSaysHowManyRoundsDisagree(t *testing.T) {
	for _, c := range []struct {
		byline   []float64
		want     []string
		unwanted []string
	}{
		{
			byline:   []float64{13, 13.5, 14},
			want:     []string{"Budget 1.50: **kept**, 1.35 × the tunnel.\n"},
			unwanted: []string{"rounds were within", "| ≈ "},
		},
		{
			byline:   []float64{16, 17, 18},
			want:     []string{"**missed**, 1.70 × the tunnel is 13 % over it.\n"},
			unwanted: []string{"rounds were within"},
		},
		{
			byline: []float64{14, 17, 30},
			want:   []string{"**missed**", "1 of 3 rounds were within it, from 1.40 to 3.00.", "≈ 1.70", "≈ 47 %", "| *byline, × floors* | 1.40 |"},
		},
	} {
		page := writePage(t, newRun(t, c.byline...))
		checkContains(t, page, c.want...)
		for _, unwanted := range c.unwanted {
			if strings.Contains(page, unwanted) {
				t.Errorf("%v: the page contains %q:\n%s", c.byline, unwanted, page)
			}
		}
	}
}

func TestALargeBodyIsComparedWithItsBudget(t *testing.T) {
	r := newRun(t, 12)
	r.Outcome.LargeBodies = []compare.LargeBody{
		{Direction: "down", Bytes: 10 << 30, Before: 30 << 20, Peak: 37 << 20, After: 30 << 20, Seconds: 20, CPU: 1.8},
		{Direction: "up", Bytes: 10 << 30, Before: 30 << 20, Peak: 94 << 20, After: 80 << 20, Seconds: 20, CPU: 1.8},
		{Direction: "up", Bytes: 1 << 30, Failed: "it ended\nbadly"},
	}
	checkContains(t, writePage(t, r),
		"| down | 10.0 | 20.0 | 1.80 | 30.0 | 37.0 | 7.00 | 30.0 |",
		"**kept**, 10.0 GiB down made it grow by 7.00 MiB",
		"**missed**, 10.0 GiB up made it grow by 64.0 MiB",
		"failed: it ended |")
}

func TestTheCostOfDurableRecordsIsADifference(t *testing.T) {
	r := newRun(t, 12)
	latency := func(name string, p50, p99, p999, cpu, sync float64) compare.Latency {
		threeRounds := func(v float64) measure.Series { return measure.Series{v, v, v} }
		return compare.Latency{
			Peer:            name,
			Rate:            3000,
			Reached:         threeRounds(3000),
			P50:             threeRounds(p50),
			P99:             threeRounds(p99),
			P999:            threeRounds(p999),
			CPU:             threeRounds(cpu),
			Busy:            threeRounds(0.5),
			GroupsPerSecond: threeRounds(1000),
			RecordsPerGroup: threeRounds(3),
			SyncUS:          threeRounds(sync),
		}
	}
	r.Outcome.Latency = []compare.Latency{
		latency(peer.Tunnel, 200, 500, 2000, 30, 0),
		latency(peer.Byline, 700, 9000, 12500, 200, 250),
		latency(compare.InMemory, 400, 2000, 3500, 150, 2),
	}
	checkContains(t, writePage(t, r),
		"| *waiting for the disk* | | | 248 | 0.30 | 7.00 | 9.00 | 50.0 |",
		"Medians of 3 rounds")
}

func TestDescribeCurve(t *testing.T) {
	// The first value is the size, too.
	point := func(cpu ...float64) compare.Point { return compare.Point{Size: int(cpu[0]), CPU: cpu} }
	for want, points := range map[string][]compare.Point{
		"":                              {point(1)},
		"The cost is flat within 25 %.": {point(100), point(190), point(120)},
		"The cost **rises** by 50 % from the first point to the last.":                                                             {point(90, 100, 110), point(140, 150, 160)},
		"The cost **rises** by 50 % from the first point to the last. The rounds of the two points overlap, so this may be noise.": {point(90, 100, 145), point(140, 150, 160)},
		"The cost falls by 40 % from the first point to the last. From the cheapest point, 100, to the last it rises by 200 %.":    {point(500), point(100), point(300)},
		"The cost falls by 50 % from the first point to the last.":                                                                 {point(100), point(50)},
	} {
		if got := describeCurve(points); got != want {
			t.Errorf("%v: got %q, want %q", points, got, want)
		}
	}
}
