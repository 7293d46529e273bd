package adapters

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func init() {
	registerKind(loginKind{name: "oauth2", summary: "a token endpoint, RFC 6749", Kind: oauth2Kind{}})
}

// oauth2Kind asks a token endpoint for an access token (RFC 6749 sections 4.3, 4.4 and 6).
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
		return nil, k.finish(d, last)
	}
	l := &d.a.spec.Login
	form := url.Values{"grant_type": {"client_credentials"}}
	fields := map[string]string{}
	switch l.GrantType {
	case "password":
		form.Set("grant_type", "password")
		fields = map[string]string{"username": "username", "password": "password"}
	case "refresh_token":
		form.Set("grant_type", "refresh_token")
		fields = map[string]string{"refresh_token": "refresh_token"}
	}
	for param, field := range fields {
		v, err := d.value(field)
		if err != nil {
			return nil, err
		}
		form.Set(param, v)
	}
	if len(l.Scopes) > 0 {
		form.Set("scope", strings.Join(l.Scopes, " "))
	}
	if l.Audience != "" {
		form.Set("audience", l.Audience)
	}
	step := &Step{Method: "POST", Path: l.TokenURL, Fields: []Field{{Name: "Accept", Value: "application/json"}}}
	if err := k.client(d, step, form); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(l.TokenURL, "/") {
		u, err := url.Parse(l.TokenURL)
		if err != nil || u.Host == "" {
			return nil, errors.New("token_url is neither a path nor an absolute URL")
		}
		step.Scheme, step.Authority, step.Path = u.Scheme, strings.ToLower(u.Host), u.RequestURI()
		step.External = !d.a.serves(step.Authority)
	}
	step.body("application/x-www-form-urlencoded", []byte(form.Encode()))
	return step, nil
}

// client adds the client's own credentials (section 2.3.1). A password or refresh grant may do without them.
func (oauth2Kind) client(d *Dialogue, step *Step, form url.Values) error {
	id, err := d.value("client_id")
	if err != nil {
		if form.Get("grant_type") == "client_credentials" {
			return err
		}
		return nil
	}
	secret, hasSecret := d.reveal("client_secret")
	if d.a.spec.Login.ClientAuth == "body" || !hasSecret {
		form.Set("client_id", id)
		if hasSecret {
			form.Set("client_secret", secret)
		}
		return nil
	}
	pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
	step.Fields = append(step.Fields, Field{Name: "Authorization", Value: "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))})
	return nil
}

func (oauth2Kind) finish(d *Dialogue, last *Reply) error {
	var answer struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    any    `json:"expires_in"` // seconds; some write them as text
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
	d.session.secrets = append(d.session.secrets, answer.AccessToken)
	if answer.RefreshToken != "" {
		d.session.secrets = append(d.session.secrets, answer.RefreshToken)
	}
	d.session.headers = append(d.session.headers, Field{Name: "Authorization", Value: "Bearer " + answer.AccessToken})
	if seconds, err := strconv.ParseFloat(fmt.Sprint(answer.ExpiresIn), 64); err == nil && seconds > 0 && seconds < 1e9 {
		life := time.Duration(seconds * float64(time.Second))
		d.session.until = d.now().Add(life - min(life/10, tokenMargin)).UTC().Round(0)
	}
	return nil
}

// tokenMargin is how long before its end a token is renewed, so that it does not end on the way.
const tokenMargin = 30 * time.Second
