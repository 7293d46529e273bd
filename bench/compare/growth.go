package compare

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// Curve shows how the cost of a small request changes as one thing grows.
type Curve struct {
	What   string  `json:"what"`
	Points []Point `json:"points"`
}

// Point is one size of a curve.
type Point struct {
	Size   int            `json:"size"`
	CPU    measure.Series `json:"cpu_us"`           // of the proxy per small request, normalized; one value per round
	Failed string         `json:"failed,omitempty"` // why there are no figures
}

// growthRounds is how often each point is measured.
const growthRounds = 3

// unusedActions is the number of actions in an adapter before the ones that are
// used, so that an adapter has 200 actions altogether.
const unusedActions = 197

// growth defines one curve. apply changes a testbed for a size, and returns how
// many agents work.
type growth struct {
	what  string
	sizes []int
	apply func(tb *peer.Testbed, size int) (agents int)
}

func growths() []growth {
	return []growth{
		{"agents at work at once, in 32 tasks", []int{1, 10, 100, 1000, 10000}, func(tb *peer.Testbed, size int) int {
			tb.Tasks = min(size, 32)
			if size > 1000 {
				// Thousands of connections to the application are opened at once, on
				// a machine that others may use too.
				tb.Tuning.Config = map[string]any{"wire": map[string]any{"dial_timeout": "1m", "tls_timeout": "1m"}}
			}
			return size
		}},
		{"tasks alive, an account each; 32 agents in as many of them", []int{1, 100, 1000}, func(tb *peer.Testbed, size int) int {
			tb.Tasks = size
			return 32
		}},
		{"adapters of 200 actions", []int{1, 10, 100}, func(tb *peer.Testbed, size int) int {
			tb.Tuning.UnusedActions = unusedActions
			tb.Tuning.Adapters = otherAdapters(size - 1)
			return 32
		}},
		{"policies that forbid", []int{10, 100, 1000}, func(tb *peer.Testbed, size int) int {
			tb.Tuning.Policies = map[string]string{"grown.cedar": forbiddingPolicies(size)}
			return 32
		}},
	}
}

// otherAdapters returns n adapters for hosts that no agent uses, by file name.
func otherAdapters(n int) map[string]string {
	adapters := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("other-%03d", i)
		adapters[name+".yaml"] = fmt.Sprintf("name: %s\ninterim: {reason: bench, owner: bench@byline.test, review_by: 2099-12-31}\nhosts: [%s.test]\nlogin: {kind: basic}\nactions:\n%s",
			name, name, peer.UnusedActions(unusedActions+3))
	}
	return adapters
}

// forbiddingPolicies returns n policies like those that operators write. One in
// ten applies to every request, because general rules are few; the others apply
// only to actions of another adapter or to other agents.
func forbiddingPolicies(n int) string {
	var b strings.Builder
	for i := range n {
		switch {
		case i%10 == 0:
			fmt.Fprintf(&b, "forbid (principal, action, resource) when { context.privileged && context.hour == %d };\n", i%24)
		case i%2 == 0:
			fmt.Fprintf(&b, "forbid (principal, action == Action::\"bench2:account.manage\", resource) when { context.hour == %d };\n", i%24)
		default:
			fmt.Fprintf(&b, "forbid (principal == Agent::\"spiffe://byline.test/agent/other-%d\", action, resource);\n", i)
		}
	}
	return b.String()
}

// GrowthSteps returns how many times MeasureGrowth calls progress.
func GrowthSteps() int {
	n := 0
	for _, g := range growths() {
		for _, size := range g.sizes {
			n += roundsAt(size)
		}
	}
	return n
}

// roundsAt returns how often a point is measured. Large sizes are measured once,
// because opening ten thousand tunnels takes longer than the measurement.
func roundsAt(size int) int {
	if size > 1000 {
		return 1
	}
	return growthRounds
}

// MeasureGrowth measures all curves. Each point has its own server; the points of
// a curve are measured in turn in each round. After shortenAfter, unless it is
// zero, each remaining point is measured only once. A point that fails has its
// error in the result. MeasureGrowth fails only if ctx ends.
func MeasureGrowth(ctx context.Context, tb *peer.Testbed, duration time.Duration, referenceTime float64, shortenAfter time.Time, progress func(string)) ([]Curve, error) {
	var curves []Curve
	for _, g := range growths() {
		curves = append(curves, g.measure(ctx, tb, duration, referenceTime, shortenAfter, progress))
		if ctx.Err() != nil {
			return curves, ctx.Err()
		}
	}
	return curves, nil
}

func (g growth) measure(ctx context.Context, tb *peer.Testbed, duration time.Duration, referenceTime float64, shortenAfter time.Time, progress func(string)) Curve {
	curve := Curve{What: g.what, Points: make([]Point, len(g.sizes))}
	testbeds := make([]peer.Testbed, len(g.sizes))
	peers := make([]*peer.Peer, len(g.sizes))
	agents := make([]int, len(g.sizes))
	for i, size := range g.sizes {
		curve.Points[i].Size = size
		testbeds[i] = *tb
		agents[i] = g.apply(&testbeds[i], size)
		var err error
		peers[i], err = testbeds[i].Start(ctx, peer.Byline)
		if err != nil {
			curve.Points[i].Failed = err.Error()
			continue
		}
		defer peers[i].Stop()
	}

	for round := range growthRounds {
		for i := range curve.Points {
			point := &curve.Points[i]
			if round >= roundsAt(point.Size) {
				continue
			}
			progress(fmt.Sprintf("%d %s", point.Size, g.what))
			late := round > 0 && !shortenAfter.IsZero() && time.Now().After(shortenAfter)
			if point.Failed != "" || ctx.Err() != nil || late {
				continue
			}
			// With many agents the measurement is longer, so that each has a turn.
			longEnough := max(duration, time.Duration(agents[i])*500*time.Microsecond)
			sample, err := takeSample(ctx, &testbeds[i], peers[i], smallRequests(agents[i], longEnough))
			if err != nil {
				point.Failed = err.Error()
				continue
			}
			point.CPU = append(point.CPU, sample.CPU*referenceTime/sample.ReferenceTime)
		}
	}
	return curve
}
