package adapters

import (
	"errors"
	"fmt"
	"strings"

	"github.com/byline-proxy/byline/adapters/internal/digest"
)

func init() {
	registerKind(loginKind{name: "digest", summary: "RFC 7616", Kind: digestKind{}})
}

// digestKind is HTTP digest authentication (RFC 7616). It asks a page for a challenge and sends one
// answer to find out whether the password is right. From then on each request of the session answers
// that challenge. If the nonce expires, the application answers 401 and the session is renewed.
type digestKind struct{}

// Check implements [Kind].
func (digestKind) Check(d *draft) {
	steps := d.spec.Login.Steps
	if len(steps) > 1 || len(steps) == 1 && steps[0].Get == "" {
		d.at("login.steps", "steps: [{get: /page}], or no steps", "login kind \"digest\" takes one get step, for the challenge")
	}
}

// Next implements [Kind].
func (k digestKind) Next(d *Dialogue, last *Reply) (*Step, error) {
	path := "/"
	if len(d.steps) > 0 {
		var err error
		path, err = d.expandTemplate(d.steps[0].Get)
		if err != nil {
			return nil, err
		}
	}
	step := &Step{Method: "GET", Path: path}

	d.at++
	switch d.at {
	case 1: // ask for the challenge
		return step, nil

	case 2: // answer it
		if last.Status != 401 {
			return nil, fmt.Errorf("GET %s: answered with status %d, not with a challenge", path, last.Status)
		}
		if err := k.acceptChallenge(d, last); err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		step.Fields = append(step.Fields, Field{Name: "Authorization", Value: d.session.digest.Answer(step.Method, path)})
		return step, nil
	}

	if last.Status >= 400 {
		return nil, fmt.Errorf("GET %s: the answer to the challenge was refused with status %d", path, last.Status)
	}
	if key := d.final.failingKey(last); key != "" {
		return nil, fmt.Errorf("GET %s: success.%s does not hold (status %d)", path, key, last.Status)
	}
	return nil, nil
}

// acceptChallenge puts the strongest challenge of an answer that can be answered into the session.
func (digestKind) acceptChallenge(d *Dialogue, last *Reply) error {
	var strongest *digest.Challenge
	for _, f := range last.Fields {
		if !strings.EqualFold(f.Name, "WWW-Authenticate") {
			continue
		}
		c := digest.Parse(f.Value)
		if c != nil && (strongest == nil || c.Strength() > strongest.Strength()) {
			strongest = c
		}
	}
	if strongest == nil {
		return errors.New("no Digest challenge that can be answered (MD5, SHA-256, SHA-512-256; qop auth or none)")
	}

	user, password, err := d.userAndPassword()
	if err != nil {
		return err
	}
	if strings.ContainsAny(user, "\"\\\r\n") {
		return errors.New("the user name has a quote, a backslash or a line break")
	}

	strongest.Prove(user, password)
	d.session.digest = strongest
	d.session.secrets = append(d.session.secrets, strongest.Proof)
	return nil
}

func (digestKind) secretFields(*LoginSpec) []string { return []string{"username", "password"} }
