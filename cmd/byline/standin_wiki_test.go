package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// standInWiki answers as MediaWiki does, as far as a login, a page and a logout
// go, for machines that have none. It returns where it listens.
func standInWiki(t *testing.T) string {
	t.Helper()
	var mu sync.Mutex
	living := map[string]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("/index.php", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		c, err := r.Cookie("wiki_session")
		in := err == nil && living[c.Value]
		switch {
		case r.FormValue("title") == "Special:UserLogin" && r.Method == http.MethodPost:
			if r.PostFormValue("wpName") != "Agent-01" || r.PostFormValue("wpPassword") != "wiki-password" || r.PostFormValue("wpLoginToken") != "tok+\\" {
				fmt.Fprint(w, "wrong")
				return
			}
			session := fmt.Sprintf("stand-in-session-%d", len(living))
			living[session] = true
			http.SetCookie(w, &http.Cookie{Name: "wiki_session", Value: session, Path: "/", HttpOnly: true})
			http.SetCookie(w, &http.Cookie{Name: "wikiUserID", Value: "7", Path: "/", HttpOnly: true})
			http.Redirect(w, r, "/index.php?title=Main_Page", http.StatusFound)
		case r.FormValue("title") == "Special:UserLogin":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<form method=post><input type=hidden name="wpLoginToken" value="tok+\"></form>`)
		case !in:
			http.Redirect(w, r, "/index.php?title=Special:UserLogin", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<script>{"wgUserName":"Agent-01"}</script>%s, read by Agent-01`, r.FormValue("title"))
		}
	})
	mux.HandleFunc("/api.php", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("action") == "logout" {
			if c, err := r.Cookie("wiki_session"); err == nil {
				delete(living, c.Value)
			}
			_, _ = io.WriteString(w, "{}")
			return
		}
		_, _ = io.WriteString(w, `{"query":{"tokens":{"csrftoken":"csrf+\\"}}}`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}
