package adapters

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func graphQLBody(document string, more ...string) string {
	text, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	return `{"query":` + string(text) + strings.Join(more, "") + `}`
}

// TestI11GraphQLRunsTheDocumentThatWasRead: nothing next to a document makes a server run another one.
func TestI11GraphQLRunsTheDocumentThatWasRead(t *testing.T) {
	a := loadActions(t, "",
		`name: page, match: {method: [GET, POST], path: /gql, query: {lang: ["*", ""]}, graphql: {type: query, field: page, argument: {id: "{id}"}}}, resource: "{id}"`,
		`name: only, match: {method: [GET, POST], path: /only, graphql: {type: query, field: page}, only: [query, variables, trace]}`)
	const document = "{page(id:7){t}}"
	hash, other := documentHash(document), documentHash("mutation{deletePage(id:1)}")
	persisted := func(hash string) string { return `{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}` }

	for _, c := range []struct{ name, params, body, want string }{
		{"plain", "", "", "page 7"}, {"a parameter that the adapter names", "lang=de", "", "page 7"}, {"null", "", `,"extensions":null,"variables":null,"operationName":null`, "page 7"},
		{"hash of the document", "extensions=" + persisted(hash), `,"extensions":` + persisted(hash), "page 7"},
		{"client library", `extensions={"clientLibrary":{"name":"a"}}`, `,"extensions":{"clientLibrary":{"name":"a"}}`, "page 7"},
		{"hash of another", "extensions=" + persisted(other), `,"extensions":` + persisted(other), "refused"},
		{"hash in upper case", "extensions=" + persisted(strings.ToUpper(hash)), `,"extensions":` + persisted(strings.ToUpper(hash)), "refused"},
		{"another hash", `extensions={"persistedQuery":{"sha1":"x","sha256Hash":"` + hash + `"}}`, `,"extensions":{"persistedQuery":{"id":"x","sha256Hash":"` + hash + `"}}`, "refused"},
		{"persistedQuery in another case", `extensions={"persistedquery":{"sha256Hash":"x"}}`, `,"extensions":{"PersistedQuery":{"sha256Hash":"x"}}`, "refused"},
		{"unknown extension", `extensions={"document":"x"}`, `,"extensions":{"documentId":"x"}`, "refused"}, {"extensions as text", `extensions="x"`, `,"extensions":"x"`, "refused"},
		{"id", "id=abc", `,"id":"abc"`, "refused"}, {"documentId", "documentId=abc", `,"documentId":"abc"`, "refused"}, {"doc_id", "doc_id=1", `,"doc_id":1`, "refused"}, {"queryId", "queryId=1", `,"queryId":"1"`, "refused"},
		{"unknown parameter", "hash=abc", `,"hash":"abc"`, "refused"}, {"mutation", "mutation=x", `,"mutation":"x"`, "refused"},
		{"query twice", "query={users}", `,"query":"{users}"`, "refused"}, {"query as PHP reads it", "query[]={users}", `,"Query":"{users}"`, "refused"},
		{"injected member", `variables={},"query":"{users}"`, `,"variables":"{}"`, "refused"}, {"variables twice", "variables={}&variables={}", `,"variables":{},"variables":{}`, "refused"},
	} {
		get := Query{Method: "GET", Path: "/gql", NoBody: true, RawQuery: "query=" + url.QueryEscape(document)}
		for pair := range strings.SplitSeq(c.params, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if pair != "" {
				get.RawQuery += "&" + name + "=" + url.QueryEscape(value)
			}
		}
		if got := verdictOf(a, get); got != c.want {
			t.Errorf("%s, GET ?%s: got %q, want %q", c.name, get.RawQuery, got, c.want)
		}
		post := Query{Method: "POST", Path: "/gql", ContentType: "application/json", Body: []byte(graphQLBody(document, c.body))}
		if got := verdictOf(a, post); got != c.want {
			t.Errorf("%s, POST %s: got %q, want %q", c.name, post.Body, got, c.want)
		}
		if c.params == "" || c.want != "refused" || strings.HasPrefix(c.params, "extensions") || strings.HasPrefix(c.params, "variables") {
			continue
		}
		post = Query{Method: "POST", Path: "/gql", RawQuery: c.params, ContentType: "application/json", Body: []byte(graphQLBody(document))}
		if got := verdictOf(a, post); got != c.want {
			t.Errorf("%s, POST ?%s: got %q, want %q", c.name, c.params, got, c.want)
		}
	}

	for _, q := range []Query{
		{Method: "POST", Path: "/gql", ContentType: "application/json", Body: []byte(`{"extensions":` + persisted(hash) + `}`)},
		{Method: "GET", Path: "/gql", RawQuery: "extensions=" + url.QueryEscape(persisted(hash)), NoBody: true}, {Method: "GET", Path: "/gql", RawQuery: "id=abc", NoBody: true},
		{Method: "POST", Path: "/gql", ContentType: formType, Body: []byte("query=" + url.QueryEscape(document))},
	} {
		if got := verdictOf(a, q); got != "refused" {
			t.Errorf("%s ?%s %s: got %q, want that it is refused", q.Method, q.RawQuery, q.Body, got)
		}
	}
	q := Query{Method: "POST", Path: "/only", RawQuery: "trace=1", ContentType: "application/json", Body: []byte(graphQLBody(document))}
	if got := verdictOf(a, q); got != "only" {
		t.Errorf("a parameter that only lists: got %q, want only", got)
	}
}

