package sinks

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The classes of OCSF 1.4 (https://schema.ocsf.io) that records are mapped to.
const (
	ocsfVersion      = "1.4.0"
	classEventLog    = 1008 // Event Log Activity: the log's own records
	classFinding     = 2004 // Detection Finding: alerts
	classAuthn       = 3002 // Authentication: logins and logouts
	classSession     = 3003 // Authorize Session: a task's beginning and end
	classEntity      = 3004 // Entity Management: leases, reloads, reviews
	classLifecycle   = 6002 // Application Lifecycle: start and stop
	classAPI         = 6003 // API Activity: intents, outcomes, refusals
	activityOther    = 99
	severityInfo     = 1
	severityLow      = 2
	severityMedium   = 3
	statusUnknown    = 0 // an outcome will tell
	statusSuccess    = 1
	statusFailure    = 2
	findingNew       = 1 // a finding has a status of its own
	allowed          = 1 // action and disposition of the profile security_control
	denied           = 2 // Denied as an action, Blocked as a disposition
	typeUser         = 1
	typeSystem       = 3
	categoryOfClass  = 1000
	typeOfActivities = 100
)

var categoryNames = map[int]string{1: "System Activity", 2: "Findings", 3: "Identity & Access Management", 6: "Application Activity"}

var classNames = map[int]string{classEventLog: "Event Log Activity", classFinding: "Detection Finding", classAuthn: "Authentication",
	classSession: "Authorize Session", classEntity: "Entity Management", classLifecycle: "Application Lifecycle", classAPI: "API Activity"}

var severityNames = map[int]string{severityInfo: "Informational", severityLow: "Low", severityMedium: "Medium"}

var statusNames = map[int]string{statusUnknown: "Unknown", statusSuccess: "Success", statusFailure: "Failure"}

// ocsfMethods are the methods that OCSF 1.4 knows; any other stays unmapped.
var ocsfMethods = map[string]bool{"CONNECT": true, "DELETE": true, "GET": true, "HEAD": true, "OPTIONS": true, "POST": true, "PUT": true, "TRACE": true}

// object is an object of OCSF. Empty text is no value, so it is left out.
type object map[string]any

func (o object) text(pairs ...string) object {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			o[pairs[i]] = pairs[i+1]
		}
	}
	return o
}

// ocsf is the record as an OCSF event. Everything that OCSF has no attribute
// for is under unmapped, so that nothing is lost but the chain.
func (e *event) ocsf(line []byte) (object, error) {
	class, activity, name := e.class()
	status, severity := e.verdict()
	caption := name
	if activity == activityOther {
		caption = "Other"
	}
	out := object{
		"class_uid": class, "class_name": classNames[class], "category_uid": class / categoryOfClass, "category_name": categoryNames[class/categoryOfClass],
		"activity_id": activity, "activity_name": name, "type_uid": class*typeOfActivities + activity, "type_name": classNames[class] + ": " + caption,
		"severity_id": severity, "severity": severityNames[severity], "status_id": status, "status": statusNames[status],
		"time": e.Time.UnixMilli(), "timezone_offset": 0, "message": e.message(), "actor": e.actor(),
	}
	out.text("status_code", e.Code, "status_detail", e.Detail)
	if e.Code == "" && e.Status > 0 {
		out["status_code"] = strconv.Itoa(e.Status)
	}
	e.particulars(class, out)
	out["metadata"] = e.metadata(class, out)
	unmapped, err := e.unmapped(class, line)
	out["unmapped"] = unmapped
	return out, err
}

// metadata names the profiles whose attributes the event has beyond its class.
func (e *event) metadata(class int, out object) object {
	m := object{"version": ocsfVersion, "product": product(), "log_provider": "Byline", "original_time": e.Time.UTC().Format(time.RFC3339Nano)}
	m.text("uid", e.ID, "log_name", e.Instance, "correlation_uid", first(e.Intent, e.ID))
	if e.Seq <= math.MaxInt32 { // an integer of OCSF has 32 bits
		m["sequence"] = e.Seq
	}
	var profiles []string
	if class == classFinding || class == classLifecycle {
		profiles = append(profiles, "host") // which has the actor
	}
	if out["action_id"] != nil {
		profiles = append(profiles, "security_control")
	}
	if profiles != nil {
		m["profiles"] = profiles
	}
	return m
}

