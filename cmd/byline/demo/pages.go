package demo

import (
	"fmt"
	"html"
	"net/http"
	"strings"
)

func page(w http.ResponseWriter, title, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><title>%s</title><h1>%s</h1>%s\n", html.EscapeString(title), html.EscapeString(title), body)
}

func (t *Tickets) show(w http.ResponseWriter, r *http.Request, v *visit) {
	k := t.tickets[r.PathValue("number")]
	if k == nil {
		http.NotFound(w, r)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<p id="you">Signed in as %s</p><p>%s</p><ul>`, html.EscapeString(v.user), html.EscapeString(k.Text))
	for _, line := range k.History {
		fmt.Fprintf(&b, "<li>%s</li>", html.EscapeString(line))
	}
	fmt.Fprintf(&b, `</ul><form method="post" action="/tickets/%s/reply"><input type="hidden" name="form_key" value="%s">`+
		`<textarea name="text"></textarea><button>Reply</button></form>`, k.Number, v.formKey)
	page(w, "Ticket "+k.Number+": "+k.Title, b.String())
}

// change is a form that does something to a ticket, guarded by the session's
// form key as such applications do.
func (t *Tickets) change(did string, do func(*ticket, *http.Request)) func(http.ResponseWriter, *http.Request, *visit) {
	return func(w http.ResponseWriter, r *http.Request, v *visit) {
		k := t.tickets[r.PathValue("number")]
		switch {
		case k == nil:
			http.NotFound(w, r)
		case r.PostFormValue("form_key") != v.formKey:
			http.Error(w, "the form is stale", http.StatusForbidden)
		default:
			do(k, r)
			page(w, "Ticket "+k.Number, "<p>"+did+"</p>")
		}
	}
}
