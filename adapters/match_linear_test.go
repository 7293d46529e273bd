package adapters

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// matchByTrying matches as a reader would: it tries every length of every wildcard, shortest first. It shares nothing
// with the matcher but the parsed pattern.
func matchByTrying(p *pattern, parts []part, value string, b *bindings) bool {
	if len(parts) == 0 {
		return value == ""
	}
	head := parts[0]
	if !head.wild {
		n := len(head.text)
		return len(value) >= n && p.same(value[:n], head.text) && matchByTrying(p, parts[1:], value[n:], b)
	}
	for n := 0; n <= len(value); n++ {
		if head.variable >= 0 {
			taken := value[:n]
			if n == 0 || b[head.variable] != "" && b[head.variable] != taken || !head.kind.allows(taken) {
				continue
			}
		}
		saved := *b
		if head.variable >= 0 {
			b[head.variable] = value[:n]
		}
		if matchByTrying(p, parts[1:], value[n:], b) {
			return true
		}
		*b = saved
	}
	return false
}

func FuzzPatternMatchesAsByTrying(f *testing.F) {
	for _, s := range [][3]string{
		{"{project}-{branch}-{id:digits}", "a-b-c-10", ""},
		{"*{a}x*{b:digits}", "xx0x10", "x"},
		{"{a}-*-{a2}", "----", "-"},
		{"é{a}É", "éxÉ", ""},
		{"{a}{b:digits}", "12", "1"},
		{"{a:digits}.{b:digits}", "0.00", ""},
	} {
		f.Add(s[0], s[1], s[2], false)
	}
	f.Fuzz(func(t *testing.T, text, value, bound string, fold bool) {
		if len(text) > 60 || len(value) > 20 || strings.Count(text, "*")+strings.Count(text, "{") > 5 {
			return
		}
		var vars variables
		p, err := compilePattern(text, &vars, fold)
		if err != nil || len(vars) > maxVariables {
			return
		}
		var want, got, linear bindings
		want[0], got[0], linear[0] = bound, bound, bound

		fits := p.plain && p.same(value, p.literal) || !p.plain && matchByTrying(&p, p.parts, value, &want)
		if p.match(value, &got) != fits || fits && got != want {
			t.Errorf("%q on %q with %q bound: match is %v with %q, want %v with %q", text, value, bound, !fits, got, fits, want)
		}
		if !p.plain && (p.matchLinear(value, &linear) != fits || fits && linear != want) {
			t.Errorf("%q on %q with %q bound: matchLinear differs, with %q; want %v with %q", text, value, bound, linear, fits, want)
		}
	})
}

// TestI10MatchingIsLinear counts the bytes that matching allocates and the steps that it may take for values made to
// force a matcher to go back. Time is not asserted: with the old matcher the longest of these took minutes.
func TestI10MatchingIsLinear(t *testing.T) {
	const n = 64 << 10
	for _, c := range []struct{ pattern, value string }{
		{"/build/{project}-{branch}-{id:digits}", "/build/" + strings.Repeat("a-", n/2) + "x"},
		{"{a}-{b}-{c}-{d}-{e:digits}", strings.Repeat("-", n)},
		{"*a{x}a{y}a{z}b", strings.Repeat("a", n)},
		{"{a}0{b:digits}0{c:digits}x", strings.Repeat("0", n)},
		{"{a}" + strings.Repeat("a*", 20) + "a{b}x", strings.Repeat("a", n)},
	} {
		var vars variables
		p, err := compilePattern(c.pattern, &vars, false)
		if err != nil {
			t.Fatal(err)
		}
		var b bindings
		if p.match(c.value, &b) {
			t.Errorf("%q fits %d bytes that it should not fit", c.pattern, len(c.value))
		}
	}

	// A variable that is bound already is looked for, and may be long and repeat itself.
	var vars variables
	p, err := compilePattern("*-{id}-*x", &vars, false)
	if err != nil {
		t.Fatal(err)
	}
	b := bindings{strings.Repeat("a", n/4)}
	if p.match(strings.Repeat("a-", n/4)+strings.Repeat("a", n/2), &b) {
		t.Error("a value without x fits a pattern that ends in x")
	}
}

