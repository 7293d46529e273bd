package sinks

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// actor is the agent, in the session that its task is, on behalf of its sponsor.
// It is Byline for what no agent did.
func (e *event) actor() ocsfObject {
	a := ocsfObject{}.setTexts("app_name", firstText(e.Agent, "Byline"), "app_uid", e.Task)
	if e.Sponsor != "" {
		user := ocsfObject{"name": e.Sponsor, "type_id": typeUser, "type": "User"}
		if strings.Contains(e.Sponsor, "@") {
			user["email_addr"] = e.Sponsor
		}
		a["user"] = user
	}
	if e.Task != "" {
		a["session"] = e.session()
	}
	return a
}

// session is the task; its credential is the compensating account.
func (e *event) session() ocsfObject {
	s := ocsfObject{"is_remote": true, "issuer": "Byline"}
	return s.setTexts("uid", e.Task, "credential_uid", e.Account)
}

// setClassAttributes sets the attributes of the class that not every event has.
func (e *event) setClassAttributes(class int, out ocsfObject) {
	switch class {
	case classAPI:
		e.setRequest(out)

	case classAuthn:
		out["user"] = systemUser(firstText(e.Account, "unknown"))
		out["service"] = ocsfObject{"name": firstText(e.Adapter, "unknown")}
		out["is_remote"] = true
		session := ocsfObject{"is_remote": true, "issuer": "Byline"}
		out["session"] = session.setTexts("uid", firstText(e.Lease, e.Task))
		if at := endpoint(e.Host); at != nil {
			out["dst_endpoint"] = at
		}
		if e.DurationUS > 0 {
			out["duration"] = e.DurationUS / 1000
		}

	case classSession:
		out["user"] = systemUser(firstText(e.Agent, "unknown"))
		out["session"] = e.session()
		out["privileges"] = e.privileges()

	case classEntity:
		out["entity"] = e.entity()

	case classLifecycle:
		out["app"] = product()

	case classFinding:
		out["status"] = "New" // findings have their own statuses
		out["is_alert"] = true
		info := ocsfObject{"title": firstText(e.Code, "alert"), "created_time": e.Time.UnixMilli()}
		out["finding_info"] = info.setTexts("uid", firstText(e.ID, "unknown"), "desc", e.Detail)
		if e.Host != "" {
			out["resources"] = []any{ocsfObject{"name": e.Host, "type": "application"}}
		}

	case classEventLog:
		out["log_type_id"] = 2
		out["log_type"] = "Application"
		out.setTexts("log_name", e.Instance, "log_provider", "Byline")
	}
}

// setRequest sets a request, what was decided about it, and its result.
func (e *event) setRequest(out ocsfObject) {
	at := endpoint(e.Host)
	source := ocsfObject{"name": firstText(e.Agent, "unknown")}
	out["src_endpoint"] = source.setTexts("uid", e.Task)
	out["api"] = ocsfObject{
		"operation": firstText(e.Action, e.Kind),
		"service":   ocsfObject{"name": firstText(e.Adapter, e.Host, "unknown")},
	}
	if at != nil {
		out["dst_endpoint"] = at
	}

	request := ocsfObject{}
	if ocsfMethods[e.Method] {
		request["http_method"] = e.Method
	}
	if e.Path != "" { // OCSF requires a path of every URL
		request["url"] = urlOf(at, e.Path)
	}
	if len(request) > 0 {
		out["http_request"] = request
	}
	if e.Resource != "" {
		out["resources"] = []any{ocsfObject{"name": e.Resource}}
	}

	if e.Status > 0 {
		out["http_response"] = ocsfObject{"code": e.Status}
	}
	if e.DurationUS > 0 {
		out["duration"] = e.DurationUS / 1000
	}

	switch {
	case e.Kind == "refusal":
		out["action_id"], out["action"] = controlDenied, "Denied"
		out["disposition_id"], out["disposition"] = controlDenied, "Blocked"
	case e.Decision.Effect == "permit":
		out["action_id"], out["action"] = controlAllowed, "Allowed"
		out["disposition_id"], out["disposition"] = controlAllowed, "Allowed"
	}
}

// urlOf returns the URL of a path at an endpoint, which may be nil.
func urlOf(at ocsfObject, path string) ocsfObject {
	u := ocsfObject{"path": path}
	if at == nil {
		return u
	}
	u.setTexts("hostname", firstText(asText(at["hostname"]), asText(at["ip"])))
	if port := at["port"]; port != nil {
		u["port"] = port
	}
	return u
}

// privileges is the task's scope. The record of a task's end has only the
// digest, and OCSF requires privileges there too.
func (e *event) privileges() []string {
	if len(e.Scope) > 0 {
		return e.Scope
	}
	return []string{firstText(e.Grant, "all of the task's")}
}

func (e *event) entity() ocsfObject {
	switch {
	case e.Account != "":
		return ocsfObject{"name": e.Account, "type_id": 2, "type": "User", "user": systemUser(e.Account)}
	case e.Kind == "reload":
		return ocsfObject{"name": "configuration of Byline", "type_id": activityOther, "type": "configuration"}
	}
	return ocsfObject{"name": e.Kind, "type_id": activityOther, "type": e.Kind}
}

// systemUser is an account that no person uses.
func systemUser(name string) ocsfObject {
	return ocsfObject{"name": name, "type_id": typeSystem, "type": "System"}
}

// endpoint returns the host and port of an authority, or nil if it is empty.
func endpoint(authority string) ocsfObject {
	if authority == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(authority)
	if err != nil {
		host = strings.Trim(authority, "[]")
	}

	at := ocsfObject{}
	if _, err := netip.ParseAddr(host); err == nil {
		at["ip"] = host
	} else {
		at["hostname"] = host
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		at["port"] = n
	}
	return at
}

var (
	// mappedAlways are the members of a record that have an attribute in every
	// event, or that belong to the log's chain.
	mappedAlways = strings.Fields("v prev time id instance agent sponsor task intent code detail checkpoint frontier")
	// mappedForAPI are those that an API Activity has attributes for.
	mappedForAPI = strings.Fields("action resource host path status duration_us")
)

// unmapped returns the members of the line that the event has no attribute for.
func (e *event) unmapped(class int, line []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, fmt.Errorf("a line is not a record: %w", err)
	}

	mapped := mappedAlways
	if class == classAPI {
		mapped = slices.Concat(mappedAlways, mappedForAPI)
	}
	for _, name := range mapped {
		delete(members, name)
	}
	if e.Seq <= math.MaxInt32 {
		delete(members, "seq")
	}
	if ocsfMethods[e.Method] {
		delete(members, "method")
	}
	return members, nil
}

// message is one line for people.
func (e *event) message() string {
	words := []string{firstText(e.Kind, "record")}
	for _, s := range []string{e.Action, e.Resource, e.Code, e.Detail} {
		if s != "" {
			words = append(words, s)
		}
	}
	return strings.Join(words, " ")
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

// firstText returns the first text that is not empty, or "".
func firstText(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
