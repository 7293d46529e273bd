package demo

import (
	"fmt"
	"html"
	"net/http"
	"strings"
)

// writePage writes an HTML page. body is HTML, title is text.
func writePage(w http.ResponseWriter, title, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><title>%s</title><h1>%s</h1>%s\n", html.EscapeString(title), html.EscapeString(title), body)
}

func (t *Tickets) showTicket(w http.ResponseWriter, r *http.Request, s *session) {
	k := t.tickets[r.PathValue("number")]
	if k == nil {
		http.NotFound(w, r)
		return
	}

	var b strings.Builder
	fmt.Fprintf(&b, `<p id="you">Signed in as %s</p><p>%s</p><ul>`, html.EscapeString(s.user), html.EscapeString(k.Text))
	for _, line := range k.History {
		fmt.Fprintf(&b, "<li>%s</li>", html.EscapeString(line))
	}
	fmt.Fprintf(&b, `</ul><form method="post" action="/tickets/%s/reply"><input type="hidden" name="form_key" value="%s">`+
		`<textarea name="text"></textarea><button>Reply</button></form>`, k.Number, s.formKey)
	writePage(w, "Ticket "+k.Number+": "+k.Title, b.String())
}

// changeTicket handles a form that changes a ticket. The form must carry the session's
// form key, as a protection against cross-site requests. result is the word on the page
// that answers.
func (t *Tickets) changeTicket(result string, change func(*ticket, *http.Request)) func(http.ResponseWriter, *http.Request, *session) {
	return func(w http.ResponseWriter, r *http.Request, s *session) {
		k := t.tickets[r.PathValue("number")]
		switch {
		case k == nil:
			http.NotFound(w, r)
		case r.PostFormValue("form_key") != s.formKey:
			http.Error(w, "the form is stale", http.StatusForbidden)
		default:
			change(k, r)
			writePage(w, "Ticket "+k.Number, "<p>"+result+"</p>")
		}
	}
}