// TestGraphQLStoredDocuments: an adapter names the documents that the application has.
func TestGraphQLStoredDocuments(t *testing.T) {
	hash := documentHash("{page(id:7){t}}")
	a := loadActions(t, "",
		`name: page, match: {method: [GET, POST], path: /gql, graphql: {type: query, field: page}}`,
		`name: stored, match: {method: [GET, POST], path: /gql, graphql: {stored: ["`+hash+`", "list-*"]}}`)
	for _, c := range []struct{ params, body, want string }{
		{"id=list-1", `{"id":"list-1","variables":{"a":1}}`, "stored"}, {"documentId=list-1&variables={}", `{"documentId":"list-1","query":""}`, "stored"},
		{`extensions={"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}`, `{"operationName":"A","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}}`, "stored"},
		{"id=drop-1", `{"id":"drop-1"}`, "refused"}, {"id=list-1&doc_id=drop-1", `{"id":"list-1","doc_id":"drop-1"}`, "refused"}, {"id=list-1&query={page}", `{"id":"list-1","query":"{page}"}`, "refused"},
		{"id=list-1&hash=drop-1", `{"id":"list-1","hash":"drop-1"}`, "refused"}, {"query={page}", `{"query":"{page}"}`, "page"},
	} {
		get := Query{Method: "GET", Path: "/gql", NoBody: true, RawQuery: strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22").Replace(c.params)}
		if got := verdictOf(a, get); got != c.want {
			t.Errorf("GET ?%s: got %q, want %q", c.params, got, c.want)
		}
		post := Query{Method: "POST", Path: "/gql", ContentType: "application/json", Body: []byte(c.body)}
		if got := verdictOf(a, post); got != c.want {
			t.Errorf("POST %s: got %q, want %q", c.body, got, c.want)
		}
	}
	post := Query{Method: "POST", Path: "/gql", RawQuery: "id=drop-1", ContentType: "application/json", Body: []byte(`{"id":"list-1"}`)}
	if got := verdictOf(a, post); got != "refused" {
		t.Errorf("an id in the query and one in the body: got %q, want that it is refused", got)
	}
}

// TestI11GraphQLGoesOutRewritten: the document leaves in its canonical spelling, with the hash of that.
func TestI11GraphQLGoesOutRewritten(t *testing.T) {
	a := loadActions(t, "", `name: page, match: {method: [GET, POST], path: /gql, batch: true, graphql: {type: query, field: page, argument: {id: "{id}"}}}, resource: "{id}"`)
	const document = "query A ( $i : ID = 7 ) { # a comment\n  page ( id : \"7\\u0061\" , x : \"\"\"\n    a\n      \"b\\\"\"\"\n  \"\"\" ) @include(if:true) { ... F, ...on Page{t} } }\n\nfragment F on Page { t }"
	const canonical = `query A($i:ID=7){page(id:"7a" x:"a\n  \"b\"\"\"")@include(if:true){...F ... on Page{t}}}fragment F on Page{t}`

	text, ok := canonicalDocument(document)
	if !ok || text != canonical {
		t.Fatalf("the canonical spelling is %q, want %q", text, canonical)
	}
	extensions := `,"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + documentHash(document) + `"}}`
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{Method: "POST", ContentType: "application/json", Body: []byte(graphQLBody(document, extensions))}, graphQLBody(canonical, strings.ReplaceAll(extensions, documentHash(document), documentHash(canonical)))},
		{Query{Method: "POST", ContentType: "application/json", Body: []byte("[" + graphQLBody(document) + "," + graphQLBody(document) + "]")}, "[" + graphQLBody(canonical) + "," + graphQLBody(canonical) + "]"},
		{Query{Method: "POST", ContentType: "application/graphql", Body: []byte("\ufeff" + document)}, canonical},
		{Query{Method: "GET", NoBody: true, RawQuery: "query=" + url.QueryEscape(document) + "&variables=" + url.QueryEscape(`{ "i" : "\u0061" }`)}, canonical + ` {"i":"a"}`},
	} {
		c.q.Path = "/gql"
		action, out, why := a.Read(c.q)
		if why != nil || action.Resource != "7a" {
			t.Errorf("%s %s: %v %v, want page 7a", c.q.Method, c.q.ContentType, action, why)
			continue
		}
		got := string(out.Body)
		if c.q.NoBody {
			sent, _ := url.ParseQuery(out.Query)
			got = sent.Get("query") + " " + sent.Get("variables")
		}
		if got != c.want {
			t.Errorf("%s %s: %s goes out, want %s", c.q.Method, c.q.ContentType, got, c.want)
		}
	}
}

