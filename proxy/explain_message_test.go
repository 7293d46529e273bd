package proxy

import (
	"context"
	"strings"
	"testing"

	"github.com/byline-proxy/byline/proxy/admin"
)

// TestExplainMessages asks about messages on a WebSocket that nobody opens.
func TestExplainMessages(t *testing.T) {
	m := newMessageTest(t, "h1", "h1")
	before := len(m.readRecords(t, ""))
	for _, c := range []struct {
		target, message, scope string
		binary                 bool
		code, actions          string
		near                   string
	}{
		{target: "/page/1/socket", message: `{"do":"m\u006fve","page":"2"}`, scope: "page.*", actions: `page.move page/2 permit {"do":"move","page":"2"}`},
		{target: "/page/1/socket", message: "ping", scope: "page.watch", code: "out_of_scope", actions: "page.ping page/1 deny"},
		{target: "/page/1/socket", message: `{"do":"drop","page":"2"}`, scope: "page.*", code: "out_of_scope", actions: "page.drop page/2 deny"},
		{target: "/page/1/socket", message: `{"do":"sing"}`, scope: "page.*", code: "action_unclassified", near: "page.move: json do does not fit"},
		{target: "/page/1/socket", message: `{"do":"move","page":"2","as":"x"}`, scope: "page.*", code: "action_unclassified", near: "page.move: only does not list the key as"},
		{target: "/page/1/socket", message: `{"do":"move","do":"drop"}`, scope: "page.*", code: "ambiguous_request", near: "page.move: the body cannot be read without doubt: it is not one JSON value"},
		{target: "/page/1/socket", message: `{"do":"move","page":"2","to":{"password":"abc123"}}`, scope: "page.*", code: "credential_in_message"},
		{target: "/page/1/socket", binary: true, message: "\x00", scope: "page.*", actions: "page.blob page/1 permit \x00"},
		{target: "/plain/1", message: "ping", scope: "page.*", code: "websocket_not_named"},
		{target: "/page/1/socket", message: "ping", scope: "page.plain", code: "out_of_scope"},
	} {
		e, err := m.Explain(context.Background(), admin.Question{
			Agent: "agent/trial", Scope: []admin.ScopeEntry{{Adapter: "legacy", Actions: []string{c.scope}}},
			Method: "GET", Host: "example.com", Target: c.target, Message: c.message, Binary: c.binary,
		})
		if err != nil {
			t.Fatal(err)
		}

		var actions []string
		for _, one := range e.Messages {
			actions = append(actions, strings.TrimSpace(one.Action+" "+one.Resource+" "+one.Effect))
		}
		if got := strings.TrimSpace(strings.Join(actions, ", ") + " " + e.Payload); e.Code != c.code || got != strings.TrimSpace(c.actions) {
			t.Errorf("%s: got code %q, %q; want code %q, %q", c.message, e.Code, got, c.code, c.actions)
		}
		if near := strings.Join(e.Near, "\n"); !strings.Contains(near, c.near) {
			t.Errorf("%s: the nearest are %q, want %q", c.message, near, c.near)
		}
	}
	if after := len(m.readRecords(t, "")); after != before {
		t.Errorf("explaining wrote %d records", after-before)
	}
}
