package origin

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// serveStandard is the same application on net/http, for HTTP/2.
func (o *Origin) serveStandard(w http.ResponseWriter, r *http.Request) {
	s := o.sessions
	cookies := strings.Join(r.Header["Cookie"], "; ")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	switch r.URL.Path {
	case "/login":
		if r.Method == http.MethodGet {
			fmt.Fprint(w, loginPage(s.form()))
			return
		}
		id, ok := s.login(r.PostFormValue("user"), r.PostFormValue("password"), r.PostFormValue("token"))
		if !ok {
			fmt.Fprint(w, loginPage(s.form()))
			return
		}
		http.SetCookie(w, &http.Cookie{Name: CookieName, Value: id, Path: "/", Secure: true, HttpOnly: true})
		http.Redirect(w, r, "/page/home", http.StatusFound)
		return
	case "/logout":
		s.logout(cookies)
		fmt.Fprint(w, "bye")
		return
	}
	whose := s.who(cookies)
	s.requests[whose].Add(1)
	switch {
	case whose == nobody:
		http.Error(w, "log in", http.StatusUnauthorized)
	case strings.HasPrefix(r.URL.Path, "/page/"):
		w.Header().Set("Cache-Control", "private")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = w.Write(page) // an agent that hung up is no concern of the application
	case r.URL.Path == "/down":
		sendBig(w, r)
	case r.URL.Path == "/up":
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			fmt.Fprint(w, n)
		}
	default:
		http.NotFound(w, r)
	}
}

func sendBig(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
	if err != nil || n < 0 {
		http.Error(w, "bytes=N", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	for n > 0 {
		sent, err := w.Write(block[:min(n, int64(len(block)))])
		if err != nil {
			return
		}
		n -= int64(sent)
	}
}
