package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/proxy"
	"github.com/byline-proxy/byline/proxy/audit"
)

// tellEvent says in a sentence what a record among those of s says, and because of
// what it happened as far as the record knows.
func tellEvent(r *audit.Record, s *audit.RelatedRecords) string {
	switch r.Kind {
	case "task":
		return tellTask(r)
	case "lease":
		return "account " + r.Account + " of " + r.Adapter + " " + r.Detail
	case "login":
		return "Byline begins a login as " + r.Account
	case "logout":
		return because("Byline logs "+r.Account+" out", r.Detail)
	case "intent":
		return tellIntent(r)
	case "refusal":
		return because("refused"+after(r), reason(r))
	case "outcome":
		return tellOutcome(r, s)
	case "alert":
		return because("alert "+r.Code, r.Detail)
	case "start":
		return "the server starts"
	case "stop":
		return "the server stops"
	case audit.KindRecovery:
		if r.Code == audit.CodeCrash {
			return "the server was killed or crashed before this start"
		}
		return "the disk of the record failed and works again"
	case audit.KindClock:
		return because("the system clock went back", r.Detail)
	}
	return summarizeRecord(r)
}

func tellTask(r *audit.Record) string {
	if r.Code == audit.CodeEnded {
		why := strings.TrimPrefix(r.Detail, "ended: ")
		return because("the task ends", why)
	}

	text := "the task begins: " + r.Agent + " for " + r.Sponsor
	if r.Purpose != "" {
		text += ", " + r.Purpose
	}
	if len(r.Scope) > 0 {
		text += ", approved for " + strings.Join(r.Scope, " ")
	}
	return because(text, r.Detail)
}

func tellIntent(r *audit.Record) string {
	text := "permitted as " + r.Action
	if r.Resource != "" {
		text += " on " + r.Resource
	}
	if len(r.Decision.Policies) > 0 {
		text += " by " + strings.Join(r.Decision.Policies, ", ")
	}
	text += "; on record before it was sent: " + strings.TrimSpace(r.Method+" "+r.Host+r.Path)
	if n := len(r.Stripped); n > 0 {
		text += "; without " + cli.Plural(n, "borrowed credential")
	}
	return because(text, r.Detail)
}

func tellOutcome(r *audit.Record, s *audit.RelatedRecords) string {
	for i := range s.Lease {
		of := &s.Lease[i]
		if of.ID != r.Intent {
			continue
		}
		if r.Code == "" {
			return because("the "+of.Kind+" is over"+after(r), r.Detail)
		}
		return because("the "+of.Kind+" fails"+after(r), r.Detail)
	}

	if r.Code == "" {
		return because(fmt.Sprintf("%d: the application has answered%s", r.Status, after(r)), r.Detail)
	}
	return because(fmt.Sprintf("%d: the exchange did not reach its end%s", r.Status, after(r)), reason(r))
}

// whyNoOutcome explains an intent without an outcome; empty if there is one.
func whyNoOutcome(s *audit.RelatedRecords) string {
	if s.Record.Kind != "intent" || s.Outcome != nil {
		return ""
	}
	for i := range s.Events {
		e := &s.Events[i]
		if e.Kind == audit.KindRecovery && e.Code == audit.CodeCrash && e.Seq > s.Record.Seq {
			return "no outcome is on record, because the server was killed or crashed while the request was under way: it may have taken effect"
		}
	}
	return "no outcome is on record yet: the request is under way"
}

// reason is what the code of a record stands for, with its detail.
func reason(r *audit.Record) string {
	text := r.Code
	if title := proxy.Code(r.Code).Title(); title != "" {
		text += ", " + strings.ToLower(title[:1]) + title[1:]
	}
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	return text
}

// because appends a reason to a sentence, if there is one.
func because(text, why string) string {
	if why == "" {
		return text
	}
	return text + ": " + why
}

// after says how long an exchange took.
func after(r *audit.Record) string {
	if r.DurationUS == 0 {
		return ""
	}
	return " after " + (time.Duration(r.DurationUS) * time.Microsecond).Round(time.Millisecond).String()
}
