package adapters

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestAdapterCheckFindsActionsThatCannotBeReached has pairs of matches: the second action is hidden by the first, or not.
func TestAdapterCheckFindsActionsThatCannotBeReached(t *testing.T) {
	cases := []struct {
		first, second string
		hidden        bool
	}{
		// Paths.
		{`path: "/a/**"`, `path: "/a/{id}"`, true}, {`path: "/a/{x...}"`, `path: "/a/{id}/b"`, true}, {`path: "/**"`, `path: "/"`, true}, {`path: "/{x...}"`, `path: "/"`, false}, {`path: "/a/**"`, `path: "/a"`, false}, {`path: "/a/**"`, `path: "/a/"`, true},
		{`path: "/a/{x...}"`, `path: "/a/"`, false}, {`path: "/a/{x...}"`, `path: "/a/**"`, false}, {`path: "/a/**"`, `path: "/a/{x...}"`, true}, {`path: "/a/**"`, `path: "/a/b/**"`, true}, {`path: "/a/b/**"`, `path: "/a/**"`, false}, {`path: "/a/{x...}"`, `path: "/a/b/**"`, true},
		{`path: "/{p}/x"`, `path: "/a/x"`, true}, {`path: "/a/x"`, `path: "/{p}/x"`, false}, {`path: "/{p}"`, `path: "/{q}"`, true}, {`path: "/{p}"`, `path: "/*"`, false}, {`path: "/*"`, `path: "/{q}"`, true}, {`path: "/*"`, `path: "/a/b"`, false},
		{`path: "/{p}"`, `path: "/{q:digits}"`, true}, {`path: "/{p:digits}"`, `path: "/{q}"`, false}, {`path: "/{p:digits}"`, `path: "/{q:digits}"`, true}, {`path: "/{p:digits}"`, `path: "/7"`, true}, {`path: "/{p:digits}"`, `path: "/07"`, false}, {`path: "/{p:digits}"`, `path: "/7x"`, false}, {`path: "/v{p:digits}"`, `path: "/v12"`, true},
		{`path: "/{p}.json"`, `path: "/{q}-{r}.json"`, true}, {`path: "/{q}-{r}.json"`, `path: "/{p}.json"`, false}, {`path: "/*.json"`, `path: "/.json"`, true}, {`path: "/{p}.json"`, `path: "/.json"`, false}, {`path: "/a*b"`, `path: "/a{x}b"`, true}, {`path: "/a{x}b"`, `path: "/a*b"`, false}, {`path: "/a{x}b"`, `path: "/acb"`, true},
		{`path: "/{a}-{b}"`, `path: "/{x}-{y}-{z}"`, true}, {`path: "/{p}/{p}"`, `path: "/{q}/{r}"`, false}, {`path: "/{p}/{p}"`, `path: "/a/a"`, false}, {`path: [/a, /b]`, `path: /b`, true}, {`path: /b`, `path: [/a, /b]`, false}, {`path: ["/a/**", /b]`, `path: [/a/x, /b]`, true}, {`path: "/A"`, `path: "/a"`, false},

		// Methods.
		{`path: /a`, `method: POST, path: /a`, true}, {`method: POST, path: /a`, `path: /a`, false}, {`method: [GET, POST], path: /a`, `method: POST, path: /a`, true}, {`method: GET, path: "/**"`, `method: [GET, POST], path: /a`, false}, {`method: GET, path: "/**"`, `method: GET, path: /a, query: {x: y}`, true},

		// Conditions.
		{`path: /a, query: {do: save}`, `path: /a, query: {do: save, id: "{id}"}`, true}, {`path: /a, query: {do: save, id: "*"}`, `path: /a, query: {do: save}`, false}, {`path: /a, query: {do: "*"}`, `path: /a, query: {do: save}`, true}, {`path: /a, query: {do: save}`, `path: /a, query: {do: "*"}`, false},
		{`path: /a, query: {do: [save, ""]}`, `path: /a, query: {do: save}`, true}, {`path: /a, query: {do: save}`, `path: /a, query: {do: [save, ""]}`, false}, {`path: /a, query: {do: ["*", ""]}`, `path: /a, query: {do: [x, ""]}`, true}, {`path: /a, query: {do: ""}`, `path: /a`, false}, {`path: /a, query: {do: ["*", ""]}`, `path: /a`, false},
		{`path: /a, query: {do: [a, b]}`, `path: /a, query: {do: [b, a]}`, true}, {`path: /a, query: {do: "a*"}`, `path: /a, query: {do: [ab, ac]}`, true}, {`path: /a, query: {do: "{x}"}`, `path: /a, query: {do: "*"}`, false}, {`path: /a, query: {do: save}, fold: true`, `path: /a, query: {do: SAVE}`, true},
		{`path: /a, query: {do: save}`, `path: /a, query: {do: save}, fold: true`, false}, {`path: /a, query: {do: "7"}`, `path: /a, query: {do: "7"}, fold: true`, true}, {`path: /a, query: {do: save}`, `path: /a, form: {do: save}`, false},
		{`path: /a, form: {do: save}`, `path: /a, form: {do: save}, only: [x]`, true}, {`path: /a, form: {do: save}, only: [x]`, `path: /a, form: {do: save}`, false}, {`path: /a, only: [x, y]`, `path: /a, only: [x]`, true}, {`path: /a, only: [x]`, `path: /a, only: [x, y]`, false}, {`path: /a, only: ["x*"]`, `path: /a, only: [xa, "xb*"]`, true},
		{`path: /a, only: []`, `path: /a, only: []`, true}, {`path: /a, only: []`, `path: /a, query: {x: y}, only: []`, false}, {`path: /a, query: {x: "*"}, only: []`, `path: /a, query: {x: y}, only: []`, true},
		{`path: /a, param: {do: save}`, `path: /a, query: {do: save}`, true}, {`path: /a, param: {do: save}`, `path: /a, form: {do: save}`, true}, {`path: /a, param: {do: [save, ""]}`, `path: /a, query: {do: save}`, false}, {`path: /a, query: {do: save}`, `path: /a, param: {do: save}`, false}, {`path: /a, param: {do: "*"}`, `path: /a, param: {do: save}`, true},
		{`path: /a, json: {do: save}`, `path: /a, json: {do: save, id: "{id}"}`, true}, {`path: /a, json: {do: "{x}"}`, `path: /a, json: {do: save}`, true}, {`path: /a, json: {do: save}`, `path: /a, json: {do: save}, batch: true`, false}, {`path: /a, json: {do: save}, batch: true`, `path: /a, json: {do: save}`, true},
		{`path: /a, keys: {p: [x, y]}`, `path: /a, keys: {p: [x]}`, true}, {`path: /a, keys: {p: [x]}`, `path: /a, keys: {p: [x, y]}`, false}, {`path: /a, keys: {p: [x]}`, `path: /a, keys: {q: [x]}`, false},
		{`path: /a, xml: {a.b: c}`, `path: /a, xml: {a.b: c, a.d: e}`, true}, {`path: /a, xml: {a.b: "*"}`, `path: /a, xml: {a.c: d}`, false}, {`path: /a, header: {SOAPAction: "*"}`, `path: /a, header: {soapaction: x}`, true}, {`path: /a, header: {SOAPAction: x}`, `path: /a`, false},
		{`path: /a, content_type: "application/*"`, `path: /a, content_type: application/json`, true}, {`path: /a, content_type: application/json`, `path: /a, content_type: "application/*"`, false}, {`path: /a, content_type: application/json`, `path: /a`, false},
		{`path: /a, graphql: {type: [query, mutation], field: "*"}`, `path: /a, graphql: {type: query, field: page}`, true}, {`path: /a, graphql: {type: query, field: page}`, `path: /a, graphql: {type: [query, mutation], field: page}`, false}, {`path: /a, graphql: {type: query, field: page}`, `path: /a, graphql: {type: query, field: page, argument: {id: "{id}"}}`, true}, {`path: /a, graphql: {type: query, field: page, argument: {id: "7"}}`, `path: /a, graphql: {type: query, field: page}`, false},
		{`path: "/{a}", where: {a: "[a-z]+"}`, `path: "/{b}"`, false}, {`path: "/{a}"`, `path: "/{b}", where: {b: "[a-z]+"}`, true}, {`path: "/{a}", query: {x: "{a}"}`, `path: "/{a}", query: {x: "{b}"}`, false}, {`path: "/**"`, `path: /a, json: {x: y}, only: [z], where: {}`, true},
	}

	var all []Source // in one set, so that the library is read once
	for i, c := range cases {
		head := strings.NewReplacer("LISTS", "", "COOKIE", ", cookie: sid", "name: a\n", fmt.Sprintf("name: a%d\n", i), "a.example", fmt.Sprintf("a%d.example", i)).Replace(securityAdapter)
		actions := fmt.Sprintf("  - {name: first, privileged: true, match: {%s}}\n  - {name: second, privileged: true, match: {%s}}", c.first, c.second)
		all = append(all, Source{Name: fmt.Sprintf("a%d.yaml", i), Text: []byte(head + actions)})
	}
	found := map[string]string{}
	_, err := Load(all)
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	for _, p := range append(problems, Harden(all)...) {
		found[p.File] += p.Error() + "\n"
	}
	for i, c := range cases {
		got := found[all[i].Name]
		if hidden := strings.Contains(got, `"second" can never be reached`); hidden != c.hidden {
			t.Errorf("after {%s}, {%s} is hidden: %v, want %v\n%s", c.first, c.second, hidden, c.hidden, got)
		}
	}
}