func TestAValueThatIsTooLongToMatchIsInDoubt(t *testing.T) {
	var vars variables
	compile := func(text string) pattern {
		p, err := compilePattern(text, &vars, false)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	long := value{text: strings.Repeat("a", maxMatchedValue+1), state: present}
	for _, c := range []struct {
		patterns []string
		want     verdict
	}{
		{[]string{"plain"}, differs},
		{[]string{"*"}, matches},
		{[]string{"{all}"}, matches},
		{[]string{"a*"}, unsure},
		{[]string{"plain", "{x}-{y}"}, unsure},
	} {
		test := valueTest{key: "k"}
		for _, text := range c.patterns {
			test.patterns = append(test.patterns, compile(text))
		}
		var b bindings
		if got := test.fits(long, &b, new(effort)); got != c.want {
			t.Errorf("%q on %d bytes: verdict %d, want %d", c.patterns, len(long.text), got, c.want)
		}
	}
}

func TestAPatternNamesAVariableOnce(t *testing.T) {
	var vars variables
	_, err := compilePattern("{a}-{a}", &vars, false)
	if err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("{a}-{a}: %v, want an error that says twice", err)
	}
}

func TestEachOccurrenceFindsOverlapping(t *testing.T) {
	for _, c := range []struct {
		text, word string
		want       []int
	}{
		{"aaaa", "aa", []int{0, 1, 2}},
		{"abcabcabc", "abcabc", []int{0, 3}},
		{"abab", "x", nil},
		{"a", "ab", nil},
	} {
		var got []int
		eachOccurrence(c.text, c.word, func(at int) { got = append(got, at) })
		if !slices.Equal(got, c.want) {
			t.Errorf("%q in %q: %v, want %v", c.word, c.text, got, c.want)
		}
	}
}

func BenchmarkMatchPattern(b *testing.B) {
	for _, n := range []int{64, 8 << 10, 64 << 10} {
		var vars variables
		p, err := compilePattern("/build/{project}-{branch}-{id:digits}", &vars, false)
		if err != nil {
			b.Fatal(err)
		}
		value := "/build/" + strings.Repeat("a-", n/2) + "x"
		b.Run(fmt.Sprintf("adversarial-%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				var bound bindings
				p.match(value, &bound)
			}
		})
	}
}

// TestI10ManyRulesOnOneValueHaveABound has a thousand rules look at one long value. The
// request is in doubt before all of them have tried, and a short value is not.
func TestI10ManyRulesOnOneValueHaveABound(t *testing.T) {
	var actions strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&actions, "  - {name: page.do%d, match: {method: POST, path: /p, form: {f: \"{a}-{b}x{c}-\", g: \"%d\"}, where: {a: \"[a-z-]*\"}}}\n", i, i)
	}
	set, err := Load([]Source{{Name: "x.yaml", Text: []byte("name: x\ninterim: {reason: t, owner: o, review_by: 2099-01-01}\nhosts: [x.example]\nlogin: {kind: basic}\nactions:\n" + actions.String())}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		length int
		want   ReasonKind
	}{
		{900, ""}, {20 << 10, AmbiguousValue}, {60 << 10, AmbiguousValue}, {1 << 20, AmbiguousValue},
	} {
		body := "f=" + strings.Repeat("x-", c.length/2) + "&g=999"
		action, why := set.ByName("x").Classify(Query{Method: "POST", Path: "/p", ContentType: "application/x-www-form-urlencoded", Body: []byte(body)})
		switch {
		case c.want == "" && (why != nil || action.Name != "page.do999"):
			t.Errorf("a value of %d bytes: %q, %v; want page.do999", c.length, action.Name, why)
		case c.want != "" && (why == nil || why.Kind != c.want):
			t.Errorf("a value of %d bytes: %q, %v; want %q", c.length, action.Name, why, c.want)
		}
	}
}

// TestI10WhereTakesNoLongValues has a variable hold more than an expression is tried on.
func TestI10WhereTakesNoLongValues(t *testing.T) {
	set, err := Load([]Source{{Name: "x.yaml", Text: []byte("name: x\ninterim: {reason: t, owner: o, review_by: 2099-01-01}\nhosts: [x.example]\nlogin: {kind: basic}\nactions:\n" +
		"  - {name: page.edit, match: {method: POST, path: /p, form: {f: \"{a}\"}, where: {a: \"(a*)*(a?){100}\"}}}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	for length, want := range map[int]ReasonKind{1000: "", 32 << 10: "", 65 << 10: AmbiguousValue, 4 << 20: AmbiguousValue} {
		body := "f=" + strings.Repeat("a", length)
		_, why := set.ByName("x").Classify(Query{Method: "POST", Path: "/p", ContentType: "application/x-www-form-urlencoded", Body: []byte(body)})
		if why == nil && want != "" || why != nil && why.Kind != want {
			t.Errorf("a value of %d bytes: %v, want %q", length, why, want)
		}
	}
}
