package demo

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// browser asks Tickets directly, as a person on the intranet does.
func (t *Tickets) browser() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(t.ca)
	return client(t.Addr(), roots)
}

// Login logs a person in and returns the cookie of the session.
func (t *Tickets) Login(user, password string) (string, error) {
	c := t.browser()
	defer c.CloseIdleConnections()
	form, cookie, err := visitPage(c, http.MethodGet, "", nil)
	if err != nil {
		return "", err
	}
	_, cookie, err = visitPage(c, http.MethodPost, cookie, url.Values{"user": {user}, "password": {password}, "form_key": {hidden(form)}})
	if err == nil && cookie == "" {
		err = errors.New("tickets: the login was refused")
	}
	return cookie, err
}

func visitPage(c *http.Client, method, cookie string, form url.Values) (page, set string, err error) {
	res, err := send(c, method, "/login", sessionCookie+"="+cookie, form.Encode())
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	for _, given := range res.Cookies() {
		set = given.Value
	}
	return string(b), set, err
}

// Replay asks for ticket 7 with a session's cookie, straight at Tickets, and
// returns the status.
func (t *Tickets) Replay(cookie string) (string, error) {
	c := t.browser()
	defer c.CloseIdleConnections()
	res, err := send(c, http.MethodGet, "/tickets/7", sessionCookie+"="+cookie, "")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	return res.Status + " " + res.Header.Get("Location"), nil
}
