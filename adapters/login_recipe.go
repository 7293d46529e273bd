package adapters

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters/internal/css"
)

// recipe is the kind of a login that is written down step by step. It says what sends the requests.
type recipe struct{ accept, fetchMode, fetchDest string }

var (
	// pageRecipe fills in a login page as a browser does.
	pageRecipe = recipe{accept: "text/html,application/xhtml+xml,*/*;q=0.8", fetchMode: "navigate", fetchDest: "document"}

	// scriptRecipe logs in as the script of a page does.
	scriptRecipe = recipe{accept: "application/json, text/plain, */*", fetchMode: "cors", fetchDest: "empty"}
)

// Check implements [Kind].
func (recipe) Check(d *draft) {
	l := &d.spec.Login
	if len(l.Steps) == 0 {
		d.at("login", "login.steps: [{post: …}]", "login kind %q has no steps", l.Kind)
		return
	}

	posts := slices.ContainsFunc(l.Steps, func(s StepSpec) bool { return s.Post != "" || s.Put != "" })
	if posts && isEmptyCondition(l.Success) && isEmptyCondition(l.Steps[len(l.Steps)-1].Success) {
		d.at("login", "for example success: {status: [302], cookie: \"*UserID\"}", "the login posts a password but has no success condition, so a refused login would pass for one")
	}
}

// Next implements [Kind].
func (k recipe) Next(d *Dialogue, last *Reply) (*Step, error) {
	step, err := d.nextStep(last)
	if err != nil {
		return nil, err
	}
	if step == nil {
		return nil, d.sessionHeaders()
	}

	step.setDefault("Accept", k.accept)
	step.setDefault("Sec-Fetch-Mode", k.fetchMode) // Fetch Metadata, W3C
	step.setDefault("Sec-Fetch-Dest", k.fetchDest)
	return step, nil
}

// setDefault adds a header field that the step does not set itself.
func (s *Step) setDefault(name, value string) {
	if fieldValue(s.Fields, name) == "" {
		s.Fields = append(s.Fields, Field{Name: name, Value: value})
	}
}

// nextStep follows a recipe: check the last answer, take from it, build the next request. nil: the recipe is through.
func (d *Dialogue) nextStep(last *Reply) (*Step, error) {
	if last != nil && d.at < len(d.steps) {
		step, err := d.followed(last)
		if err == nil && step == nil {
			err = d.judge(last)
		}
		if err != nil {
			return nil, fmt.Errorf("step %d (%s): %w", d.at+1, describeStep(&d.steps[d.at]), err)
		}
		if step != nil {
			return step, nil
		}
		d.at, d.hops, d.onTheWay = d.at+1, 0, nil
	}
	if d.at == len(d.steps) {
		return nil, nil
	}
	spec := &d.steps[d.at]
	step, err := d.build(spec, last)
	if err != nil {
		return nil, fmt.Errorf("step %d (%s): %w", d.at+1, describeStep(spec), err)
	}
	return step, nil
}

// judge checks the answer to the step under way and takes its values. Without a condition of its own a step must not
// answer with an error status.
func (d *Dialogue) judge(last *Reply) error {
	spec := &d.steps[d.at]
	if len(d.onTheWay) > 0 {
		last = &Reply{Status: last.Status, Fields: slices.Concat(d.onTheWay, last.Fields), Body: last.Body}
	}
	conditions := []*Condition{&spec.Success}
	if d.at == len(d.steps)-1 {
		conditions = append(conditions, &d.final)
	}
	said := false
	for _, c := range conditions {
		said = said || !isEmptyCondition(*c)
		if key := c.fails(last); key != "" {
			return fmt.Errorf("success.%s does not hold (status %d)", key, last.Status)
		}
	}
	if !said && last.Status >= 400 {
		return fmt.Errorf("answered with status %d", last.Status)
	}
	for name, take := range spec.Take {
		v, found, err := d.take(&take, last)
		if err != nil {
			return fmt.Errorf("take %s: %w", name, err)
		}
		if !found && !take.Optional {
			return fmt.Errorf("take %s: the answer (status %d) does not have it", name, last.Status)
		}
		d.keep(name, v)
	}
	return nil
}

func (d *Dialogue) keep(name, value string) {
	if d.taken == nil {
		d.taken = map[string]string{}
	}
	d.taken[name] = value
}

// describeStep names a step by its method and path; templates stay unexpanded, so no secret is in it.
func describeStep(s *StepSpec) string {
	method, target := s.Request()
	return method + " " + target
}

// Request is the step's method and its path, with the templates unexpanded.
func (s *StepSpec) Request() (method, target string) {
	switch {
	case s.Post != "":
		return "POST", s.Post
	case s.Put != "":
		return "PUT", s.Put
	case s.Delete != "":
		return "DELETE", s.Delete
	}
	return "GET", s.Get
}

