package origin

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestLogin uses the application as a browser does, at both addresses: they must
// behave alike.
func TestLogin(t *testing.T) {
	o, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for host, addr := range map[string]string{HostH1: o.Addr, HostH2: o.AddrH2} {
		t.Run(host, func(t *testing.T) {
			before := o.Counts()
			browser := newBrowser(t, o, host)
			base := "https://" + addr
			if status, _ := send(t, browser, "GET", base+"/page/1", nil); status != 401 {
				t.Errorf("a page without a session: status %d, want 401", status)
			}

			_, form := send(t, browser, "GET", base+"/login", nil)
			token := regexp.MustCompile(`name="token" value="(\w+)"`).FindStringSubmatch(form)
			if token == nil {
				t.Fatalf("the login form has no token: %q", form)
			}
			wrong := url.Values{"user": {"agent-01"}, "password": {"guess"}, "token": token[1:]}
			if status, _ := send(t, browser, "POST", base+"/login", wrong); status != 200 {
				t.Errorf("login with a wrong password: status %d, want 200", status)
			}
			right := url.Values{"user": {"agent-01"}, "password": {Password("agent-01")}, "token": token[1:]}
			if status, _ := send(t, browser, "POST", base+"/login", right); status != 302 {
				t.Fatalf("login with the right password: status %d, want 302", status)
			}
			if status, _ := send(t, browser, "POST", base+"/login", right); status != 200 {
				t.Errorf("login with a form token that was used before: status %d, want 200", status)
			}

			status, body := send(t, browser, "GET", base+"/page/1", nil)
			if status != 200 || len(body) != SmallBytes {
				t.Errorf("a page with a session: status %d and %d bytes, want 200 and %d", status, len(body), SmallBytes)
			}
			status, body = send(t, browser, "POST", base+"/up", url.Values{"x": {strings.Repeat("y", 98)}})
			if status != 200 || body != "100" {
				t.Errorf("an upload of 100 bytes: status %d and %q, want 200 and 100", status, body)
			}
			status, body = send(t, browser, "GET", base+"/down?bytes=100000", nil)
			if status != 200 || len(body) != 100000 {
				t.Errorf("a download of 100000 bytes: status %d and %d bytes", status, len(body))
			}

			send(t, browser, "GET", base+"/logout", nil)
			if status, _ := send(t, browser, "GET", base+"/page/1", nil); status != 401 {
				t.Errorf("a page after the logout: status %d, want 401", status)
			}
			c := o.Counts().Minus(before)
			if c.Logins != 1 || c.Logouts != 1 || c.ByAccount != 3 || c.ByPerson != 0 || c.Refused != 2 {
				t.Errorf("the origin counted %+v, want 1 login, 1 logout, 3 requests of the account and 2 refused", c)
			}
		})
	}
}

func newBrowser(t *testing.T, o *Origin, host string) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(o.RootPEM)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: host}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Jar:           jar,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send sends one request and returns the status and the body of the response.
func send(t *testing.T, browser *http.Client, method, target string, form url.Values) (status int, body string) {
	t.Helper()
	r, err := http.NewRequest(method, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// The second upload shows that the first one left nothing on the connection.
func TestChunkedUpload(t *testing.T) {
	o, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	browser := newBrowser(t, o, HostH1)
	for range 2 {
		r, err := http.NewRequest("POST", "https://"+o.Addr+"/up", io.MultiReader(strings.NewReader("abc"), strings.NewReader("defg")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", CookieName+"="+o.Borrowed)
		response, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != "7" {
			t.Errorf("the origin counted %q bytes (error: %v), want 7", body, err)
		}
	}
	if c := o.Counts(); c.ByPerson != 2 || c.Handshakes != 1 {
		t.Errorf("the origin counted %+v, want 2 requests of the person and one handshake", c)
	}
}
