package adapters

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkClassify200(b *testing.B) {
	var y strings.Builder
	y.WriteString("name: b\n" + strings.Replace(hostsAndInterim, "HOST", "b.example", 1) + "login: {kind: basic}\nactions:\n")
	for i := range 200 {
		fmt.Fprintf(&y, "  - {name: a%d, match: {method: GET, path: \"/part%d/{id}\", query: {action: [view, \"\"]}}, resource: \"r/{id}\"}\n", i, i)
	}
	set, err := Load([]Source{{Name: "b.yaml", Text: []byte(y.String())}})
	if err != nil {
		b.Fatal(err)
	}
	a := set.ByName("b")
	b.ReportAllocs()
	for b.Loop() {
		if _, why := a.Classify(Query{Method: "GET", Path: "/part150/7", RawQuery: "action=view&x=1"}); why != nil {
			b.Fatal(why.Lines(true))
		}
	}
}
