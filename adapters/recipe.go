package adapters

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// nextStep follows a recipe: check the last answer, take from it, build the next request. nil: the recipe is through.
func (d *Dialogue) nextStep(last *Reply) (*Step, error) {
	if last != nil && d.at < len(d.steps) {
		if err := d.judge(last); err != nil {
			return nil, fmt.Errorf("step %d (%s): %w", d.at+1, describeStep(&d.steps[d.at]), err)
		}
		d.at++
	}
	if d.at == len(d.steps) {
		return nil, nil
	}
	spec := &d.steps[d.at]
	step, err := d.build(spec)
	if err != nil {
		return nil, fmt.Errorf("step %d (%s): %w", d.at+1, describeStep(spec), err)
	}
	return step, nil
}

// judge checks the answer to the step under way and takes its values. Without a condition of its own a step must not
// answer with an error status.
func (d *Dialogue) judge(last *Reply) error {
	spec := &d.steps[d.at]
	conditions := []*Condition{&spec.Success}
	if d.at == len(d.steps)-1 {
		conditions = append(conditions, &d.final)
	}
	said := false
	for _, c := range conditions {
		said = said || !emptyCondition(*c)
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
		if d.taken == nil {
			d.taken = map[string]string{}
		}
		d.taken[name] = v
	}
	return nil
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
	}
	return "GET", s.Get
}

func (d *Dialogue) build(spec *StepSpec) (*Step, error) {
	step := &Step{}
	method, target := spec.Request()
	path, err := expand(target, d.value)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, errors.New("the path with its values filled in is not a path; use a |query filter")
	}
	step.Method, step.Path = method, path
	for _, name := range slices.Sorted(maps.Keys(spec.Headers)) {
		v, err := expand(spec.Headers[name], d.value)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		if strings.ContainsAny(v, "\r\n\x00") {
			return nil, fmt.Errorf("header %s: its value has a line break", name)
		}
		step.Fields = append(step.Fields, Field{Name: name, Value: v})
	}
	switch {
	case spec.Form != nil:
		form := url.Values{}
		for name, text := range spec.Form {
			v, err := expand(text, d.value)
			if err != nil {
				return nil, fmt.Errorf("form field %s: %w", name, err)
			}
			form.Set(name, v)
		}
		step.body("application/x-www-form-urlencoded", []byte(form.Encode()))
	case spec.JSON != nil:
		filled, err := d.fill(spec.JSON)
		if err != nil {
			return nil, fmt.Errorf("json: %w", err)
		}
		text, err := json.Marshal(filled)
		if err != nil {
			return nil, errors.New("json: the body has no JSON form")
		}
		step.body("application/json", text)
	}
	return step, nil
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
		return expand(v, d.value)
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
	return nil
}

func (d *Dialogue) setHeader(name, text string) error {
	v, err := expand(text, d.value)
	if err != nil {
		return fmt.Errorf("header %s: %w", name, err)
	}
	if strings.ContainsAny(v, "\r\n\x00") {
		return fmt.Errorf("header %s: its value has a line break", name)
	}
	d.session.headers = append(d.session.headers, Field{Name: name, Value: v})
	return nil
}
