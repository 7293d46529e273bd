package apps

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// jar is a person's browser, as far as logging in needs one: it keeps cookies
// by name and path. It speaks plain HTTP to the application under its public
// name, and so keeps Secure cookies too.
type jar struct {
	at, public string
	host       string
	cookies    []*http.Cookie
	line       string // a Cookie header in place of cookies
	http       *http.Client
}

func newJar(at, public string) *jar {
	u, _ := url.Parse(public)
	return &jar{at: at, public: public, host: u.Host, http: &http.Client{
		Timeout:       60 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (j *jar) get(path string) (int, string, error) { return j.do("GET", path, nil) }

func (j *jar) post(path string, form url.Values) (int, string, error) {
	return j.do("POST", path, form)
}

func (j *jar) do(method, path string, form url.Values) (int, string, error) {
	q, err := http.NewRequest(method, j.at+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	q.Host = j.host
	scheme, _, _ := strings.Cut(j.public, ":")
	q.Header.Set("X-Forwarded-Proto", scheme)
	q.Header.Set("Referer", j.public+path)
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if j.line != "" {
		q.Header.Set("Cookie", j.line)
	}
	for _, c := range j.cookies {
		if strings.HasPrefix(q.URL.Path, c.Path) {
			q.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	answer, err := j.http.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	for _, c := range answer.Cookies() {
		j.set(c)
	}
	return answer.StatusCode, string(body), err
}

func (j *jar) set(c *http.Cookie) {
	if c.Path == "" {
		c.Path = "/"
	}
	kept := j.cookies[:0:0]
	for _, old := range j.cookies {
		if old.Name != c.Name || old.Path != c.Path {
			kept = append(kept, old)
		}
	}
	if c.MaxAge >= 0 && (c.Expires.IsZero() || c.Expires.After(time.Now())) {
		kept = append(kept, c)
	}
	j.cookies = kept
}

func (j *jar) has(part string) bool {
	for _, c := range j.cookies {
		if strings.Contains(c.Name, part) {
			return true
		}
	}
	return false
}

func (j *jar) all() []*http.Cookie { return j.cookies }

var errLogin = errors.New("the application refused the login")

// field is the value of the first input of that name in page.
func field(page, name string) string {
	_, rest, ok := strings.Cut(page, `name="`+name+`"`)
	if !ok {
		return ""
	}
	tag, _, _ := strings.Cut(rest, ">")
	_, value, _ := strings.Cut(tag, `value="`)
	value, _, _ = strings.Cut(value, `"`)
	return value
}
