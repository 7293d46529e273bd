package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestI2HeldFieldsAndBodies sends what people's clients and gateways send besides
// cookies, over every protocol, to an application that says what arrived.
func TestI2HeldFieldsAndBodies(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s?%s %v %s", r.URL.Path, r.URL.RawQuery, r.Header, body)
	}
	testAllProtocols(t, handler, func(p *protocolTest) {
		r := p.newRequest(http.MethodGet, "/page;jsessionid=borrowed1?a=1&accessToken=borrowed2&back=%2Fx%3Ftoken%3Dborrowed3", nil)
		for _, name := range []string{"Sm_user", "Iv-Creds", "X-Ms-Client-Principal", "X-Jfrog-Art-Api", "X-Gotify-Key", "X-Redmine-Switch-User", "Sudo", "X-Csrf-Session", "Signature"} {
			r.Header.Set(name, "borrowed4")
		}
		r.Header.Set("Accept-Language", "Bearer\tborrowed5")
		r.Header.Set("Referer", "https://app.example/x;jsessionid=borrowed6?token=borrowed7&b=1")
		r.Header.Set("X-Requested-With", "XMLHttpRequest")
		answer, _ := io.ReadAll(p.send(r).Body)
		if text := string(answer); strings.Contains(text, "borrowed") || !strings.HasPrefix(text, "/page?a=1 ") || !strings.Contains(text, "XMLHttpRequest") || !strings.Contains(text, "/x?b=1") {
			p.t.Errorf("arrived: %s", text)
		}

		for contentType, body := range map[string]string{
			"application/json": `{"a":{"accessToken":"borrowed8"}}`, "application/x-www-form-urlencoded": "text=x&sid2=1&password=borrowed8",
			"multipart/form-data; boundary=b": "--b\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\nborrowed8\r\n--b--\r\n",
		} {
			r := p.newRequest(http.MethodPost, "/page", strings.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			resp := p.send(r)
			answer, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusForbidden || !hasCode(string(answer), CredentialInBody) {
				p.t.Errorf("%s: got %d %s, want credential_in_body", body, resp.StatusCode, answer)
			}
		}
	})
}

// TestI2CredentialsInPathsAreRefused asks for links as they stand in mails: the path is
// refused, and neither the application nor the record gets the token in it.
func TestI2CredentialsInPathsAreRefused(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.Ym9ycm93ZWQtc2lnbmF0dXJl"
	s := startLegacyServer(t, newLegacyApp(t), t.TempDir())
	agent, _ := s.newAgent(t, pagesSpec)
	for _, target := range []string{"/page/" + jwt, "/reset/" + jwt + "/confirm", "/page/%65yJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSJ9.Ym9ycm93ZWQtc2lnbmF0dXJl"} {
		status, body, _ := sendAsAlice(t, agent, "GET", target, "")
		if status != http.StatusForbidden || !hasCode(body, CredentialInPath) {
			t.Errorf("%s: got %d %s, want credential_in_path", target, status, body)
		}
	}

	refused := s.readRecords(t, "refusal")
	for _, record := range refused {
		if strings.Contains(fmt.Sprintf("%+v", record), "Ym9ycm93") || !strings.Contains(record.Path, "/...") {
			t.Errorf("the record shows %s", record.Path)
		}
		if len(record.Stripped) == 0 {
			t.Error("the record does not say that a credential stood in the path")
		}
	}
	if len(refused) != 3 {
		t.Errorf("%d refusals are on record, want 3", len(refused))
	}
}