var product = sync.OnceValue(func() object {
	p := object{"name": "Byline", "vendor_name": "Byline"}
	if b, ok := debug.ReadBuildInfo(); ok {
		p.text("version", b.Main.Version)
	}
	return p
})

// actor is the agent, in the session that its task is, on behalf of its
// sponsor; what no agent did, Byline did.
func (e *event) actor() object {
	a := object{}.text("app_name", first(e.Agent, "Byline"), "app_uid", e.Task)
	if e.Sponsor != "" {
		user := object{"name": e.Sponsor, "type_id": typeUser, "type": "User"}
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
func (e *event) session() object {
	return object{"is_remote": true, "issuer": "Byline"}.text("uid", e.Task, "credential_uid", e.Account)
}

// class chooses where a record belongs, and which activity of it it is.
func (e *event) class() (class, activity int, name string) {
	switch e.Kind {
	case "outcome":
		if e.Account != "" && e.Method == "" && e.Action == "" {
			return e.dialogue()
		}
		return e.apiActivity()
	case "intent", "refusal", "tunnel":
		return e.apiActivity()
	case "login":
		return classAuthn, 1, "Logon"
	case "logout":
		return classAuthn, 2, "Logoff"
	case "task":
		if strings.HasPrefix(e.Detail, "ended") {
			return classSession, activityOther, "Revoke Privileges"
		}
		return classSession, 1, "Assign Privileges"
	case "alert":
		return classFinding, 1, "Create"
	case "start":
		return classLifecycle, 3, "Start"
	case "stop":
		return classLifecycle, 4, "Stop"
	case "reload":
		return classEntity, 3, "Update"
	case "lease", "review":
		return classEntity, activityOther, e.Kind
	}
	return classEventLog, activityOther, first(e.Kind, "other")
}

// dialogue is the outcome of a login, which has a duration, or of a logout,
// which has none.
func (e *event) dialogue() (class, activity int, name string) {
	if e.Code != "" || e.DurationUS > 0 {
		return classAuthn, 1, "Logon"
	}
	return classAuthn, 2, "Logoff"
}

// apiActivity is by method; one that a safe method cannot show is Other.
func (e *event) apiActivity() (class, activity int, name string) {
	switch e.Method {
	case "GET", "HEAD", "OPTIONS":
		return classAPI, 2, "Read"
	case "PUT", "PATCH":
		return classAPI, 3, "Update"
	case "DELETE":
		return classAPI, 4, "Delete"
	case "POST":
		return classAPI, 1, "Create"
	}
	return classAPI, activityOther, first(e.Method, e.Kind)
}

// verdict is the event's status and severity. What only begins has no status
// yet: its outcome is a record of its own.
func (e *event) verdict() (status, severity int) {
	switch {
	case e.Kind == "alert":
		return findingNew, severityMedium
	case e.Kind == "recovery" || e.Kind == "clock":
		return statusFailure, severityMedium
	case e.Kind == "task":
		return statusSuccess, severityInfo // its code says that it ended
	case e.Kind == "refusal" || e.Code != "" || e.Status >= 400 || strings.HasPrefix(e.Detail, "logout failed"):
		return statusFailure, severityLow
	case e.Kind == "intent" || e.Kind == "login" || e.Kind == "logout" || e.Kind == "tunnel":
		return statusUnknown, severityInfo
	}
	return statusSuccess, severityInfo
}

// particulars are what the class asks for beyond the common attributes.
func (e *event) particulars(class int, out object) {
	switch class {
	case classAPI:
		e.request(out)
	case classAuthn:
		out["user"] = system(first(e.Account, "unknown"))
		out["service"] = object{"name": first(e.Adapter, "unknown")}
		out["is_remote"] = true
		out["session"] = object{"is_remote": true, "issuer": "Byline"}.text("uid", first(e.Lease, e.Task))
		if at := endpoint(e.Host); at != nil {
			out["dst_endpoint"] = at
		}
		if e.DurationUS > 0 {
			out["duration"] = e.DurationUS / 1000
		}
	case classSession:
		out["user"], out["session"], out["privileges"] = system(first(e.Agent, "unknown")), e.session(), e.privileges()
	case classEntity:
		out["entity"] = e.entity()
	case classLifecycle:
		out["app"] = product()
	case classFinding:
		out["status"], out["is_alert"] = "New", true // a finding's status is its own
		out["finding_info"] = object{"title": first(e.Code, "alert"), "created_time": e.Time.UnixMilli()}.text("uid", first(e.ID, "unknown"), "desc", e.Detail)
		if e.Host != "" {
			out["resources"] = []any{object{"name": e.Host, "type": "application"}}
		}
	case classEventLog:
		out["log_type_id"], out["log_type"] = 2, "Application"
		out.text("log_name", e.Instance, "log_provider", "Byline")
	}
}

// request is a request, what was decided about it, and what came of it.
func (e *event) request(out object) {
	at := endpoint(e.Host)
	out["src_endpoint"] = object{"name": first(e.Agent, "unknown")}.text("uid", e.Task)
	out["api"] = object{"operation": first(e.Action, e.Kind), "service": object{"name": first(e.Adapter, e.Host, "unknown")}}
	if at != nil {
		out["dst_endpoint"] = at
	}
	request := object{}
	if ocsfMethods[e.Method] {
		request["http_method"] = e.Method
	}
	if e.Path != "" { // a URL has a path, or it is none
		url := object{"path": e.Path}
		if at != nil {
			url.text("hostname", first(asText(at["hostname"]), asText(at["ip"])))
			if port := at["port"]; port != nil {
				url["port"] = port
			}
		}
		request["url"] = url
	}
	if len(request) > 0 {
		out["http_request"] = request
	}
	if e.Resource != "" {
		out["resources"] = []any{object{"name": e.Resource}}
	}
	if e.Status > 0 {
		out["http_response"] = object{"code": e.Status}
	}
	if e.DurationUS > 0 {
		out["duration"] = e.DurationUS / 1000
	}
	switch {
	case e.Kind == "refusal":
		out["action_id"], out["action"], out["disposition_id"], out["disposition"] = denied, "Denied", denied, "Blocked"
	case e.Decision.Effect == "permit":
		out["action_id"], out["action"], out["disposition_id"], out["disposition"] = allowed, "Allowed", allowed, "Allowed"
	}
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

// privileges are the task's scope. Its end repeats the digest alone; OCSF wants
// privileges for it too.
func (e *event) privileges() []string {
	if len(e.Scope) > 0 {
		return e.Scope
	}
	return []string{first(e.Grant, "all of the task's")}
}

func (e *event) entity() object {
	switch {
	case e.Account != "":
		return object{"name": e.Account, "type_id": 2, "type": "User", "user": system(e.Account)}
	case e.Kind == "reload":
		return object{"name": "configuration of Byline", "type_id": activityOther, "type": "configuration"}
	}
	return object{"name": e.Kind, "type_id": activityOther, "type": e.Kind}
}

// system is an account that no person uses.
func system(name string) object {
	return object{"name": name, "type_id": typeSystem, "type": "System"}
}

// endpoint is where an authority leads; nil without one.
func endpoint(authority string) object {
	if authority == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(authority)
	if err != nil {
		host = strings.Trim(authority, "[]")
	}
	at := object{}
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

// The members of a record that stand elsewhere in every event, or that are the
// log's chain, and those that an API Activity has a place for.
var (
	mappedAlways = strings.Fields("v prev time id instance agent sponsor task intent code detail checkpoint frontier")
	mappedForAPI = strings.Fields("action resource host path status duration_us")
)

func (e *event) unmapped(class int, line []byte) (map[string]json.RawMessage, error) {
	var rest map[string]json.RawMessage
	if err := json.Unmarshal(line, &rest); err != nil {
		return nil, fmt.Errorf("a line is no record: %w", err)
	}
	drop := mappedAlways
	if class == classAPI {
		drop = slices.Concat(mappedAlways, mappedForAPI)
	}
	for _, name := range drop {
		delete(rest, name)
	}
	if e.Seq <= math.MaxInt32 {
		delete(rest, "seq")
	}
	if ocsfMethods[e.Method] {
		delete(rest, "method")
	}
	return rest, nil
}

func (e *event) message() string {
	parts := []string{first(e.Kind, "record")}
	for _, s := range []string{e.Action, e.Resource, e.Code, e.Detail} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
