package testenv

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// NewSecret returns a new random value that [Env.SearchForSecrets] can find
// wherever it occurs.
func NewSecret() string { return "Cnry-" + strings.ToLower(rand.Text()) }

// minSecretLength is the number of bytes that a value needs so that it does not
// occur by chance. Shorter values are not searched for.
const minSecretLength = 12

// secrets holds the values to search for. Each map leads from a value to its
// description. The methods are safe for concurrent use.
type secrets struct {
	mu       sync.Mutex        // guards the maps
	accounts map[string]string // of compensating accounts; neither agents nor operators may see them
	tokens   map[string]string // of tasks; only the agent may see its own
	borrowed map[string]string // lent by a person; no application may see them
}

func (s *secrets) addAccountSecret(what, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	addSecret(&s.accounts, what, value)
}

func (s *secrets) addToken(what, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	addSecret(&s.tokens, what, value)
}

func (s *secrets) addBorrowed(c *http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, value := range secretParts(c) {
		addSecret(&s.borrowed, "a person's cookie "+c.Name, value)
	}
}

func addSecret(m *map[string]string, what, value string) {
	if len(value) < minSecretLength {
		return
	}
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[value] = what
}

// secretParts returns the secrets in a cookie: its value and, if that is a
// list, the elements (WordPress: name|expiry|token|MAC). It returns nil for
// cookies of the shared applications that hold plain words.
func secretParts(c *http.Cookie) []string {
	switch {
	case c.Name == "wordpress_test_cookie", c.Name == "redirect_to", c.Name == "gitea_flash",
		strings.HasPrefix(c.Name, "wp-settings-"), strings.HasSuffix(c.Name, "UserName"):
		return nil
	}

	parts := []string{c.Value}
	plain, err := url.QueryUnescape(c.Value)
	if err != nil {
		return parts
	}
	if elements := strings.Split(plain, "|"); len(elements) > 1 {
		parts = append(parts, elements...)
	}
	return parts
}
