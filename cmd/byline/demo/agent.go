package demo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

// The environment variables that the agent reads. The proxy and the authorities to trust
// come from the usual ones, as for any program.
const (
	CookieVar = "TICKETS_SESSION" // the session cookie that a person gave to the agent
	ServerVar = "TICKETS_SERVER"  // address of Host, in place of DNS, if no proxy looks it up
)

// Agent does what an agent might do: it reads ticket 7, answers it, and then does what
// the text of the ticket tells it to. It writes a line to w for each request.
func Agent(w io.Writer) error {
	c := newClient(os.Getenv(ServerVar), nil)
	cookie := sessionCookie + "=" + os.Getenv(CookieVar)

	ticket, err := request(w, c, cookie, http.MethodGet, "/tickets/7", "")
	if err != nil {
		return err
	}

	key := "form_key=" + formKeyIn(ticket)
	if _, err := request(w, c, cookie, http.MethodPost, "/tickets/7/reply", key+"&text=The+fire+is+out."); err != nil {
		return err
	}
	_, err = request(w, c, cookie, http.MethodPost, "/tickets/8/close", key)
	return err
}

// newClient returns a client that finds Host at server and follows no redirect. Without
// roots it uses the proxy and the authorities of its environment. With roots it is a
// browser on the intranet: it trusts only them and uses no proxy.
func newClient(server string, roots *x509.CertPool) *http.Client {
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == Host+":443" {
				addr = server
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	if roots == nil {
		tr.Proxy = http.ProxyFromEnvironment
	}

	return &http.Client{
		Transport:     tr,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// request sends one request, writes its outcome in a line, and returns the body. The code,
// detail and record of a refusal follow on separate lines.
func request(w io.Writer, c *http.Client, cookie, method, path, form string) (string, error) {
	res, err := send(c, method, path, cookie, form)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}

	fmt.Fprintf(w, "%-4s %-17s %s  %s\n", method, path, res.Status, summarizePage(string(body)))
	if res.Header.Get("Content-Type") != "application/problem+json" {
		return string(body), nil
	}

	var refusal struct{ Code, Detail, Record string }
	if err := json.Unmarshal(body, &refusal); err != nil {
		return "", err
	}
	fmt.Fprintf(w, "  code    %s\n", refusal.Code)
	fmt.Fprintf(w, "  detail  %s\n", wrapWords(refusal.Detail, 86, "\n          "))
	fmt.Fprintf(w, "  record  %s\n", refusal.Record)
	return string(body), nil
}

func send(c *http.Client, method, path, cookie, form string) (*http.Response, error) {
	req, err := http.NewRequest(method, "https://"+Host+path, strings.NewReader(form))
	if err != nil {
		return nil, err
	}

	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return c.Do(req)
}

// What the agent looks for in pages of Tickets.
var (
	signedInPattern = regexp.MustCompile(`Signed in as [^<]+`)
	formKeyPattern  = regexp.MustCompile(`name="form_key" value="([^"]*)"`)
	resultPattern   = regexp.MustCompile(`<p>(\w+)</p>`)
)

// summarizePage says what was done, or who is signed in.
func summarizePage(body string) string {
	if m := resultPattern.FindStringSubmatch(body); m != nil {
		return m[1]
	}
	return signedInPattern.FindString(body)
}

// formKeyIn returns the hidden field of the form on a page, or "".
func formKeyIn(page string) string {
	if m := formKeyPattern.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

// wrapWords breaks text between words into lines of at most width bytes. A longer word
// gets a line to itself.
func wrapWords(text string, width int, separator string) string {
	var b strings.Builder
	left := width
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case len(word)+1 > left:
			b.WriteString(separator)
			left = width
		default:
			b.WriteByte(' ')
			left--
		}
		b.WriteString(word)
		left -= len(word)
	}
	return b.String()
}
