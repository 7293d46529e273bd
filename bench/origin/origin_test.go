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

// TestLogin walks through the form as a browser does, on both servers: they are one application.
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
			if code, _ := browse(t, browser, "GET", base+"/page/1", nil); code != 401 {
				t.Errorf("without a session: %d", code)
			}
			_, form := browse(t, browser, "GET", base+"/login", nil)
			token := regexp.MustCompile(`name="token" value="(\w+)"`).FindStringSubmatch(form)
			if token == nil {
				t.Fatalf("no token in %q", form)
			}
			wrong := url.Values{"user": {"agent-01"}, "password": {"guess"}, "token": token[1:]}
			if code, _ := browse(t, browser, "POST", base+"/login", wrong); code != 200 {
				t.Errorf("a wrong password: %d", code)
			}
			right := url.Values{"user": {"agent-01"}, "password": {Password("agent-01")}, "token": token[1:]}
			if code, _ := browse(t, browser, "POST", base+"/login", right); code != 302 {
				t.Fatalf("the right password: %d", code)
			}
			if code, _ := browse(t, browser, "POST", base+"/login", right); code != 200 {
				t.Errorf("the form's token a second time: %d", code)
			}
			if code, text := browse(t, browser, "GET", base+"/page/1", nil); code != 200 || len(text) != SmallBytes {
				t.Errorf("with a session: %d, %d bytes", code, len(text))
			}
			if code, text := browse(t, browser, "POST", base+"/up", url.Values{"x": {strings.Repeat("y", 98)}}); code != 200 || text != "100" {
				t.Errorf("up: %d %q", code, text)
			}
			if code, text := browse(t, browser, "GET", base+"/down?bytes=100000", nil); code != 200 || len(text) != 100000 {
				t.Errorf("down: %d, %d bytes", code, len(text))
			}
			browse(t, browser, "GET", base+"/logout", nil)
			if code, _ := browse(t, browser, "GET", base+"/page/1", nil); code != 401 {
				t.Errorf("after the logout: %d", code)
			}
			if c := o.Counts().Minus(before); c.Logins != 1 || c.Logouts != 1 || c.ByAccount != 3 || c.ByPerson != 0 || c.Refused != 2 {
				t.Errorf("counted %+v", c)
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
	return &http.Client{Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func browse(t *testing.T, browser *http.Client, method, to string, form url.Values) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestChunkedUpload(t *testing.T) {
	o, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	browser := newBrowser(t, o, HostH1)
	for range 2 { // the second one shows that the first left nothing on the connection
		r, err := http.NewRequest("POST", "https://"+o.Addr+"/up", io.MultiReader(strings.NewReader("abc"), strings.NewReader("defg")))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", CookieName+"="+o.Borrowed)
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || string(text) != "7" {
			t.Errorf("%q, %v", text, err)
		}
	}
	if c := o.Counts(); c.ByPerson != 2 || c.Handshakes != 1 {
		t.Errorf("counted %+v", c)
	}
}