// Several actions together may hide another.
func TestAdapterCheckFindsActionsThatSeveralHide(t *testing.T) {
	for actions, want := range map[string]string{
		`  - {name: a, privileged: true, match: {method: GET, path: "/x/**"}}
  - {name: b, privileged: true, match: {method: POST, path: "/x/{id}"}}
  - {name: c, privileged: true, match: {method: [GET, POST], path: "/x/{id}", only: [y]}}`: `action "c" can never be reached: "a" on line 12 and "b" on line 13 match its requests first`,
		`  - {name: a, privileged: true, match: {path: "/x/**"}}
  - {name: b, privileged: true, match: {path: "/y/**"}}
  - {name: c, privileged: true, match: {path: [/x/1, /y/1]}}`: `action "c" can never be reached`,
		`  - {name: a, privileged: true, match: {path: "/x/**"}}
  - {name: c, privileged: true, match: {path: [/x/1, /y/1]}}`: "",

		`  - {name: a, privileged: true, match: {path: "/x/**"}}
  - {name: login, login: true, match: {method: POST, path: /x/signin}}`: `action "login" can never be reached`,

		`  - name: s
    privileged: true
    match: {method: GET, path: /s}
    websocket: true
    messages:
      - {name: all, match: {text: "*"}}
      - {name: one, match: {text: ping}}`: `message "one" can never be reached: "all" matches its messages first`,

		`  - name: s
    privileged: true
    match: {method: GET, path: /s}
    websocket: true
    messages:
      - {name: one, match: {text: ping}}
      - {name: two, match: {json: {type: a}}}
      - {name: three, match: {json: {type: a, id: "{id}"}}}
      - {name: four, match: {json: {type: b}}}`: `message "three" can never be reached: "two" matches its messages first`,

		`  - name: s
    privileged: true
    match: {method: GET, path: /s}
    websocket: true
    messages:
      - {name: one, match: {text: ping}}
      - {name: two, match: {prefix: "42", json: {type: a}}}
      - {name: three, match: {json: {type: a}}}
      - {name: four, binary: true}
      - {name: five, match: {text: "*"}}`: "",
	} {
		got := securityProblems(t, "", ", cookie: sid", actions)
		if isFound := strings.Contains(got, "can never be reached"); isFound != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%s\n%s\nwant %s", actions, got, want)
		}
	}
}

