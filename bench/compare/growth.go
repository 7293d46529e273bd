package compare

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/byline-proxy/byline/bench/measure"
	"github.com/byline-proxy/byline/bench/peer"
)

// Curve is how the cost of a small request moves when one thing grows.
type Curve struct {
	What   string  `json:"what"`
	Points []Point `json:"points"`
}

// Point is one size.
type Point struct {
	Size   int            `json:"size"`
	CPU    measure.Series `json:"cpu_us"` // of the proxy for a small request, normalised, once a round
	Failed string         `json:"failed,omitempty"`
}

// growthRounds is how often each point is measured.
const growthRounds = 3

// fillers is how many actions an adapter has before the one that is asked for.
const fillers = 197

// growth is one curve: how a site differs at a size, and how many agents work.
type growth struct {
	what  string
	sizes []int
	shape func(s *peer.Testbed, size int) (agents int)
}

func growths() []growth {
	return []growth{
		{"agents at work at once, in 32 tasks", []int{1, 10, 100, 1000, 10000}, func(s *peer.Testbed, n int) int {
			s.Tasks = min(n, 32)
			if n > 1000 { // thousands of connections to the application are opened at once, on a machine that others may use too
				s.Tuning.Config = map[string]any{"wire": map[string]any{"dial_timeout": "1m", "tls_timeout": "1m"}}
			}
			return n
		}},
		{"tasks alive, an account each; 32 agents in as many of them", []int{1, 100, 1000}, func(s *peer.Testbed, n int) int {
			s.Tasks = n
			return 32
		}},
		{"adapters of 200 actions", []int{1, 10, 100}, func(s *peer.Testbed, n int) int {
			s.Tuning.Actions = fillers
			s.Tuning.Adapters = moreAdapters(n - 1)
			return 32
		}},
		{"policies that forbid", []int{10, 100, 1000}, func(s *peer.Testbed, n int) int {
			s.Tuning.Policies = map[string]string{"grown.cedar": morePolicies(n)}
			return 32
		}},
	}
}

func moreAdapters(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("other-%03d", i)
		all[name+".yaml"] = fmt.Sprintf("name: %s\ninterim: {reason: bench, owner: bench@byline.test, review_by: 2099-12-31}\nhosts: [%s.test]\nlogin: {kind: basic}\nactions:\n%s",
			name, name, peer.Fillers(fillers+3))
	}
	return all
}

// morePolicies are like those that operators write: a third meets every
// request, a third only another adapter's actions, a third only other agents.
func morePolicies(n int) string {
	var b strings.Builder
	for i := range n {
		switch {
		case i%10 == 0: // what an operator says about everything stays short
			fmt.Fprintf(&b, "forbid (principal, action, resource) when { context.privileged && context.hour == %d };\n", i%24)
		case i%2 == 0:
			fmt.Fprintf(&b, "forbid (principal, action == Action::\"bench2:account.manage\", resource) when { context.hour == %d };\n", i%24)
		default:
			fmt.Fprintf(&b, "forbid (principal == Agent::\"spiffe://byline.test/agent/other-%d\", action, resource);\n", i)
		}
	}
	return b.String()
}

// GrowthSteps is how often Growth calls progress.
func GrowthSteps() (n int) {
	for _, g := range growths() {
		for _, size := range g.sizes {
			n += roundsAt(size)
		}
	}
	return n
}

// roundsAt: opening ten thousand tunnels takes longer than measuring them.
func roundsAt(size int) int {
	if size > 1000 {
		return 1
	}
	return growthRounds
}

// Growth measures all curves, each point on a fresh server, the points of a
// curve in turn; once each when it is later than hurry. A point that fails is
// noted; the error is for what ends the run.
func Growth(ctx context.Context, s *peer.Testbed, length time.Duration, yard float64, hurry time.Time, progress func(string)) ([]Curve, error) {
	var out []Curve
	for _, g := range growths() {
		out = append(out, g.measure(ctx, s, length, yard, hurry, progress))
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
	}
	return out, nil
}

func (g growth) measure(ctx context.Context, s *peer.Testbed, length time.Duration, yard float64, hurry time.Time, progress func(string)) Curve {
	c := Curve{What: g.what, Points: make([]Point, len(g.sizes))}
	sites, peers, agents := make([]peer.Testbed, len(g.sizes)), make([]*peer.Peer, len(g.sizes)), make([]int, len(g.sizes))
	for i, size := range g.sizes {
		c.Points[i].Size, sites[i] = size, *s
		agents[i] = g.shape(&sites[i], size)
		var err error
		if peers[i], err = sites[i].Start(ctx, peer.Byline); err != nil {
			c.Points[i].Failed = err.Error()
			continue
		}
		defer peers[i].Stop()
	}
	for round := range growthRounds {
		for i := range c.Points {
			point := &c.Points[i]
			if round >= roundsAt(point.Size) {
				continue
			}
			progress(fmt.Sprintf("%d %s", point.Size, g.what))
			late := round > 0 && !hurry.IsZero() && time.Now().After(hurry)
			if point.Failed != "" || ctx.Err() != nil || late {
				continue
			}
			lasts := max(length, time.Duration(agents[i])*500*time.Microsecond) // everybody has a turn or two
			w := Work{scale: 1e6, amount: 1, agents: agents[i], warm: max(2, 640/agents[i]), length: lasts, enter: kept}
			sample, err := slice(ctx, &sites[i], peers[i], w)
			if err != nil {
				point.Failed = err.Error()
				continue
			}
			point.CPU = append(point.CPU, sample.CPU*yard/sample.Yard)
		}
	}
	return c
}
