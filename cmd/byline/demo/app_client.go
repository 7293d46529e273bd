package demo

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// newBrowser returns a client that asks Tickets directly, as a person on the intranet does.
func (t *Tickets) newBrowser() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(t.ca)
	return newClient(t.Addr(), roots)
}

// Login logs a person in and returns the session's cookie.
func (t *Tickets) Login(user, password string) (string, error) {
	c := t.newBrowser()
	defer c.CloseIdleConnections()

	form, cookie, err := requestLogin(c, http.MethodGet, "", nil)
	if err != nil {
		return "", err
	}
	_, cookie, err = requestLogin(c, http.MethodPost, cookie, url.Values{
		"user":     {user},
		"password": {password},
		"form_key": {formKeyIn(form)},
	})
	if err == nil && cookie == "" {
		err = errors.New("tickets: the login was refused")
	}
	return cookie, err
}

// requestLogin asks for /login and returns the page and the cookie that the answer sets.
func requestLogin(c *http.Client, method, cookie string, form url.Values) (page, newCookie string, err error) {
	res, err := send(c, method, "/login", sessionCookie+"="+cookie, form.Encode())
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()

	b, err := io.ReadAll(res.Body)
	for _, given := range res.Cookies() {
		newCookie = given.Value
	}
	return string(b), newCookie, err
}

// Replay asks Tickets directly for ticket 7 with the cookie of a session, and returns
// the status and the target of a redirect.
func (t *Tickets) Replay(cookie string) (string, error) {
	c := t.newBrowser()
	defer c.CloseIdleConnections()

	res, err := send(c, http.MethodGet, "/tickets/7", sessionCookie+"="+cookie, "")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	return res.Status + " " + res.Header.Get("Location"), nil
}