func TestAdapterCheckFindsWhatAnExtensionHides(t *testing.T) {
	const head = "name: a\nextends: mediawiki\nhosts: [a.example]\ninterim: {reason: r, owner: o, review_by: 2027-06-30}\nactions:\n"
	for action, want := range map[string]string{
		`  - {name: all, match: {path: "/**"}}`:                                       `hides "`,
		`  - {name: all, privileged: true, match: {path: "/**"}}`:                     "which is a login",
		`  - {name: one, match: {method: GET, path: /other, only: []}}`:               "",
		`  - {name: login, login: true, match: {method: POST, path: "/x/{rest...}"}}`: "",
	} {
		got := Harden([]Source{{Name: "a.yaml", Text: []byte(head + action)}}).Error()
		if strings.Contains(got, "hides") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", action, got, want)
		}
	}
}

// FuzzPatternCovers draws values that fit the narrow pattern, by a writer that shares nothing with the comparison, and
// wants the wide pattern to take each.
func FuzzPatternCovers(f *testing.F) {
	f.Add("a*b", "a{x}b", uint64(1))
	f.Add("{p}-{q:digits}", "{x}-1{y:digits}", uint64(2))
	f.Add("*x*", "{a}x{b}", uint64(3))
	f.Fuzz(func(t *testing.T, wideText, narrowText string, seed uint64) {
		if len(wideText)+len(narrowText) > 60 {
			return
		}
		var wideVars, narrowVars variables
		wide, errWide := compilePattern(wideText, &wideVars, false)
		narrow, errNarrow := compilePattern(narrowText, &narrowVars, false)
		if errWide != nil || errNarrow != nil || len(wideVars) > maxVariables || len(narrowVars) > maxVariables || !wide.covers(&narrow) {
			return
		}

		r := rand.New(rand.NewPCG(seed, 1))
		for range 20 {
			var value strings.Builder
			for _, p := range narrow.parts {
				switch {
				case !p.wild:
					value.WriteString(p.text)
				case p.kind == digits:
					fmt.Fprint(&value, r.IntN(200))
				default:
					n := r.IntN(4)
					if p.variable >= 0 {
						n++
					}
					for range n {
						value.WriteByte("ab-x.01"[r.IntN(7)])
					}
				}
			}
			var bindings bindings
			if text := value.String(); narrow.match(text, &bindings) {
				clear(bindings[:])
				if !wide.match(text, &bindings) {
					t.Fatalf("%q fits %q and not %q, which is said to cover it", text, narrowText, wideText)
				}
			}
		}
	})
}
