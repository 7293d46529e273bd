package adapters

import (
	"fmt"
	"slices"
)

// recipe is the kind of a login that is written down step by step. Its fields are what the sender of
// the requests, a page or a script, tells the application about itself.
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
		d.at("login", "login.steps: [{post: …}]", "login kind %q needs steps", l.Kind)
		return
	}

	posts := slices.ContainsFunc(l.Steps, func(s StepSpec) bool { return s.Post != "" || s.Put != "" })
	if posts && isEmptyCondition(l.Success) && isEmptyCondition(l.Steps[len(l.Steps)-1].Success) {
		d.at("login", "for example success: {status: [302], cookie: \"*UserID\"}",
			"the login posts a password but has no success condition, so a refused login would count as a success")
	}
}

// Next implements [Kind].
func (k recipe) Next(d *Dialogue, last *Reply) (*Step, error) {
	step, err := d.nextStep(last)
	if err != nil {
		return nil, err
	}
	if step == nil {
		return nil, d.completeSession()
	}

	step.setDefault("Accept", k.accept)
	step.setDefault("Sec-Fetch-Mode", k.fetchMode) // Fetch Metadata, W3C
	step.setDefault("Sec-Fetch-Dest", k.fetchDest)
	return step, nil
}

// nextStep returns the next request of a recipe: one that a redirect asks for, or that of the next
// step once the answer to the one before has been checked and its values have been taken. It returns
// nil after the last step.
func (d *Dialogue) nextStep(last *Reply) (*Step, error) {
	if last != nil && d.at < len(d.steps) {
		step, err := d.followRedirect(last)
		if err == nil && step == nil {
			err = d.finishStep(last)
		}
		if err != nil {
			return nil, d.stepError(err)
		}
		if step != nil {
			return step, nil
		}

		d.at++
		d.hops = 0
		d.onTheWay = nil
	}

	if d.at == len(d.steps) {
		return nil, nil
	}
	step, err := d.buildStep(&d.steps[d.at], last)
	if err != nil {
		return nil, d.stepError(err)
	}
	return step, nil
}

// stepError says at which step an error happened. Templates stay unexpanded, so no secret is in it.
func (d *Dialogue) stepError(err error) error {
	method, target := d.steps[d.at].Request()
	return fmt.Errorf("step %d (%s %s): %w", d.at+1, method, target, err)
}

// finishStep checks the answer to the current step and takes values from it.
func (d *Dialogue) finishStep(last *Reply) error {
	if len(d.onTheWay) > 0 {
		last = &Reply{Status: last.Status, Fields: slices.Concat(d.onTheWay, last.Fields), Body: last.Body}
	}
	if err := d.checkAnswer(last); err != nil {
		return err
	}

	for name, take := range d.steps[d.at].Take {
		v, found, err := d.takeValue(&take, last)
		if err != nil {
			return fmt.Errorf("take %s: %w", name, err)
		}
		if !found && !take.Optional {
			return fmt.Errorf("take %s: the answer (status %d) does not have it", name, last.Status)
		}
		d.keepValue(name, v)
	}
	return nil
}

// checkAnswer checks the conditions on the answer to the current step. If a step has no condition,
// its answer must not have an error status.
func (d *Dialogue) checkAnswer(last *Reply) error {
	conditions := []*Condition{&d.steps[d.at].Success}
	if d.at == len(d.steps)-1 {
		conditions = append(conditions, &d.final)
	}

	hasCondition := false
	for _, c := range conditions {
		if key := c.failingKey(last); key != "" {
			return fmt.Errorf("success.%s does not hold (status %d)", key, last.Status)
		}
		hasCondition = hasCondition || !isEmptyCondition(*c)
	}
	if !hasCondition && last.Status >= 400 {
		return fmt.Errorf("answered with status %d", last.Status)
	}
	return nil
}

// keepValue keeps a value for the templates of later steps and of the logout.
func (d *Dialogue) keepValue(name, value string) {
	if d.taken == nil {
		d.taken = map[string]string{}
	}
	d.taken[name] = value
}

// Request returns the step's method and its target, with templates unexpanded.
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
