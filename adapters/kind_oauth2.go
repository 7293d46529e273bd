package adapters

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// tokenMargin is how long before its end a token is renewed, so that it does not expire on its way to
// the application.
const tokenMargin = 30 * time.Second

func init() {
	registerKind(loginKind{name: "oauth2", summary: "a token endpoint, RFC 6749", Kind: oauth2Kind{}})
}

// oauth2Kind asks a token endpoint for an access token (RFC 6749 sections 4.3, 4.4 and 6), and sends
// the token with every request.
type oauth2Kind struct{}

// Check implements [Kind].
func (oauth2Kind) Check(d *draft) {
	if d.spec.Login.TokenURL == "" {
		d.at("login", "token_url: /oauth/token", "login kind \"oauth2\" needs token_url")
	}
}

// Next implements [Kind].
func (k oauth2Kind) Next(d *Dialogue, last *Reply) (*Step, error) {
	if last != nil {
		return nil, k.readToken(d, last)
	}

	form, err := k.grantForm(d)
	if err != nil {
		return nil, err
	}
	step := &Step{Method: "POST", Fields: []Field{{Name: "Accept", Value: "application/json"}}}
	if err := k.addClient(d, step, form); err != nil {
		return nil, err
	}
	if err := k.setEndpoint(d, step); err != nil {
		return nil, err
	}
	step.setBody("application/x-www-form-urlencoded", []byte(form.Encode()))
	return step, nil
}

// grantForm returns the parameters of a token request, without the client's own credentials.
func (oauth2Kind) grantForm(d *Dialogue) (url.Values, error) {
	l := &d.a.spec.Login
	form := url.Values{}
	var fromSecret []string // parameters that are fields of the secret, by the same name
	switch l.GrantType {
	case "password":
		form.Set("grant_type", "password")
		fromSecret = []string{"username", "password"}
	case "refresh_token":
		form.Set("grant_type", "refresh_token")
		fromSecret = []string{"refresh_token"}
	default:
		form.Set("grant_type", "client_credentials")
	}

	for _, name := range fromSecret {
		v, err := d.lookUpVariable(name)
		if err != nil {
			return nil, err
		}
		form.Set(name, v)
	}
	if len(l.Scopes) > 0 {
		form.Set("scope", strings.Join(l.Scopes, " "))
	}
	if l.Audience != "" {
		form.Set("audience", l.Audience)
	}
	return form, nil
}

// addClient adds the client's own credentials to a token request (section 2.3.1). The password and
// refresh grants work without them.
func (oauth2Kind) addClient(d *Dialogue, step *Step, form url.Values) error {
	id, err := d.lookUpVariable("client_id")
	if err != nil {
		if form.Get("grant_type") == "client_credentials" {
			return err
		}
		return nil
	}

	secret, hasSecret := d.revealField("client_secret")
	switch {
	case !hasSecret:
		form.Set("client_id", id)
	case d.a.spec.Login.ClientAuth == "body":
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	default: // section 2.3.1 wants both encoded before they are joined
		step.Fields = append(step.Fields, basicAuthorization(url.QueryEscape(id), url.QueryEscape(secret)))
	}
	return nil
}

// setEndpoint sets where the token request goes: to a path at the host of the login, or to the host
// of an absolute URL, which may be any.
func (oauth2Kind) setEndpoint(d *Dialogue, step *Step) error {
	endpoint := d.a.spec.Login.TokenURL
	if strings.HasPrefix(endpoint, "/") {
		step.Path = endpoint
		return nil
	}

	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return errors.New("token_url is neither a path nor an absolute URL")
	}
	step.Scheme = u.Scheme
	step.Authority = strings.ToLower(u.Host)
	step.Path = u.RequestURI()
	step.External = !d.a.serves(step.Authority)
	return nil
}

// readToken puts the access token of an answer (section 5.1) into the session.
func (oauth2Kind) readToken(d *Dialogue, last *Reply) error {
	var answer struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    any    `json:"expires_in"` // seconds; some servers write them as text
	}
	if last.Status != 200 {
		return fmt.Errorf("the token endpoint answered with status %d", last.Status)
	}
	if json.Unmarshal(last.Body, &answer) != nil || answer.AccessToken == "" || strings.ContainsAny(answer.AccessToken, "\r\n\x00 ") {
		return errors.New("the token endpoint's answer has no access_token")
	}
	if answer.TokenType != "" && !strings.EqualFold(answer.TokenType, "bearer") {
		return errors.New("the token endpoint's token is not of type bearer")
	}

	s := d.session
	s.headers = append(s.headers, Field{Name: "Authorization", Value: "Bearer " + answer.AccessToken})
	s.secrets = append(s.secrets, answer.AccessToken)
	if answer.RefreshToken != "" {
		s.secrets = append(s.secrets, answer.RefreshToken)
	}

	// A life that is absent or absurd leaves the end of the session to login.ended.
	seconds, err := strconv.ParseFloat(fmt.Sprint(answer.ExpiresIn), 64)
	if err == nil && seconds > 0 && seconds < 1e9 {
		life := time.Duration(seconds * float64(time.Second))
		s.until = d.now().Add(life - min(life/10, tokenMargin)).UTC().Round(0)
	}
	return nil
}

func (oauth2Kind) secretFields(*LoginSpec) []string { return []string{"client_id", "client_secret"} }
