package apps

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

var errLogin = errors.New("the application rejected the login")

// browser does what a person's browser does to log in: it keeps cookies by
// name and path. It sends plain HTTP to the application with the public host
// name, and therefore keeps Secure cookies too.
type browser struct {
	baseURL, publicURL string
	host               string
	cookies            []*http.Cookie
	cookieHeader       string // sent before cookies; empty for none
	client             *http.Client
}

func newBrowser(baseURL, publicURL string) *browser {
	public, _ := url.Parse(publicURL)
	client := &http.Client{
		Timeout:       60 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &browser{baseURL: baseURL, publicURL: publicURL, host: public.Host, client: client}
}

func (b *browser) get(path string) (status int, page string, err error) {
	return b.request("GET", path, nil)
}

func (b *browser) post(path string, form url.Values) (status int, page string, err error) {
	return b.request("POST", path, form)
}

func (b *browser) request(method, path string, form url.Values) (status int, page string, err error) {
	req, err := http.NewRequest(method, b.baseURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}

	scheme, _, _ := strings.Cut(b.publicURL, ":")
	req.Host = b.host
	req.Header.Set("X-Forwarded-Proto", scheme)
	req.Header.Set("Referer", b.publicURL+path)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.cookieHeader != "" {
		req.Header.Set("Cookie", b.cookieHeader)
	}
	for _, c := range b.cookies {
		if strings.HasPrefix(req.URL.Path, c.Path) {
			req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}

	resp, err := b.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()

	body, err := io.ReadAll(resp.Body)
	for _, c := range resp.Cookies() {
		b.setCookie(c)
	}
	return resp.StatusCode, string(body), err
}

// setCookie replaces the cookie with the same name and path, or removes it if
// c has expired.
func (b *browser) setCookie(c *http.Cookie) {
	if c.Path == "" {
		c.Path = "/"
	}

	var cookies []*http.Cookie
	for _, old := range b.cookies {
		if old.Name != c.Name || old.Path != c.Path {
			cookies = append(cookies, old)
		}
	}
	if c.MaxAge >= 0 && (c.Expires.IsZero() || c.Expires.After(time.Now())) {
		cookies = append(cookies, c)
	}
	b.cookies = cookies
}

// hasCookie reports whether the name of any cookie contains part.
func (b *browser) hasCookie(part string) bool {
	for _, c := range b.cookies {
		if strings.Contains(c.Name, part) {
			return true
		}
	}
	return false
}

// formField returns the value attribute of the first input with that name in
// page, as it is written there.
func formField(page, name string) string {
	_, rest, ok := strings.Cut(page, `name="`+name+`"`)
	if !ok {
		return ""
	}
	tag, _, _ := strings.Cut(rest, ">")
	_, value, _ := strings.Cut(tag, `value="`)
	value, _, _ = strings.Cut(value, `"`)
	return value
}
