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

// buildStep builds the request of a step of a recipe. last is the answer to the step before, and nil
// for the first step.
func (d *Dialogue) buildStep(spec *StepSpec, last *Reply) (*Step, error) {
	for _, name := range slices.Sorted(maps.Keys(spec.Let)) {
		v, err := d.expandTemplate(spec.Let[name])
		if err != nil {
			return nil, fmt.Errorf("let %s: %w", name, err)
		}
		d.keepValue(name, v)
		if d.secret != nil {
			d.session.secrets = append(d.session.secrets, v) // it may be made from the password
		}
	}

	method, template := spec.Request()
	step := &Step{Method: method}
	if err := d.setTarget(step, template); err != nil {
		return nil, err
	}

	for _, name := range slices.Sorted(maps.Keys(spec.Headers)) {
		v, err := d.expandHeader(name, spec.Headers[name])
		if err != nil {
			return nil, err
		}
		step.Fields = append(step.Fields, Field{Name: name, Value: v})
	}

	if err := d.addBody(step, spec, last); err != nil {
		return nil, err
	}

	// A one-time code in the templates above may be one that is not valid yet.
	step.OneTime = d.code != "" && d.codeAt == d.at
	step.NotBefore = d.notBefore
	d.notBefore = time.Time{}
	return step, nil
}

// setTarget expands the template of a target. One that begins with a slash is a path at the host of
// the login; any other is a URL, which may be relative to the last page.
func (d *Dialogue) setTarget(step *Step, template string) error {
	target, err := d.expandTemplate(template)
	if err != nil {
		return err
	}

	if strings.HasPrefix(template, "/") {
		step.Path = target
	} else if err := d.resolveTarget(step, target, d.baseURL(target)); err != nil {
		return err
	}

	isForbidden := func(r rune) bool { return r <= ' ' || r == 0x7f }
	if !strings.HasPrefix(step.Path, "/") || strings.ContainsFunc(step.Path, isForbidden) {
		return errors.New("the path is not valid once its values are filled in; use a |query filter")
	}
	return nil
}

// addBody adds the body that a step describes, if it describes one.
func (d *Dialogue) addBody(step *Step, spec *StepSpec, last *Reply) error {
	switch {
	case spec.Form != nil || spec.Hidden != "":
		form, err := d.expandForm(spec, last)
		if err != nil {
			return err
		}
		step.setBody("application/x-www-form-urlencoded", []byte(form.Encode()))

	case spec.JSON != nil:
		expanded, err := d.expandJSON(spec.JSON)
		if err != nil {
			return fmt.Errorf("json: %w", err)
		}
		body, err := json.Marshal(expanded)
		if err != nil {
			return errors.New("json: the body cannot be written as JSON")
		}
		step.setBody("application/json", body)

	case spec.Body != "":
		body, err := d.expandTemplate(spec.Body)
		if err != nil {
			return fmt.Errorf("body: %w", err)
		}
		step.setBody("text/plain; charset=utf-8", []byte(body))
	}
	return nil
}

// setBody sets the body, and its content type unless the step has set one.
func (s *Step) setBody(contentType string, body []byte) {
	s.Body = body
	s.setDefault("Content-Type", contentType)
}

// expandForm returns the fields of a form: the hidden ones of the last page, and those of the step,
// which replace hidden ones of their names.
func (d *Dialogue) expandForm(spec *StepSpec, last *Reply) (url.Values, error) {
	form := url.Values{}
	if spec.Hidden != "" {
		if last == nil {
			return nil, errors.New("hidden: the first step has no page before it; add a get step")
		}
		var err error
		form, err = css.HiddenFields(last.Body, spec.Hidden)
		if err != nil {
			return nil, fmt.Errorf("hidden: %w", err)
		}
	}

	for name, template := range spec.Form {
		v, err := d.expandTemplate(template)
		if err != nil {
			return nil, fmt.Errorf("form field %s: %w", name, err)
		}
		form.Set(name, v)
	}
	return form, nil
}

// expandJSON returns v with every string in it expanded, at any depth. Keys stay as they are.
func (d *Dialogue) expandJSON(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		return d.expandTemplate(v)

	case []any:
		expanded := make([]any, len(v))
		for i := range v {
			if expanded[i], err = d.expandJSON(v[i]); err != nil {
				return nil, err
			}
		}
		return expanded, nil

	case map[string]any:
		expanded := make(map[string]any, len(v))
		for key := range v {
			if expanded[key], err = d.expandJSON(v[key]); err != nil {
				return nil, err
			}
		}
		return expanded, nil
	}
	return v, nil
}
