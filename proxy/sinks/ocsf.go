package sinks

import (
	"math"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

const ocsfVersion = "1.4.0"

// The classes of OCSF 1.4 (https://schema.ocsf.io) that records are mapped to.
const (
	classEventLog  = 1008 // Event Log Activity: the log's own records
	classFinding   = 2004 // Detection Finding: alerts
	classAuthn     = 3002 // Authentication: logins and logouts
	classSession   = 3003 // Authorize Session: a task's beginning and end
	classEntity    = 3004 // Entity Management: leases, reloads, reviews
	classLifecycle = 6002 // Application Lifecycle: start and stop
	classAPI       = 6003 // API Activity: intents, outcomes, refusals

	categoryOfClass  = 1000 // class / categoryOfClass is the category
	typeOfActivities = 100  // class * typeOfActivities + activity is the type
)

// Identifiers of OCSF 1.4.
const (
	activityOther = 99

	severityInfo   = 1
	severityLow    = 2
	severityMedium = 3

	statusUnknown = 0 // the outcome is another record
	statusSuccess = 1
	statusFailure = 2
	findingNew    = 1 // findings have their own statuses

	// Action and disposition of the profile security_control.
	controlAllowed = 1
	controlDenied  = 2 // Denied as an action, Blocked as a disposition

	typeUser   = 1
	typeSystem = 3
)

var categoryNames = map[int]string{
	1: "System Activity",
	2: "Findings",
	3: "Identity & Access Management",
	6: "Application Activity",
}

var classNames = map[int]string{
	classEventLog:  "Event Log Activity",
	classFinding:   "Detection Finding",
	classAuthn:     "Authentication",
	classSession:   "Authorize Session",
	classEntity:    "Entity Management",
	classLifecycle: "Application Lifecycle",
	classAPI:       "API Activity",
}

var severityNames = map[int]string{
	severityInfo:   "Informational",
	severityLow:    "Low",
	severityMedium: "Medium",
}

var statusNames = map[int]string{
	statusUnknown: "Unknown",
	statusSuccess: "Success",
	statusFailure: "Failure",
}

// ocsfMethods are the methods that OCSF 1.4 knows. Others stay unmapped.
var ocsfMethods = map[string]bool{
	"CONNECT": true,
	"DELETE":  true,
	"GET":     true,
	"HEAD":    true,
	"OPTIONS": true,
	"POST":    true,
	"PUT":     true,
	"TRACE":   true,
}

// ocsfObject is an object of OCSF.
type ocsfObject map[string]any

// setTexts sets pairs of name and text, leaves out those whose text is empty,
// and returns o. OCSF has no empty text.
func (o ocsfObject) setTexts(pairs ...string) ocsfObject {
	for i := 0; i < len(pairs); i += 2 {
		name, text := pairs[i], pairs[i+1]
		if text != "" {
			o[name] = text
		}
	}
	return o
}

// toOCSF returns the record as an OCSF event. Members of the line that OCSF has
// no attribute for are in unmapped, so that only the chain of the log is lost.
func (e *event) toOCSF(line []byte) (ocsfObject, error) {
	class, activity, name := e.classify()
	status, severity := e.verdict()
	typeCaption := name
	if activity == activityOther {
		typeCaption = "Other"
	}

	out := ocsfObject{
		"class_uid":       class,
		"class_name":      classNames[class],
		"category_uid":    class / categoryOfClass,
		"category_name":   categoryNames[class/categoryOfClass],
		"activity_id":     activity,
		"activity_name":   name,
		"type_uid":        class*typeOfActivities + activity,
		"type_name":       classNames[class] + ": " + typeCaption,
		"severity_id":     severity,
		"severity":        severityNames[severity],
		"status_id":       status,
		"status":          statusNames[status],
		"time":            e.Time.UnixMilli(),
		"timezone_offset": 0,
		"message":         e.message(),
		"actor":           e.actor(),
	}
	out.setTexts("status_code", e.Code, "status_detail", e.Detail)
	if e.Code == "" && e.Status > 0 {
		out["status_code"] = strconv.Itoa(e.Status)
	}
	e.setClassAttributes(class, out)
	out["metadata"] = e.metadata(class, out) // last: it depends on what was set

	unmapped, err := e.unmapped(class, line)
	if err != nil {
		return nil, err
	}
	out["unmapped"] = unmapped
	return out, nil
}

// metadata names the profiles whose attributes the event has besides those of
// its class.
func (e *event) metadata(class int, out ocsfObject) ocsfObject {
	m := ocsfObject{
		"version":       ocsfVersion,
		"product":       product(),
		"log_provider":  "Byline",
		"original_time": e.Time.UTC().Format(time.RFC3339Nano),
	}
	m.setTexts(
		"uid", e.ID,
		"log_name", e.Instance,
		"correlation_uid", firstText(e.Intent, e.ID),
	)
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

var product = sync.OnceValue(func() ocsfObject {
	p := ocsfObject{"name": "Byline", "vendor_name": "Byline"}
	if info, ok := debug.ReadBuildInfo(); ok {
		p.setTexts("version", info.Main.Version)
	}
	return p
})

// classify returns the class of the record and which activity of the class it is.
func (e *event) classify() (class, activity int, name string) {
	switch e.Kind {
	case "outcome":
		if e.Account != "" && e.Method == "" && e.Action == "" {
			return e.classifyDialogue()
		}
		return e.classifyAPI()
	case "intent", "refusal", "tunnel":
		return e.classifyAPI()

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
	return classEventLog, activityOther, firstText(e.Kind, "other")
}

// classifyDialogue tells the outcome of a login, which has a duration or a code,
// from that of a logout.
func (e *event) classifyDialogue() (class, activity int, name string) {
	if e.Code != "" || e.DurationUS > 0 {
		return classAuthn, 1, "Logon"
	}
	return classAuthn, 2, "Logoff"
}

// classifyAPI chooses the activity by the method.
func (e *event) classifyAPI() (class, activity int, name string) {
	switch e.Method {
	case "POST":
		return classAPI, 1, "Create"
	case "GET", "HEAD", "OPTIONS":
		return classAPI, 2, "Read"
	case "PUT", "PATCH":
		return classAPI, 3, "Update"
	case "DELETE":
		return classAPI, 4, "Delete"
	}
	return classAPI, activityOther, firstText(e.Method, e.Kind)
}

// verdict returns the event's status and severity. A record of a beginning has
// no status: its outcome is another record.
func (e *event) verdict() (status, severity int) {
	switch {
	case e.Kind == "alert":
		return findingNew, severityMedium
	case e.Kind == "recovery" || e.Kind == "clock" || e.Kind == "rollback":
		return statusFailure, severityMedium
	case e.Kind == "task" || e.Kind == "checkpoint" || e.Kind == "archived":
		return statusSuccess, severityInfo // their codes say why, not what failed
	case e.Kind == "refusal" || e.Code != "" || e.Status >= 400 || strings.HasPrefix(e.Detail, "logout failed"):
		return statusFailure, severityLow
	case e.Kind == "intent" || e.Kind == "login" || e.Kind == "logout" || e.Kind == "tunnel":
		return statusUnknown, severityInfo
	}
	return statusSuccess, severityInfo
}
