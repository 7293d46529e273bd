package adapters

import (
	"net/url"
	"strings"
	"testing"
)

const escapesAdapter = `paths: {encoded: {escapes: ["%2F", "%23", "%25", "%3b", "%3F"], because: test}}
`

// TestI11EscapesAsDataAreMatchedDecoded: a slash that is escaped separates nothing, and the resource has it as a slash.
func TestI11EscapesAsDataAreMatchedDecoded(t *testing.T) {
	actions := []string{
		`name: issues, match: {path: "/projects/{project}/issues"}, resource: "project/{project}"`,
		`name: queue, match: {path: "/queues/{vhost}/{queue}"}, resource: "queue/{vhost}|{queue}"`,
		`name: build, match: {path: "/build/{project}-{id:digits}"}, resource: "build/{project}|{id}"`,
		`name: file, match: {path: "/files/{path...}"}, resource: "file/{path}"`,
		`name: literal, match: {path: "/a/b"}`,
	}
	a, plain := loadActions(t, escapesAdapter, actions...), loadActions(t, "", actions...)
	for path, want := range map[string]string{
		"/projects/grp%2Fproj/issues":       "issues project/grp/proj",
		"/projects/grp%2fsub%2fproj/issues": "issues project/grp/sub/proj",
		"/projects/plain/issues":            "issues project/plain",
		"/queues/%2F/q1":                    "queue queue//|q1",
		"/build/a%2Fb-7":                    "build build/a/b|7",
		"/files/100%25%20done.txt":          "file file/100% done.txt",
		"/files/C%23/Program.cs":            "file file/C#/Program.cs",
		"/files/what%3F":                    "file file/what?",
		"/files/a%3Bb":                      "file file/a;b",
		"/files/Z%C3%BCrich":                "file file/Zürich",
		"/a%2Fb":                            "refused",
		"/a/b":                              "literal",
		"/files/a%252Fb":                    "refused",
		"/files/a%252e":                     "refused",
		"/files/..%2Fb":                     "refused",
		"/files/a%2F..%2Fb":                 "refused",
		"/files/a%2F.%2Fb":                  "refused",
		"/files/a%5Cb":                      "refused",
		"/files/a%1Fb":                      "refused",
		"/files/a\x1fb":                     "refused",
		"/files/a%00b":                      "refused",
		"/files//b":                         "refused",
		"/files/a;b":                        "refused",
		"/files/a%":                         "refused",
		"/files/a%2":                        "refused",
		"/files/%FF":                        "refused",
	} {
		if got := verdictOf(a, Query{Method: "GET", Path: path}); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
		if strings.Contains(path, "%2F") || strings.Contains(path, "%2f") {
			if got := verdictOf(plain, Query{Method: "GET", Path: path}); got != "refused" {
				t.Errorf("%q without paths.encoded: got %q, want refused", path, got)
			}
		}
	}
}

func TestEscapesThatCannotBeDataAreNotAccepted(t *testing.T) {
	for _, encoded := range []string{`{escapes: ["%2E"], because: x}`, `{escapes: ["%5C"], because: x}`, `{escapes: ["/"], because: x}`, `{escapes: ["%2F"]}`, `{because: x}`, `{escapes: [], because: x}`, `{escapes: ["%00"], because: x}`} {
		text := "name: a\nhosts: [a.example]\ninterim: {reason: r, owner: o, review_by: 2099-01-01}\nlogin: {kind: basic}\npaths: {encoded: " + encoded + "}\nactions: [{name: x, match: {path: /x}}]\n"
		if _, err := Load([]Source{{Name: "a.yaml", Text: []byte(text)}}); err == nil {
			t.Errorf("%s is accepted", encoded)
		}
	}
}

// FuzzEscapesAsData compares the decoding with that of net/url, which every path that is accepted decodes to once, and
// which must find nothing more to decode.
func FuzzEscapesAsData(f *testing.F) {
	for _, path := range []string{"/a%2Fb", "/100%25", "/a%252F", "/%2e%2e%2fb", "/a%5c", "/é%C3%A9", "/a%3bb%3fc%23", "/\x1f"} {
		f.Add(path, "/#%;?")
	}
	f.Fuzz(func(t *testing.T, path, escapes string) {
		if strings.Trim(escapes, "/#%;?") != "" {
			return
		}
		got, ok := decodeEscapedPath(path, pathEscapes(escapes))
		if !ok {
			return
		}
		want, err := url.PathUnescape(path)
		plain := withSlashes(got)
		if err != nil || plain != want {
			t.Fatalf("%q decodes to %q, and net/url says %q, %v", path, plain, want, err)
		}
		if strings.Count(got, "/") != strings.Count(path, "/") {
			t.Fatalf("%q has other segments: %q", path, got)
		}
		if again, err := url.PathUnescape(plain); err == nil && again != plain && !strings.Contains(escapes, "%") {
			t.Fatalf("%q decodes twice, to %q", path, again)
		}
		for segment := range strings.SplitSeq(plain, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q has a dot segment", path)
			}
		}
	})
}
