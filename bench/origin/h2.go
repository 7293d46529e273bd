package origin

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// serveHTTP is the same application as [h1Conn] on net/http, which speaks HTTP/2.
func (o *Origin) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s := o.sessions
	cookies := strings.Join(r.Header["Cookie"], "; ")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	switch r.URL.Path {
	case "/login":
		logInHTTP(s, w, r)
		return
	case "/logout":
		s.logOut(cookies)
		fmt.Fprint(w, "bye")
		return
	}

	holder := s.holderOf(cookies)
	s.requests[holder].Add(1)
	switch {
	case holder == nobody:
		http.Error(w, "log in", http.StatusUnauthorized)
	case strings.HasPrefix(r.URL.Path, "/page/"):
		w.Header().Set("Cache-Control", "private")
		w.Header().Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = w.Write(page) // fails if the agent has closed the connection
	case r.URL.Path == "/down":
		writeLargeHTTP(w, r)
	case r.URL.Path == "/up":
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			fmt.Fprint(w, n)
		}
	default:
		http.NotFound(w, r)
	}
}

func logInHTTP(s *sessions, w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		fmt.Fprint(w, loginPage(s.newFormToken()))
		return
	}
	id, ok := s.logIn(r.PostFormValue("user"), r.PostFormValue("password"), r.PostFormValue("token"))
	if !ok {
		fmt.Fprint(w, loginPage(s.newFormToken()))
		return
	}
	http.SetCookie(w, &http.Cookie{Name: CookieName, Value: id, Path: "/", Secure: true, HttpOnly: true})
	http.Redirect(w, r, "/page/home", http.StatusFound)
}

func writeLargeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
	if err != nil || n < 0 {
		http.Error(w, "bytes=N", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	for n > 0 {
		sent, err := w.Write(largeBlock[:min(n, int64(len(largeBlock)))])
		if err != nil {
			return
		}
		n -= int64(sent)
	}
}
