package sinks

import (
	"fmt"
	"strings"
)

// The classes of OCSF 1.4 (https://schema.ocsf.io) that records are mapped to.
const (
	ocsfVersion      = "1.4.0"
	classEventLog    = 1008 // Event Log Activity: the log's own records
	classFinding     = 2004 // Detection Finding: alerts
	classAuthn       = 3002 // Authentication: logins and logouts
	classSession     = 3003 // Authorize Session: a task's beginning and end
	classEntity      = 3004 // Entity Management: leases, reloads, reviews
	classAPI         = 6003 // API Activity: intents, outcomes, refusals
	activityOther    = 99
	severityInfo     = 1
	severityLow      = 2
	severityMedium   = 3
	statusSuccess    = 1
	statusFailure    = 2
	categoryOfClass  = 1000
	typeOfActivities = 100
)

var categoryNames = map[int]string{1: "System Activity", 2: "Findings", 3: "Identity & Access Management", 6: "Application Activity"}

var classNames = map[int]string{classEventLog: "Event Log Activity", classFinding: "Detection Finding", classAuthn: "Authentication",
	classSession: "Authorize Session", classEntity: "Entity Management", classAPI: "API Activity"}

// ocsf is the record as an OCSF event. Everything that OCSF has no attribute
// for is under unmapped, so that nothing is lost but the chain.
func (e *event) ocsf() map[string]any {
	class, activity, name := e.class()
	status, severity := e.verdict()
	out := map[string]any{
		"class_uid": class, "class_name": classNames[class], "category_uid": class / categoryOfClass, "category_name": categoryNames[class/categoryOfClass],
		"activity_id": activity, "activity_name": name, "type_uid": class*typeOfActivities + activity, "type_name": classNames[class] + ": " + name,
		"severity_id": severity, "status_id": status, "status": map[int]string{statusSuccess: "Success", statusFailure: "Failure"}[status],
		"time": e.Time.UnixMilli(), "message": e.message(),
		"metadata": map[string]any{"version": ocsfVersion, "uid": e.ID, "sequence": e.Seq, "log_name": e.Instance, "correlation_uid": first(e.Intent, e.ID),
			"product": map[string]any{"name": "Byline", "vendor_name": "Byline"}},
		"actor": map[string]any{"app_name": e.Agent, "app_uid": e.Task, "user": map[string]any{"name": first(e.Sponsor, "unknown"), "type_id": 1},
			"session": map[string]any{"uid": first(e.Task, "none"), "is_remote": true}},
	}
	if e.Code != "" {
		out["status_code"], out["status_detail"] = e.Code, e.Detail
	} else if e.Status > 0 {
		out["status_code"] = fmt.Sprint(e.Status)
	}
	e.particulars(class, out)
	unmapped := map[string]any{}
	for k, v := range map[string]string{"kind": e.Kind, "grant": e.Grant, "adapter": e.Adapter, "policy_digest": e.Policy, "lease": e.Lease,
		"decision": e.Decision.Effect, "policies": strings.Join(e.Decision.Policies, " "), "intent": e.Intent} {
		if v != "" {
			unmapped[k] = v
		}
	}
	if e.Privileged {
		unmapped["privileged"] = true
	}
	if len(e.Stripped) > 0 {
		unmapped["stripped"] = e.Stripped
	}
	out["unmapped"] = unmapped
	return out
}

// class chooses where a record belongs, and which activity of it it is.
func (e *event) class() (class, activity int, name string) {
	switch e.Kind {
	case "intent", "outcome", "refusal", "tunnel":
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
	case "lease", "reload", "review", "start", "stop":
		return classEntity, activityOther, e.Kind
	}
	return classEventLog, activityOther, first(e.Kind, "other")
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
	return classAPI, activityOther, "Other"
}

func (e *event) verdict() (status, severity int) {
	switch {
	case e.Kind == "alert":
		return statusSuccess, severityMedium
	case e.Kind == "recovery" || e.Kind == "clock":
		return statusFailure, severityMedium
	case e.Kind == "refusal" || e.Code != "" || e.Status >= 400:
		return statusFailure, severityLow
	}
	return statusSuccess, severityInfo
}

// particulars are what the class asks for beyond the common attributes.
func (e *event) particulars(class int, out map[string]any) {
	host, _, _ := strings.Cut(e.Host, ":")
	switch class {
	case classAPI:
		out["api"] = map[string]any{"operation": first(e.Action, e.Kind), "service": map[string]any{"name": first(e.Adapter, host, "unknown")}}
		out["src_endpoint"] = map[string]any{"name": first(e.Agent, "unknown"), "uid": first(e.Task, "none")}
		out["dst_endpoint"] = map[string]any{"hostname": host}
		out["http_request"] = map[string]any{"http_method": e.Method, "url": map[string]any{"hostname": host, "path": e.Path}}
		if e.Resource != "" {
			out["resources"] = []any{map[string]any{"name": e.Resource, "owner": map[string]any{"name": e.Account}}}
		}
		if e.Status > 0 {
			out["http_response"] = map[string]any{"code": e.Status}
		}
		if e.DurationUS > 0 {
			out["duration"] = e.DurationUS / 1000
		}
	case classAuthn, classSession:
		out["user"] = map[string]any{"name": first(e.Account, e.Agent, "unknown"), "type_id": 3} // a system account
		out["service"] = map[string]any{"name": first(e.Adapter, "byline")}
		out["dst_endpoint"] = map[string]any{"hostname": first(host, "unknown")}
	case classEntity:
		out["entity"] = map[string]any{"name": first(e.Account, e.Kind), "type": e.Kind}
	case classFinding:
		out["finding_info"] = map[string]any{"uid": e.ID, "title": e.Code, "desc": e.Detail}
	case classEventLog:
		out["log_name"] = e.Instance
	}
}

func (e *event) message() string {
	parts := []string{e.Kind}
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
