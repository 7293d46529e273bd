package policy

import (
	"fmt"
	"strings"
	"testing"
)

// manyPolicies returns n policies as a large installation has them: most name an
// action of some adapter, a few concern every request.
func manyPolicies(n int) string {
	var b strings.Builder
	for i := range n {
		switch {
		case i == 0:
			b.WriteString(`forbid (principal, action, resource) when { context.privileged && context.hour < 8 };`)
		case i == 1:
			b.WriteString(`forbid (principal, action in Action::"mediawiki:page.*", resource) when { resource.name like "page/Policy:*" };`)
		case i == 2:
			b.WriteString(`forbid (principal, action == Action::"mediawiki:page.edit", resource) when { ["Sat", "Sun"].contains(context.weekday) };`)
		case i%10 == 3:
			fmt.Fprintf(&b, `forbid (principal in Sponsor::"user%d@acme.example", action, resource);`, i)
		default:
			fmt.Fprintf(&b, `forbid (principal, action == Action::"app%d:thing.act%d", resource) when { context.hour < 8 };`, i%40, i)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func parseMany(t testing.TB, n int) *Set {
	t.Helper()
	s, err := Parse([]File{{"own.cedar", []byte(manyPolicies(n))}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var policyCounts = []int{10, 50, 100, 1000}

func BenchmarkDecide(b *testing.B) {
	for _, n := range policyCounts {
		g := parseMany(b, n).Narrow(alice, pageScope)
		b.Run(fmt.Sprintf("same_resource/%d", n), func(b *testing.B) {
			q := editRequest()
			b.ReportAllocs()
			for b.Loop() {
				if g.Decide(q).Effect != Permit {
					b.Fatal("denied")
				}
			}
		})
		b.Run(fmt.Sprintf("new_resource/%d", n), func(b *testing.B) {
			q, two := editRequest(), [2]string{"page/Sandbox/1", "page/Sandbox/2"}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				q.Resource = two[i&1]
				if g.Decide(q).Effect != Permit {
					b.Fatal("denied")
				}
			}
		})
	}
}

func BenchmarkNarrowAndFirstDecide(b *testing.B) {
	for _, n := range policyCounts {
		s := parseMany(b, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s.Narrow(alice, pageScope).Decide(editRequest()).Effect != Permit {
					b.Fatal("denied")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range policyCounts {
		text := []byte(manyPolicies(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse([]File{{"own.cedar", text}}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

const (
	maxAllocsSameResource = 16
	maxAllocsNewResource  = 28
)

// TestDecideAllocationsDoNotGrowWithPolicies shows that a request pays for the
// policies that can apply to it, not for those that exist.
func TestDecideAllocationsDoNotGrowWithPolicies(t *testing.T) {
	for _, n := range policyCounts {
		g := parseMany(t, n).Narrow(alice, pageScope)
		q, two, i := editRequest(), [2]string{"page/Sandbox/1", "page/Sandbox/2"}, 0
		same := testing.AllocsPerRun(200, func() { g.Decide(q) })
		fresh := testing.AllocsPerRun(200, func() {
			i++
			q.Resource = two[i&1]
			g.Decide(q)
		})
		if same > maxAllocsSameResource || fresh > maxAllocsNewResource {
			t.Errorf("%d policies: %v allocations on the same resource (want at most %d), %v on a new one (want at most %d)",
				n, same, maxAllocsSameResource, fresh, maxAllocsNewResource)
		}
	}
}
