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

// The variables that the agent reads. Everything else that it needs, the proxy
// and the authorities to trust, it takes from the usual ones, as any program.
const (
	CookieVar = "TICKETS_SESSION" // the cookie that it was given
	ServerVar = "TICKETS_SERVER"  // stands in for DNS: where Host is when no proxy looks it up
)

// Agent does what an agent might: it reads ticket 7, answers it, and then does
// what the ticket's text talks it into. It writes a line for each request.
func Agent(w io.Writer) error {
	c, cookie := client(os.Getenv(ServerVar), nil), sessionCookie+"="+os.Getenv(CookieVar)
	read, err := act(w, c, cookie, http.MethodGet, "/tickets/7", "")
	if err != nil {
		return err
	}
	key := "form_key=" + hidden(read)
	if _, err := act(w, c, cookie, http.MethodPost, "/tickets/7/reply", key+"&text=The+fire+is+out."); err != nil {
		return err
	}
	_, err = act(w, c, cookie, http.MethodPost, "/tickets/8/close", key)
	return err
}

// client finds Host at server and follows no redirect. It uses the proxy of its
// environment, if there is one, and trusts roots, or what its environment says.
func client(server string, roots *x509.CertPool) *http.Client {
	tr := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == Host+":443" {
				addr = server
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
	if roots != nil { // a browser of the intranet
		tr.Proxy = nil
	}
	return &http.Client{Transport: tr, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// act makes one request and tells in a line, and for a refusal in its words,
// what came of it.
func act(w io.Writer, c *http.Client, cookie, method, path, form string) (string, error) {
	res, err := send(c, method, path, cookie, form)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(w, "%-4s %-17s %s  %s\n", method, path, res.Status, gist(string(body)))
	if res.Header.Get("Content-Type") == "application/problem+json" {
		var why struct{ Code, Detail, Record string }
		if err := json.Unmarshal(body, &why); err != nil {
			return "", err
		}
		fmt.Fprintf(w, "  code    %s\n  detail  %s\n  record  %s\n", why.Code, wrapped(why.Detail, 86, "\n          "), why.Record)
	}
	return string(body), nil
}

var (
	signedIn = regexp.MustCompile(`Signed in as [^<]+`)
	formKey  = regexp.MustCompile(`name="form_key" value="([^"]*)"`)
	did      = regexp.MustCompile(`<p>(\w+)</p>`)
)

func gist(body string) string {
	if m := did.FindStringSubmatch(body); m != nil {
		return m[1]
	}
	return signedIn.FindString(body)
}

func hidden(page string) string {
	if m := formKey.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
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

// wrapped breaks text into lines of at most width bytes, as far as its words do.
func wrapped(text string, width int, between string) string {
	var b strings.Builder
	room := width
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case len(word)+1 > room:
			b.WriteString(between)
			room = width
		default:
			b.WriteByte(' ')
			room--
		}
		b.WriteString(word)
		room -= len(word)
	}
	return b.String()
}
