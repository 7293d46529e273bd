package rounds

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
	Size   int     `json:"size"`
	CPU    float64 `json:"cpu_us"` // of the proxy for a small request, normalised
	Failed string  `json:"failed,omitempty"`
}

// fillers is how many actions an adapter has before the one that is asked for.
const fillers = 197

// growths are the curves: how a site differs at a size, and how many agents work.
func growths() []struct {
	what  string
	sizes []int
	shape func(s *peer.Site, size int) (agents int)
} {
	return []struct {
		what  string
		sizes []int
		shape func(s *peer.Site, size int) (agents int)
	}{
		{"agents at work at once, in 32 tasks", []int{1, 10, 100, 1000, 10000}, func(s *peer.Site, n int) int {
			s.Tasks = min(n, 32)
			if n > 1000 { // thousands of connections to the application are opened at once, on a machine that others may use too
				s.Tuning.Config = map[string]any{"wire": map[string]any{"dial_timeout": "1m", "tls_timeout": "1m"}}
			}
			return n
		}},
		{"tasks alive, an account each; 32 agents in as many of them", []int{1, 100, 1000}, func(s *peer.Site, n int) int {
			s.Tasks = n
			return 32
		}},
		{"adapters of 200 actions", []int{1, 10, 100}, func(s *peer.Site, n int) int {
			s.Tuning.Actions = fillers
			s.Tuning.Adapters = moreAdapters(n - 1)
			return 32
		}},
		{"policies that forbid", []int{10, 100, 1000}, func(s *peer.Site, n int) int {
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
		n += len(g.sizes)
	}
	return n
}

// Growth measures all curves, each point on a fresh server. A point that fails
// is noted; the error is for what ends the run.
func Growth(ctx context.Context, s *peer.Site, length time.Duration, yard float64, progress func(string)) ([]Curve, error) {
	var out []Curve
	for _, g := range growths() {
		c := Curve{What: g.what}
		for _, size := range g.sizes {
			progress(fmt.Sprintf("%d %s", size, g.what))
			site := *s
			agents := g.shape(&site, size)
			point := Point{Size: size}
			var err error
			if point.CPU, err = costAt(ctx, &site, agents, length, yard); err != nil {
				point.Failed = err.Error()
			}
			c.Points = append(c.Points, point)
			if ctx.Err() != nil {
				return append(out, c), ctx.Err()
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// costAt is the CPU time of a small request, the median of three short slices.
func costAt(ctx context.Context, s *peer.Site, agents int, length time.Duration, yard float64) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+patience(agents))
	defer cancel()
	p, err := s.Start(ctx, peer.Byline)
	if err != nil {
		return 0, err
	}
	defer p.Stop()
	length = max(length, time.Duration(agents)*500*time.Microsecond) // everybody has a turn or two
	w := Work{scale: 1e6, amount: 1, agents: agents, warm: max(2, 640/agents), length: length, enter: kept}
	var all measure.Series
	for range 3 {
		sample, err := slice(ctx, s, p, w)
		if err != nil {
			return 0, err
		}
		all = append(all, sample.CPU*yard/sample.Yard)
		if agents > 1000 {
			break // opening ten thousand tunnels takes longer than measuring them
		}
	}
	return all.Median(), nil
}
