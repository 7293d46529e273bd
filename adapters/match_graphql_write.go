package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"

	"github.com/byline-proxy/byline/adapters/internal/body"
)

// canonicalDocument returns a GraphQL document in the one spelling that Byline sends: its tokens, with a space where two
// of them would become one, and without comments, commas and line ends. Block strings become plain strings. It is false
// for a text that is not made of tokens, or of too many.
func canonicalDocument(document string) (string, bool) {
	lex := lexer.New(&ast.Source{Input: document})
	out := make([]byte, 0, len(document))
	last := lexer.EOF

	for count := 0; ; {
		token, err := lex.ReadToken()
		if err != nil {
			return "", false
		}
		if token.Kind == lexer.EOF {
			return string(out), true
		}
		if token.Kind == lexer.Comment {
			continue
		}
		if count++; count > maxGraphQLTokens {
			return "", false
		}
		if strings.ContainsRune(token.Value, utf8.RuneError) {
			return "", false // half of a surrogate pair, which others refuse or keep
		}

		if needsSpace(last, token) {
			out = append(out, ' ')
		}
		out = appendGraphQLToken(out, token)
		last = token.Kind
	}
}

// needsSpace reports whether a token must not follow another one at once: a name a name, a spread a number, and a string
// an empty string, with which it would begin a block string.
func needsSpace(last lexer.Type, token lexer.Token) bool {
	if !isGraphQLWord(last) {
		return last == lexer.Spread && token.Kind == lexer.Name && token.Value == "on"
	}
	return isGraphQLWord(token.Kind) || token.Kind == lexer.Spread
}

func isGraphQLWord(kind lexer.Type) bool {
	return kind == lexer.Name || kind == lexer.Int || kind == lexer.Float || kind == lexer.String || kind == lexer.BlockString
}

// graphQLMarks are the tokens that have one spelling.
var graphQLMarks = map[lexer.Type]string{
	lexer.Bang: "!", lexer.Dollar: "$", lexer.Amp: "&", lexer.ParenL: "(", lexer.ParenR: ")", lexer.Spread: "...", lexer.Colon: ":", lexer.Equals: "=", lexer.At: "@",
	lexer.BracketL: "[", lexer.BracketR: "]", lexer.BraceL: "{", lexer.BraceR: "}", lexer.Pipe: "|",
}

func appendGraphQLToken(dst []byte, token lexer.Token) []byte {
	switch token.Kind {
	case lexer.String, lexer.BlockString:
		return appendGraphQLString(dst, token.Value)
	case lexer.Name, lexer.Int, lexer.Float:
		return append(dst, token.Value...)
	}
	return append(dst, graphQLMarks[token.Kind]...)
}

// appendGraphQLString appends a string with escapes that every version of the language has. Characters beyond U+FFFF
// have none, and stand for themselves.
func appendGraphQLString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', byte(c))
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c <= 0xffff && (unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp)):
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'u', digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15])
		default:
			dst = append(dst, string(c)...)
		}
	}
	return append(dst, '"')
}

// documentHash is by what clients and servers name a document that was sent before.
func documentHash(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// splice is a part of a JSON text that is replaced by a text.
type splice struct {
	start, end int
	text       string
}

// rewriteGraphQL gives the documents of all calls in the JSON body their canonical spelling, and their hashes
// next to them. It leaves what cannot be read unchanged, and readGraphQL refuses it.
func (r *request) rewriteGraphQL() bool {
	var all []splice
	add := func(v body.Value, text string) {
		if v.Text() != text {
			start, end := v.Span()
			all = append(all, splice{start, end, text})
		}
	}

	for _, call := range r.calls(true) {
		call, clear := r.graphQLCallIn(call)
		document := call.Get("query")
		if !clear || document.Kind() != body.JSONString || !isClearDocument(document.Text()) {
			continue
		}
		text, ok := canonicalDocument(document.Text())
		if !ok {
			continue
		}
		add(document, text)
		if hash := call.Get("extensions").Get("persistedQuery").Get("sha256Hash"); hash.Kind() == body.JSONString {
			if hash.Text() != documentHash(document.Text()) {
				return r.doubtBody(doubtHash)
			}
			add(hash, documentHash(text))
		}
	}
	if len(all) == 0 {
		return true
	}

	slices.SortFunc(all, func(a, b splice) int { return a.start - b.start })
	whole := r.json.Bytes()
	text := make([]byte, 0, len(whole))
	at := 0
	for _, s := range all {
		text = append(text, whole[at:s.start]...)
		text = body.AppendJSONString(text, s.text)
		at = s.end
	}
	text = append(text, whole[at:]...)

	var rewritten body.JSON
	if err := rewritten.Parse(text, body.JSONOptions{MaxValues: maxJSONValues}); err != nil {
		return r.doubtError(err)
	}
	r.json = rewritten
	return true
}

// graphQLCallIn is the GraphQL request in a call of a JSON body.
func (r *request) graphQLCallIn(call body.Value) (found body.Value, clear bool) {
	if r.graphqlAt == "" {
		return call, true
	}
	return valueAtPointer(call, r.graphqlAt)
}

// doubtHash is about a request that names one document and holds another. Some servers look the named one up first.
const doubtHash = "the hash in extensions.persistedQuery is not that of the GraphQL document"

// doubtExtension is about what a server may look a document up by.
const doubtExtension = "is not among the extensions that all servers read alike"

// checkExtensions reports whether extensions hold nothing by which a server may run another document. It sets r.doubt.
func (r *request) checkExtensions(extensions body.Value) bool {
	if isNothing(extensions) {
		return true
	}
	if extensions.Kind() != body.JSONObject {
		return false
	}
	for key, member := range extensions.Members() {
		switch {
		case key == "clientLibrary" || key == "tracing":
		case key == "persistedQuery" && isNothing(member):
		case key == "persistedQuery" && hasKeysOf(member, "version", "sha256Hash") && member.Get("sha256Hash").Kind() == body.JSONString:
		default:
			r.doubt = doubt{why: doubtExtension, name: key}
			return false
		}
	}
	return true
}

// hasKeysOf reports an object with no other keys.
func hasKeysOf(v body.Value, keys ...string) bool {
	if v.Kind() != body.JSONObject {
		return false
	}
	for key := range v.Members() {
		if !slices.Contains(keys, key) {
			return false
		}
	}
	return true
}

// storedNames are the members and parameters by which servers look up a document.
var storedNames = []string{"id", "documentId", "doc_id", "queryId"}

// storedDocument returns by what name a call asks for a document that the server has, if it has no document itself. It is
// not ok if it has two such names.
func storedDocument(call body.Value) (id string, ok bool) {
	var all []string
	for _, name := range storedNames {
		if v := call.Get(name); v.Kind() == body.JSONString || v.Kind() == body.JSONNumber && v.IsExact() {
			all = append(all, v.Text())
		} else if !isNothing(v) {
			return "", false
		}
	}
	if hash := call.Get("extensions").Get("persistedQuery").Get("sha256Hash"); hash.Kind() == body.JSONString {
		all = append(all, hash.Text())
	}
	if len(all) != 1 || strings.TrimSpace(all[0]) == "" {
		return "", false
	}
	return all[0], true
}
