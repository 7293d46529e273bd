package sinks

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// mapToOCSF returns the event of one record as a receiver decodes it.
func mapToOCSF(t *testing.T, record string) (event map[string]any) {
	t.Helper()
	events, err := formatLines(formatOCSF, [][]byte{[]byte(record)})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(events[0], &event); err != nil {
		t.Fatal(err)
	}
	return event
}

// TestOCSFEveryKindOfRecord compares every kind of record with the schema, and
// with the class, activity, status and severity that the rules of a SIEM read.
func TestOCSFEveryKindOfRecord(t *testing.T) {
	const (
		who = `"id":"r_1","seq":7,"time":"2026-11-25T08:00:00.000001Z","instance":"eu-1",` +
			`"agent":"agent/triage","sponsor":"alice@acme.example","task":"t_1","grant":"sha256:aa",`
		lease = who + `"adapter":"wiki","host":"wiki.acme.example:443","account":"agent-01","lease":"l_1",`
		req   = lease + `"action":"page.edit","resource":"page/A","path":"/a","decision":{"effect":"permit","policies":["scope[0]"]},`
	)
	for _, c := range []struct {
		record                              string
		class, activityID, severity         float64
		status, disposition, activityCalled string
	}{
		{req + `"kind":"intent","method":"POST"`, 6003, 1, 1, "Unknown", "Allowed", "Create"},
		{req + `"kind":"intent","method":"GET"`, 6003, 2, 1, "Unknown", "Allowed", "Read"},
		{req + `"kind":"intent","method":"PATCH","stripped":[{"in":"cookie","name":"sid"}],"privileged":true`, 6003, 3, 1, "Unknown", "Allowed", "Update"},
		{req + `"kind":"intent","method":"PROPFIND","seq":4294967296`, 6003, 99, 1, "Unknown", "Allowed", "PROPFIND"},
		{req + `"kind":"outcome","method":"GET","intent":"r_0","status":200,"duration_us":2500,"bytes_down":9000000000`, 6003, 2, 1, "Success", "Allowed", "Read"},
		{req + `"kind":"outcome","method":"GET","intent":"r_0","status":500`, 6003, 2, 2, "Failure", "Allowed", "Read"},
		{who + `"kind":"refusal","code":"out_of_scope","method":"DELETE","status":403,"host":"10.0.0.1:443","path":"/a"`, 6003, 4, 2, "Failure", "Blocked", "Delete"},
		{`"kind":"refusal","code":"auth_required","status":407`, 6003, 99, 2, "Failure", "Blocked", "refusal"},
		{who + `"kind":"tunnel","method":"CONNECT","host":"[2001:db8::1]:8443"`, 6003, 99, 1, "Unknown", "", "CONNECT"},
		{who + `"kind":"outcome","intent":"r_0","host":"files.acme.example","bytes_up":1`, 6003, 99, 1, "Success", "", "outcome"},
		{lease + `"kind":"login"`, 3002, 1, 1, "Unknown", "", "Logon"},
		{lease + `"kind":"outcome","intent":"r_0","duration_us":90000`, 3002, 1, 1, "Success", "", "Logon"},
		{lease + `"kind":"outcome","intent":"r_0","duration_us":90000,"code":"login_failed","detail":"status 403"`, 3002, 1, 2, "Failure", "", "Logon"},
		{lease + `"kind":"logout"`, 3002, 2, 1, "Unknown", "", "Logoff"},
		{lease + `"kind":"outcome","intent":"r_0"`, 3002, 2, 1, "Success", "", "Logoff"},
		{lease + `"kind":"outcome","intent":"r_0","detail":"logout failed: status 500"`, 3002, 2, 2, "Failure", "", "Logoff"},
		{who + `"kind":"task","purpose":"INC-1","scope":["wiki:page.read"],"detail":"created until x"`, 3003, 1, 1, "Success", "", "Assign Privileges"},
		{who + `"kind":"task","code":"ended","detail":"ended: done"`, 3003, 99, 1, "Success", "", "Revoke Privileges"},
		{who + `"kind":"alert","code":"borrowed_seen","detail":"x","host":"wiki.acme.example:443"`, 2004, 1, 3, "New", "", "Create"},
		{`"id":"r_1","kind":"alert","code":"witness_silent"`, 2004, 1, 3, "New", "", "Create"},
		{lease + `"kind":"lease","detail":"checked out"`, 3004, 99, 1, "Success", "", "lease"},
		{`"kind":"review","sponsor":"alice","detail":"signed off"`, 3004, 99, 1, "Success", "", "review"},
		{`"kind":"reload","instance":"eu-1"`, 3004, 3, 1, "Success", "", "Update"},
		{`"kind":"start","instance":"eu-1"`, 6002, 3, 1, "Success", "", "Start"},
		{`"kind":"stop","instance":"eu-1"`, 6002, 4, 1, "Success", "", "Stop"},
		{`"kind":"recovery","cut":12`, 1008, 99, 3, "Failure", "", "recovery"},
		{`"kind":"clock"`, 1008, 99, 3, "Failure", "", "clock"},
		{`"kind":"checkpoint","instance":"eu-1","checkpoint":"note"`, 1008, 99, 1, "Success", "", "checkpoint"},
		{`"kind":"something new"`, 1008, 99, 1, "Success", "", "something new"},
		{`"v":1`, 1008, 99, 1, "Success", "", "other"},
	} {
		e := mapToOCSF(t, "{"+c.record+"}")
		for _, violation := range ocsfViolations(e) {
			t.Errorf("%s: %s", c.record, violation)
		}

		disposition, _ := e["disposition"].(string)
		got := []any{e["class_uid"], e["activity_id"], e["activity_name"], e["severity_id"], e["status"], disposition}
		want := []any{c.class, c.activityID, c.activityCalled, c.severity, c.status, c.disposition}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s:\ngot  class, activity, severity, status, disposition %v\nwant %v", c.record, got, want)
		}
	}

	if _, err := formatLines(formatOCSF, [][]byte{[]byte("{")}); err == nil {
		t.Error("a line that is not a record was mapped")
	}
}

