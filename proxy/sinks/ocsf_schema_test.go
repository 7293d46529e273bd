package sinks

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The tables below are what OCSF 1.4.0 says about the classes and objects that
// records are mapped to, from ocsf/ocsf-schema at that version. A name with ! is
// required, one with ? is recommended. Attributes that no record is mapped to
// are left out: look a new one up there before you add it.

// ocsfShape is a class or an object.
type ocsfShape struct {
	attributes string
	anyOf      string             // at least one of them must be there
	justOne    string             // exactly one of them must be there
	activities map[float64]string // of a class
	statuses   map[float64]string // of a class that has its own
	actor      bool               // actor is an attribute of the class, not of the profile host
}

const ocsfEveryEvent = " activity_id! activity_name category_name category_uid! class_name class_uid! duration message? metadata! severity severity_id!" +
	" status? status_code? status_detail? status_id? time! timezone_offset? type_name type_uid! unmapped"

var ocsfProfiles = map[string]string{
	"host":             "actor",
	"security_control": "action action_id? disposition disposition_id?",
}

var ocsfClasses = map[float64]ocsfShape{
	1008: {
		attributes: "actor? log_name? log_provider? log_type? log_type_id?",
		anyOf:      "log_name log_provider log_type log_type_id",
		actor:      true,
		activities: map[float64]string{1: "Clear", 2: "Delete", 3: "Export", 4: "Archive", 5: "Rotate", 6: "Start", 7: "Stop", 8: "Restart", 9: "Enable", 10: "Disable"},
	},
	2004: {
		attributes: "finding_info! is_alert? resources?",
		activities: map[float64]string{1: "Create", 2: "Update", 3: "Close"},
		statuses:   map[float64]string{0: "Unknown", 1: "New", 2: "In Progress", 3: "Suppressed", 4: "Resolved", 5: "Archived"},
	},
	3002: {
		attributes: "actor? dst_endpoint? is_remote? service? session? user! src_endpoint?",
		anyOf:      "service dst_endpoint",
		actor:      true,
		activities: map[float64]string{1: "Logon", 2: "Logoff", 3: "Authentication Ticket", 4: "Service Ticket Request", 5: "Service Ticket Renew", 6: "Preauth"},
	},
	3003: {
		attributes: "actor? dst_endpoint privileges? session? user! src_endpoint?",
		justOne:    "privileges group",
		actor:      true,
		activities: map[float64]string{1: "Assign Privileges", 2: "Assign Groups"},
	},
	3004: {
		attributes: "actor? entity! src_endpoint?",
		actor:      true,
		activities: map[float64]string{1: "Create", 2: "Read", 3: "Update", 4: "Delete", 5: "Move", 6: "Enroll", 7: "Unenroll",
			8: "Enable", 9: "Disable", 10: "Activate", 11: "Deactivate", 12: "Suspend", 13: "Resume"},
	},
	6002: {
		attributes: "app!",
		activities: map[float64]string{1: "Install", 2: "Remove", 3: "Start", 4: "Stop", 5: "Restart", 6: "Enable", 7: "Disable", 8: "Update"},
	},
	6003: {
		attributes: "actor! api! dst_endpoint? http_request? http_response? resources? src_endpoint!",
		actor:      true,
		activities: map[float64]string{1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
	},
}

const nameOrUID = "name uid"

var ocsfObjects = map[string]ocsfShape{
	"actor":         {attributes: "app_name app_uid session user?", anyOf: "app_name app_uid session user"},
	"api":           {attributes: "operation! service?"},
	"app":           {attributes: "name? vendor_name! version?", anyOf: nameOrUID},
	"dst_endpoint":  {attributes: "hostname? ip? name? port? uid?", anyOf: "hostname ip name uid"},
	"entity":        {attributes: "name? type? type_id? uid? user?", anyOf: "name uid user"},
	"finding_info":  {attributes: "created_time desc? title? uid!"},
	"http_request":  {attributes: "http_method? url?"},
	"http_response": {attributes: "code!"},
	"metadata":      {attributes: "correlation_uid log_name? log_provider? original_time? product! profiles sequence uid version!"},
	"product":       {attributes: "name? vendor_name! version?", anyOf: nameOrUID},
	"resources":     {attributes: "name? type uid?", anyOf: nameOrUID},
	"service":       {attributes: "name? uid? version?", anyOf: nameOrUID},
	"session":       {attributes: "credential_uid is_remote? issuer? uid?"},
	"src_endpoint":  {attributes: "hostname? ip? name? port? uid?", anyOf: "hostname ip name uid"},
	"url":           {attributes: "hostname? path? port? url_string?", anyOf: "path url_string"},
	"user":          {attributes: "email_addr name? type type_id? uid?", anyOf: nameOrUID},
}

var (
	ocsfIntegers = strings.Fields("action_id activity_id category_uid class_uid code created_time disposition_id duration log_type_id port sequence" +
		" severity_id status_id time timezone_offset type_id type_uid")
	ocsfLong        = strings.Fields("created_time duration time type_uid") // 64 bits; other integers have 32
	ocsfBooleans    = strings.Fields("is_alert is_remote")
	ocsfLists       = map[string]bool{"privileges": true, "profiles": true, "resources": true}
	ocsfMethodNames = strings.Fields("CONNECT DELETE GET HEAD OPTIONS POST PUT TRACE")
)

// ocsfCaptions are the captions of identifiers.
var ocsfCaptions = map[string]map[float64]string{
	"action_id":      {0: "Unknown", 1: "Allowed", 2: "Denied"},
	"disposition_id": {0: "Unknown", 1: "Allowed", 2: "Blocked"},
	"log_type_id":    {0: "Unknown", 1: "OS", 2: "Application"},
	"severity_id":    {0: "Unknown", 1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical", 6: "Fatal"},
	"user.type_id":   {0: "Unknown", 1: "User", 2: "Admin", 3: "System"},
	"entity.type_id": {1: "Device", 2: "User", 3: "Group", 4: "Organization", 5: "Policy", 6: "Email"},
	"status_id":      {0: "Unknown", 1: "Success", 2: "Failure"},
}

// ocsfViolations returns where an event violates OCSF 1.4.0.
func ocsfViolations(e map[string]any) (all []string) {
	uid, _ := e["class_uid"].(float64)
	class, ok := ocsfClasses[uid]
	if !ok {
		return []string{fmt.Sprintf("class_uid %v", e["class_uid"])}
	}

	class.attributes += ocsfEveryEvent
	metadata, _ := e["metadata"].(map[string]any)
	profiles, _ := metadata["profiles"].([]any)
	for _, p := range profiles {
		name, _ := p.(string)
		if ocsfProfiles[name] == "" || name == "host" && class.actor {
			all = append(all, fmt.Sprintf("metadata.profiles: %v", p))
		}
		class.attributes += " " + ocsfProfiles[name]
	}
	all = append(all, class.violations("", e)...)
	all = append(all, typeViolations(class, uid, e)...)

	captions := ocsfCaptions["status_id"]
	if class.statuses != nil {
		captions = class.statuses
	}
	return append(all, captionViolations("status_id", e, captions)...)
}

// typeViolations checks that the type and the category are those of class and
// activity.
func typeViolations(class ocsfShape, uid float64, e map[string]any) (all []string) {
	activity, _ := e["activity_id"].(float64)
	caption := class.activities[activity]
	if activity == 99 {
		caption = "Other"
	} else if e["activity_name"] != caption {
		all = append(all, fmt.Sprintf("activity_name %v", e["activity_name"]))
	}

	isRight := caption != "" &&
		e["type_name"] == fmt.Sprint(e["class_name"], ": ", caption) &&
		e["type_uid"] == uid*100+activity &&
		e["category_uid"] == float64(int(uid)/1000)
	if !isRight {
		all = append(all, fmt.Sprintf("type %v %v of category %v", e["type_uid"], e["type_name"], e["category_uid"]))
	}
	return all
}

// violations checks one object, at a path that is empty or ends in a dot.
func (s ocsfShape) violations(path string, o map[string]any) (all []string) {
	known := map[string]bool{}
	for _, a := range strings.Fields(s.attributes) {
		name := strings.Trim(a, "!?")
		known[name] = true
		if strings.HasSuffix(a, "!") && o[name] == nil {
			all = append(all, path+name+" is required")
		}
	}

	for name, v := range o {
		if !known[name] {
			all = append(all, path+name+" is not an attribute here")
		} else if name != "unmapped" {
			all = append(all, valueViolations(path, name, v)...)
		}
	}

	for _, c := range []struct {
		names    string
		min, max int
	}{{s.anyOf, 1, math.MaxInt}, {s.justOne, 1, 1}} {
		n := 0
		for _, name := range strings.Fields(c.names) {
			if o[name] != nil {
				n++
			}
		}
		if c.names != "" && (n < c.min || n > c.max) {
			all = append(all, fmt.Sprintf("%s has %d of %s", path, n, c.names))
		}
	}

	for _, name := range []string{"action_id", "disposition_id", "severity_id", "log_type_id"} {
		all = append(all, captionViolations(name, o, ocsfCaptions[name])...)
	}
	return all
}

// captionViolations checks that an identifier is listed and stands next to its
// caption. 99 stands next to any caption.
func captionViolations(name string, o map[string]any, captions map[float64]string) []string {
	id, ok := o[name].(float64)
	if !ok {
		return nil
	}
	caption := o[strings.TrimSuffix(name, "_id")]
	if id == 99 && caption != nil || captions[id] != "" && caption == captions[id] {
		return nil
	}
	return []string{fmt.Sprintf("%s %v with caption %v", name, id, caption)}
}

// valueViolations checks the type of one value.
func valueViolations(path, name string, v any) (all []string) {
	switch v := v.(type) {
	case []any:
		if !ocsfLists[name] || len(v) == 0 {
			return []string{path + name + " is not a list, or is an empty one"}
		}
		for _, element := range v {
			if o, ok := element.(map[string]any); ok {
				all = append(all, ocsfObjects[name].violations(path+name+".", o)...)
			} else if s, ok := element.(string); !ok || s == "" {
				all = append(all, path+name+" has an empty value")
			}
		}

	case map[string]any:
		if _, ok := ocsfObjects[name]; !ok || ocsfLists[name] {
			return []string{path + name + " is not an object"}
		}
		all = ocsfObjects[name].violations(path+name+".", v)
		all = append(all, captionViolations("type_id", v, ocsfCaptions[name+".type_id"])...)

	case float64:
		isTooLong := !slices.Contains(ocsfLong, name) && math.Abs(v) > math.MaxInt32
		if !slices.Contains(ocsfIntegers, name) || v != math.Trunc(v) || isTooLong {
			all = append(all, fmt.Sprintf("%s%s: the number %v", path, name, v))
		}

	case bool:
		if !slices.Contains(ocsfBooleans, name) {
			all = append(all, path+name+" is not a boolean")
		}

	case string:
		isOtherType := slices.Contains(ocsfIntegers, name) || slices.Contains(ocsfBooleans, name) || ocsfLists[name] || ocsfObjects[name].attributes != ""
		isUnknownMethod := name == "http_method" && !slices.Contains(ocsfMethodNames, v)
		if v == "" || isOtherType || isUnknownMethod {
			all = append(all, fmt.Sprintf("%s%s: the text %q", path, name, v))
		}

	default:
		all = append(all, fmt.Sprintf("%s%s: %v", path, name, v))
	}
	return all
}
