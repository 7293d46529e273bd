package testenv

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Password is a new secret that can be found again wherever it gets to.
func Password() string { return "Cnry-" + strings.ToLower(rand.Text()) }

// shortest is how long a value must be to be told from chance, in bytes.
const shortest = 12

// marks are the values that must not turn up anywhere. They are safe for
// concurrent use.
type marks struct {
	mu       sync.Mutex
	secrets  map[string]string // value → what it is; of compensating accounts: neither agents nor operators see them
	tokens   map[string]string // of tasks: the agent's own, so it alone sees them
	borrowed map[string]string // lent by a person: no application sees them
}

func put(m *map[string]string, what, value string) {
	if len(value) < shortest {
		return
	}
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[value] = what
}

func (m *marks) secret(what, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	put(&m.secrets, what, value)
}

func (m *marks) token(what, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	put(&m.tokens, what, value)
}

func (m *marks) borrow(c *http.Cookie) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range parts(c) {
		put(&m.borrowed, "a person's cookie "+c.Name, v)
	}
}

// parts are the secrets in a cookie: its value, and what it is made of where
// that is a list (WordPress: name|expiry|token|MAC). Cookies that hold words
// are none.
func parts(c *http.Cookie) (out []string) {
	if c.Name == "wordpress_test_cookie" || c.Name == "redirect_to" || c.Name == "gitea_flash" || strings.HasPrefix(c.Name, "wp-settings-") || strings.HasSuffix(c.Name, "UserName") {
		return nil
	}
	out = append(out, c.Value)
	plain, err := url.QueryUnescape(c.Value)
	if err != nil {
		return out
	}
	if list := strings.Split(plain, "|"); len(list) > 1 {
		out = append(out, list...)
	}
	return out
}

// forms are the ways in which a value may be written, in lower case.
func forms(value string) (all [][]byte) {
	add := func(s string) { all = append(all, bytes.ToLower([]byte(s))) }
	for _, v := range spellings(value) {
		add(v)
		add(hex.EncodeToString([]byte(v)))
		for shift := range 3 { // base64 looks different at each offset from a group of three
			b := append(make([]byte, shift), v...)
			for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				s := enc.EncodeToString(b)
				// The first characters also hold the bytes before, the last ones those after.
				s = s[(shift*8+5)/6 : len(b)*8/6]
				add(s)
			}
		}
	}
	return all
}

func spellings(value string) []string {
	out := []string{value}
	quoted, _ := json.Marshal(value)
	for _, v := range []string{url.QueryEscape(value), url.PathEscape(value), html.EscapeString(value), strings.Trim(string(quoted), `"`)} {
		if v != value {
			out = append(out, v)
		}
	}
	if plain, err := url.QueryUnescape(value); err == nil && plain != value {
		out = append(out, plain)
	}
	return out
}

// index finds many values in one pass. Values are told by their first bytes.
type index struct {
	first map[[window]byte][]entry
}

type entry struct {
	form []byte
	what string
}

const window = 10

func newIndex(values ...map[string]string) *index {
	ix := &index{first: map[[window]byte][]entry{}}
	for _, m := range values {
		for value, what := range m {
			for _, f := range forms(value) {
				if len(f) >= window {
					k := [window]byte(f)
					ix.first[k] = append(ix.first[k], entry{f, what})
				}
			}
		}
	}
	return ix
}

// find says what of the index is in text, or "".
func (ix *index) find(text []byte) string {
	text = bytes.ToLower(text)
	for i := 0; i+window <= len(text); i++ {
		for _, e := range ix.first[[window]byte(text[i:])] {
			if bytes.HasPrefix(text[i:], e.form) {
				return e.what
			}
		}
	}
	return ""
}

// Holds says whether text has the value in it, in any form.
func Holds(text, value string) bool {
	return newIndex(map[string]string{value: "it"}).find([]byte(text)) != ""
}