// TestOCSFLosesOnlyTheChain shows that each member of a record has an attribute
// or is under unmapped as it was.
func TestOCSFLosesOnlyTheChain(t *testing.T) {
	e := mapToOCSF(t, `{"v":1,"seq":4294967296,"prev":"00","time":"2026-11-25T08:00:00.000001Z","id":"r_1","kind":"outcome","instance":"eu-1",`+
		`"agent":"agent/triage","sponsor":"alice@acme.example","task":"t_1","grant":"sha256:aa","adapter":"wiki","policy_digest":"sha256:bb",`+
		`"action":"page.edit","resource":"page/A","method":"PATCH","host":"wiki.acme.example:443","path":"/a","account":"agent-01","lease":"l_1",`+
		`"decision":{"effect":"permit","policies":["scope[0]"]},"intent":"r_0","count":3,"status":201,"bytes_up":5,"duration_us":2500,`+
		`"stripped":[{"in":"cookie","name":"sid"}]}`)

	for path, want := range map[string]string{
		"metadata.uid":                 "r_1",
		"metadata.correlation_uid":     "r_0",
		"metadata.original_time":       "2026-11-25T08:00:00.000001Z",
		"metadata.version":             "1.4.0",
		"metadata.log_name":            "eu-1",
		"metadata.product.name":        "Byline",
		"time":                         "1.7955936e+12",
		"actor.app_name":               "agent/triage",
		"actor.app_uid":                "t_1",
		"actor.user.name":              "alice@acme.example",
		"actor.user.email_addr":        "alice@acme.example",
		"actor.session.uid":            "t_1",
		"actor.session.credential_uid": "agent-01",
		"api.operation":                "page.edit",
		"api.service.name":             "wiki",
		"src_endpoint.name":            "agent/triage",
		"dst_endpoint.hostname":        "wiki.acme.example",
		"dst_endpoint.port":            "443",
		"http_request.url.path":        "/a",
		"http_request.url.hostname":    "wiki.acme.example",
		"http_response.code":           "201",
		"status_code":                  "201",
		"duration":                     "2",
		"unmapped.seq":                 "4.294967296e+09",
		"unmapped.method":              "PATCH",
		"unmapped.account":             "agent-01",
		"unmapped.decision.effect":     "permit",
		"unmapped.policy_digest":       "sha256:bb",
		"unmapped.grant":               "sha256:aa",
		"unmapped.count":               "3",
		"unmapped.bytes_up":            "5",
		"unmapped.stripped":            "[map[in:cookie name:sid]]",
		"unmapped.kind":                "outcome",
		"unmapped.lease":               "l_1",
	} {
		var v any = e
		for name := range strings.SplitSeq(path, ".") {
			o, _ := v.(map[string]any)
			v = o[name]
		}
		if fmt.Sprint(v) != want {
			t.Errorf("%s is %v, want %s", path, v, want)
		}
	}
}

// TestOCSFViolationsAreFound changes an event in each way that ocsfViolations
// must find.
func TestOCSFViolationsAreFound(t *testing.T) {
	for name, change := range map[string]func(e, actor, metadata map[string]any){
		"an attribute of no class":               func(e, _, _ map[string]any) { e["lease"] = "l_1" },
		"a missing required attribute":           func(e, _, _ map[string]any) { delete(e, "src_endpoint") },
		"a missing one of an object":             func(_, _, m map[string]any) { delete(m, "product") },
		"none of several":                        func(e, _, _ map[string]any) { e["dst_endpoint"] = map[string]any{"port": 443.0} },
		"empty text":                             func(_, a, _ map[string]any) { a["app_name"] = "" },
		"a number for a text":                    func(e, _, _ map[string]any) { e["status_code"] = 403.0 },
		"a text for a number":                    func(e, _, _ map[string]any) { e["time"] = "2026" },
		"an integer of more than 32 bits":        func(_, _, m map[string]any) { m["sequence"] = 4294967296.0 },
		"an activity of another class":           func(e, _, _ map[string]any) { e["activity_id"] = 7.0 },
		"a type of another activity":             func(e, _, _ map[string]any) { e["type_uid"] = 600301.0 },
		"a wrong caption of a status":            func(e, _, _ map[string]any) { e["status"] = "New" },
		"a method that OCSF does not list":       func(e, _, _ map[string]any) { e["http_request"] = map[string]any{"http_method": "PATCH"} },
		"an attribute of a profile not declared": func(_, _, m map[string]any) { delete(m, "profiles") },
	} {
		e := mapToOCSF(t, `{"kind":"intent","id":"r_1","agent":"a","task":"t_1","method":"GET","host":"w:443","path":"/","decision":{"effect":"permit"}}`)
		if v := ocsfViolations(e); len(v) > 0 {
			t.Fatalf("the unchanged event has violations: %v", v)
		}
		change(e, e["actor"].(map[string]any), e["metadata"].(map[string]any))
		if len(ocsfViolations(e)) == 0 {
			t.Errorf("%s: no violation was found", name)
		}
	}
}
