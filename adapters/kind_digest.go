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

// digestKind is RFC 7616: it asks for a challenge, proves the password once, and answers the challenge in every request
// of the session from then on. When the nonce is used up the SaaS answers 401, and the session is renewed.
type digestKind struct{}

// Check implements [Kind].
func (digestKind) Check(d *draft) {
	steps := d.spec.Login.Steps
	if len(steps) > 1 || len(steps) == 1 && steps[0].Get == "" {
		d.at("login.steps", "steps: [{get: /page}], or none", "login kind \"digest\" asks one page for its challenge")
	}
}

// Next implements [Kind].
func (k digestKind) Next(d *Dialogue, last *Reply) (*Step, error) {
	path := "/"
	if len(d.steps) > 0 {
		var err error
		if path, err = d.expand(d.steps[0].Get); err != nil {
			return nil, err
		}
	}
	step := &Step{Method: "GET", Path: path}
	switch d.at++; d.at {
	case 1:
		return step, nil
	case 2:
		if last.Status != 401 {
			return nil, fmt.Errorf("GET %s: answered with status %d, not with a challenge", path, last.Status)
		}
		if err := k.accept(d, last); err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		step.Fields = append(step.Fields, Field{Name: "Authorization", Value: d.session.digest.Answer(step.Method, path)})
		return step, nil
	}
	if last.Status >= 400 {
		return nil, fmt.Errorf("GET %s: the answer to the challenge was refused with status %d", path, last.Status)
	}
	if key := d.final.fails(last); key != "" {
		return nil, fmt.Errorf("GET %s: success.%s does not hold (status %d)", path, key, last.Status)
	}
	return nil, nil
}

// accept takes the strongest challenge that it knows.
func (digestKind) accept(d *Dialogue, last *Reply) error {
	var best *digest.Challenge
	for _, f := range last.Fields {
		if strings.EqualFold(f.Name, "WWW-Authenticate") {
			if c := digest.Parse(f.Value); c != nil && (best == nil || c.Strength() > best.Strength()) {
				best = c
			}
		}
	}
	if best == nil {
		return errors.New("there is no Digest challenge that could be answered (MD5, SHA-256, SHA-512-256; qop auth or none)")
	}
	user, err := d.value("username")
	if err != nil {
		return err
	}
	password, err := d.value("password")
	if err != nil {
		return err
	}
	if strings.ContainsAny(user, "\"\\\r\n") {
		return errors.New("the user name has a quote, a backslash or a line break")
	}
	best.Prove(user, password)
	d.session.digest = best
	d.session.secrets = append(d.session.secrets, best.Proof)
	return nil
}
