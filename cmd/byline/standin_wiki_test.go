package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// standInWiki serves what MediaWiki answers to a login, a page and a logout, for machines
// without a MediaWiki. It returns its URL.
func standInWiki(t *testing.T) string {
	t.Helper()
	w := &wiki{sessions: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/index.php", w.serveIndex)
	mux.HandleFunc("/api.php", w.serveAPI)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

type wiki struct {
	mu       sync.Mutex
	sessions map[string]bool // by cookie
}

func (s *wiki) serveIndex(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()

	cookie, err := r.Cookie("wiki_session")
	loggedIn := err == nil && s.sessions[cookie.Value]
	isLogin := r.FormValue("title") == "Special:UserLogin"
	switch {
	case isLogin && r.Method == http.MethodPost:
		s.login(w, r)
	case isLogin:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<form method=post><input type=hidden name="wpLoginToken" value="tok+\"></form>`)
	case !loggedIn:
		http.Redirect(w, r, "/index.php?title=Special:UserLogin", http.StatusFound)
	default:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<script>{"wgUserName":"Agent-01"}</script>%s, read by Agent-01`, r.FormValue("title"))
	}
}

func (s *wiki) login(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("wpName") != "Agent-01" || r.PostFormValue("wpPassword") != "wiki-password" || r.PostFormValue("wpLoginToken") != "tok+\\" {
		fmt.Fprint(w, "wrong")
		return
	}

	session := fmt.Sprintf("stand-in-session-%d", len(s.sessions))
	s.sessions[session] = true
	http.SetCookie(w, &http.Cookie{Name: "wiki_session", Value: session, Path: "/", HttpOnly: true})
	http.SetCookie(w, &http.Cookie{Name: "wikiUserID", Value: "7", Path: "/", HttpOnly: true})
	http.Redirect(w, r, "/index.php?title=Main_Page", http.StatusFound)
}

func (s *wiki) serveAPI(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()

	w.Header().Set("Content-Type", "application/json")
	if r.FormValue("meta") == "userinfo" {
		c, err := r.Cookie("wiki_session")
		if err == nil && s.sessions[c.Value] {
			_, _ = io.WriteString(w, `{"query":{"userinfo":{"id":7,"name":"Agent-01"}}}`)
		} else {
			_, _ = io.WriteString(w, `{"query":{"userinfo":{"id":0,"name":"127.0.0.1","anon":true}}}`)
		}
		return
	}
	if r.FormValue("action") != "logout" {
		_, _ = io.WriteString(w, `{"query":{"tokens":{"csrftoken":"csrf+\\"}}}`)
		return
	}
	if c, err := r.Cookie("wiki_session"); err == nil {
		delete(s.sessions, c.Value)
	}
	_, _ = io.WriteString(w, "{}")
}