// TestRealGraphQL compares documents before and after with graphql-js, the reference implementation.
func TestRealGraphQL(t *testing.T) {
	ask := startGraphQL(t)
	random := rand.New(rand.NewPCG(1, 2))
	sent, refused := 0, 0
	for i := range 3000 {
		document := randomDocument(random)
		if i < len(hostileDocuments) {
			document = hostileDocuments[i]
		}
		canonical, ok := canonicalDocument(document)
		if !ok || !isClearDocument(document) {
			refused++
			continue
		}

		before, after := ask(document), ask(canonical)
		switch {
		case before.Error != "" && after.Error == "":
			t.Errorf("%q, which graphql-js refuses (%s), goes out as %q", document, before.Error, canonical)
		case before.Print != after.Print:
			t.Errorf("graphql-js reads %q as %q, and %q, which goes out, as %q (%s)", document, before.Print, canonical, after.Print, after.Error)
		}
		if before.Error == "" {
			sent++
		}
	}
	if sent < 500 {
		t.Errorf("%d documents were compared and %d refused, want 500 or more", sent, refused)
	}
}

// hostileDocuments are those in which readers may differ.
var hostileDocuments = []string{
	`{a(b:"\ud83d\ude00")}`, `{a(b:"😀")}`, `{a(b:"")c(d:"x")}`, `{a(b:["" "x" """y"""])}`, `{a(b:1 c:2.0e5...F)}fragment F on X{y}`, `{a(b:[1,2 3])}`, `{a ... on X{y}...F}fragment F on on2{y}`,
	`{a(b:"\u0000\b\f\/\\")}`, "{a(b:\"\"\"\n  x\n\ty\n \"\"\")}", `{a(b:"""\u0041\""" """)}`, "{a#}\r b}", "{a(b:\"\u2028\")}", "\ufeff{a}", `query($a:[X!]!=[1]@d){a(b:$a)@e(f:{g:$a,h:null})}`,
	`{a(b:"\u{1F600}")}`, `subscription S{a:b}`, `{a(b:-0)}`, `{a(b:01)}`, `{a(b:1.)}`, `{a(b:.5)}`, `{a(b:1x)}`, "{a(b:\"x\ny\")}", `{a(b:"\x41")}`, `{a(b:"\ud800")}`, "{a(b:\"\"\"\r\n x\r y\r\n\"\"\")}", "{a(b:\"\t\")}",
}

// randomDocument writes a document, or almost one.
func randomDocument(random *rand.Rand) string {
	pieces := []string{"{", "}", "(", ")", "a", "b:", "on", "...", "...F", " ", "\n", ",", "#x\n", "#\r", `"s"`, `""`, `"""t"""`, "\"\"\"\n  u\n\"\"\"", "1", "-2.5e3", "$v", "@d", "!", "=", "[", "]", "|", "&", "true", "null", `"\u0041\n"`, "ä", `"ä"`, "\\"}
	value := func() string {
		values := []string{`"s"`, `""`, `"\u00e4\"\\"`, "1", "-2.5", "$v", "ENUM", "true", "null", `[1 "a",{b:2}]`, "\"\"\"\n  x\n   \"y\"\n\"\"\"", `""" \""" """`, `{a:"b"c:[]}`}
		return values[random.IntN(len(values))]
	}
	if random.IntN(4) == 0 {
		var out strings.Builder
		for range random.IntN(20) {
			out.WriteString(pieces[random.IntN(len(pieces))])
		}
		return out.String()
	}
	gap := func() string { return []string{"", " ", "\n", ",", " #c\n", "\t"}[random.IntN(6)] }
	document := fmt.Sprintf("query Q($v:X=1)%s{%sa%s(%sb%s:%s%s,c:%s%s)%s@d(e:%s)%s{x %s...F%s}%s}", gap(), gap(), gap(), gap(), gap(), gap(), value(), gap(), value(), gap(), value(), gap(), gap(), gap(), gap())
	return document + "\nfragment F on T{y}"
}

type graphQLReading struct{ Print, Error string }

// startGraphQL starts graphql-js.
func startGraphQL(t *testing.T) (ask func(document string) graphQLReading) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts an interpreter")
	}
	cache := os.Getenv("BYLINE_E2E_CACHE")
	if cache == "" {
		user, _ := os.UserCacheDir()
		cache = filepath.Join(user, "byline-e2e")
	}
	modules := filepath.Join(cache, "body", "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "graphql")); err != nil {
		t.Skipf("%v: run cmd/byline/e2e/install.sh", err)
	}

	cmd := exec.Command("node", "internal/body/testdata/node/graphql.js")
	cmd.Env = append(os.Environ(), "BYLINE_NODE_MODULES="+modules)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})

	lines := bufio.NewReader(out)
	return func(document string) (answer graphQLReading) {
		line, err := json.Marshal(document)
		if err == nil {
			_, err = in.Write(append(line, '\n'))
		}
		if err == nil {
			line, err = lines.ReadBytes('\n')
		}
		if err == nil {
			err = json.Unmarshal(line, &answer)
		}
		if err != nil && err != io.EOF {
			t.Fatalf("%q: %v", document, err)
		}
		return answer
	}
}