// build fills in a step. last is the answer to the one before, nil for the first.
func (d *Dialogue) build(spec *StepSpec, last *Reply) (*Step, error) {
	for _, name := range slices.Sorted(maps.Keys(spec.Let)) {
		v, err := d.expand(spec.Let[name])
		if err != nil {
			return nil, fmt.Errorf("let %s: %w", name, err)
		}
		d.keep(name, v)
		d.session.secrets = append(d.session.secrets, v) // it may be made from the password
	}
	step := &Step{}
	method, text := spec.Request()
	target, err := d.expand(text)
	if err != nil {
		return nil, err
	}
	if step.Method = method; strings.HasPrefix(text, "/") {
		step.Path = target
	} else if err := d.locate(step, target); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(step.Path, "/") || strings.ContainsFunc(step.Path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, errors.New("the path with its values filled in is not a path; use a |query filter")
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Headers)) {
		v, err := d.headerValue(name, spec.Headers[name])
		if err != nil {
			return nil, err
		}
		step.Fields = append(step.Fields, Field{Name: name, Value: v})
	}
	if err := d.fillBody(step, spec, last); err != nil {
		return nil, err
	}
	step.NotBefore, d.notBefore = d.notBefore, time.Time{}
	return step, nil
}

func (d *Dialogue) fillBody(step *Step, spec *StepSpec, last *Reply) error {
	switch {
	case spec.Form != nil || spec.Hidden != "":
		form := url.Values{}
		if spec.Hidden != "" {
			if last == nil {
				return errors.New("hidden: there is no page yet; get it in a step before")
			}
			var err error
			if form, err = css.HiddenFields(last.Body, spec.Hidden); err != nil {
				return fmt.Errorf("hidden: %w", err)
			}
		}
		for name, text := range spec.Form {
			v, err := d.expand(text)
			if err != nil {
				return fmt.Errorf("form field %s: %w", name, err)
			}
			form.Set(name, v)
		}
		step.body("application/x-www-form-urlencoded", []byte(form.Encode()))
	case spec.JSON != nil:
		filled, err := d.fill(spec.JSON)
		if err != nil {
			return fmt.Errorf("json: %w", err)
		}
		text, err := json.Marshal(filled)
		if err != nil {
			return errors.New("json: the body has no JSON form")
		}
		step.body("application/json", text)
	case spec.Body != "":
		text, err := d.expand(spec.Body)
		if err != nil {
			return fmt.Errorf("body: %w", err)
		}
		step.body("text/plain; charset=utf-8", []byte(text))
	}
	return nil
}

func (s *Step) body(contentType string, text []byte) {
	s.Body = text
	if fieldValue(s.Fields, "Content-Type") == "" {
		s.Fields = append(s.Fields, Field{Name: "Content-Type", Value: contentType})
	}
}

// fill expands every string of a JSON value, however deep; keys stay as they are.
func (d *Dialogue) fill(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		return d.expand(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			if out[i], err = d.fill(v[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			if out[key], err = d.fill(v[key]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// sessionHeaders fills in login.headers once the steps are through.
func (d *Dialogue) sessionHeaders() error {
	if d.secret == nil {
		return nil // a logout
	}
	for _, name := range slices.Sorted(maps.Keys(d.a.spec.Login.Headers)) {
		if err := d.setHeader(name, d.a.spec.Login.Headers[name]); err != nil {
			return err
		}
	}
	return d.sessionQuery()
}

func (d *Dialogue) setHeader(name, text string) error {
	v, err := d.headerValue(name, text)
	if err != nil {
		return err
	}
	d.session.headers = append(d.session.headers, Field{Name: name, Value: v})
	return nil
}

func (d *Dialogue) headerValue(name, text string) (string, error) {
	v, err := d.expand(text)
	if err != nil {
		return "", fmt.Errorf("header %s: %w", name, err)
	}
	if strings.ContainsAny(v, "\r\n\x00") {
		return "", fmt.Errorf("header %s: its value has a line break", name)
	}
	return v, nil
}

// sessionQuery fills in login.query and login.json.
func (d *Dialogue) sessionQuery() error {
	for _, name := range slices.Sorted(maps.Keys(d.a.spec.Login.Query)) {
		v, err := d.expand(d.a.spec.Login.Query[name])
		if err != nil {
			return fmt.Errorf("query %s: %w", name, err)
		}
		d.session.query = append(d.session.query, Field{Name: name, Value: v})
	}
	for _, pointer := range slices.Sorted(maps.Keys(d.a.spec.Login.JSON)) {
		v, err := d.expand(d.a.spec.Login.JSON[pointer])
		if err != nil {
			return fmt.Errorf("json %s: %w", pointer, err)
		}
		d.session.members = append(d.session.members, Field{Name: pointer, Value: v})
	}
	return nil
}
