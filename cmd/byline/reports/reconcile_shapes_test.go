package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/proxy/audit"
)

const shapeHead = `
name: wiki
interim: {reason: test, owner: secops@acme.example, review_by: 2099-01-01}
hosts: [wiki.acme.example]
login: {kind: basic}
actions:
  - {name: item.save, match: {method: POST, path: "/item/{id}"}, resource: "item/{id}"}
  - {name: item.drop, writes: true, match: {method: GET, path: "/drop/{id}"}, resource: "item/{id}"}
  - {name: item.read, match: {method: GET, path: "/item/{id}"}, resource: "item/{id}"}
log:
`

// logShape is the log of an application: how the adapter reads it, and how the
// application writes a save, a drop, a login and what says nothing.
type logShape struct {
	log    string
	format string
	head   string                                               // first line of the file
	write  func(at time.Time, user, what string, id int) string // what is save, drop, login or logout
	noise  func(at time.Time) string
}

var berlin = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return zone
}()

var logShapes = map[string]logShape{
	"Apache combined": {
		log: `
  line: '^(?P<host>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>\S+) /(?P<verb>\w+)/(?P<object>\d+) [^"]*" (?P<status>\d+) .*$'
  entry: {time: time, time_format: "02/Jan/2006:15:04:05 -0700", user: user}
  ignore: [{line: '* - - [[]*'}, {method: GET, verb: item}, {line: '* - - *'}]
  kinds:
    - {when: {method: POST, verb: item}, actions: [item.save], resource: "item/${object}"}
    - {when: {method: GET, verb: drop}, actions: [item.drop], resource: "item/${object}"}
    - {when: {method: POST, verb: login}, actions: [byline.login]}
    - {when: {method: POST, verb: logout}, actions: [byline.logout]}
`,
		format: FormatText,
		write: func(at time.Time, user, what string, id int) string {
			method, verb := "POST", map[string]string{"save": "item", "drop": "drop", "login": "login", "logout": "logout"}[what]
			if what == "drop" {
				method = "GET"
			}
			return fmt.Sprintf(`10.0.0.7 - %s [%s] "%s /%s/%d HTTP/1.1" 302 12 "-" "curl/8"`, user, at.In(berlin).Format("02/Jan/2006:15:04:05 -0700"), method, verb, id)
		},
		noise: func(at time.Time) string {
			return fmt.Sprintf(`10.0.0.9 - - [%s] "GET /style.css HTTP/1.1" 200 4 "-" "Mozilla"`, at.Format("02/Jan/2006:15:04:05 -0700"))
		},
	},
	"syslog without a year": {
		log: `
  line: '^(?P<time>\w{3} [ \d]\d \d\d:\d\d:\d\d) \S+ tracker\[\d+\]: user=(?P<user>\S+) did=(?P<kind>\S+) item=(?P<object>\d+)$'
  entry: {time: time, time_format: "Jan _2 15:04:05", zone: Europe/Berlin, user: user}
  ignore: [{line: "* CRON[[]*"}, {line: "* cron: *"}]
  kinds:
    - {when: {kind: save}, actions: [item.save], resource: "item/${object}"}
    - {when: {kind: drop}, actions: [item.drop], resource: "item/${object}"}
    - {when: {kind: login}, actions: [byline.login]}
    - {when: {kind: logout}, actions: [byline.logout]}
`,
		format: FormatText,
		write: func(at time.Time, user, what string, id int) string {
			return fmt.Sprintf("%s web1 tracker[77]: user=%s did=%s item=%d", at.In(berlin).Format("Jan _2 15:04:05"), user, what, id)
		},
		noise: func(at time.Time) string { return at.In(berlin).Format("Jan _2 15:04:05") + " web1 cron: started" },
	},
	"Jira audit text with minutes": {
		log: `
  line: '(?s)^(?P<time>\d+/\w+/\d+ \d+:\d+ [AP]M)\t(?P<user>[^\t]+)\t(?P<kind>[^\t]+)\t(?P<object>[^\n]*)'
  continued: '^\s'
  entry: {time: time, time_format: "02/Jan/06 3:04 PM", user: user, user_is: ["{user} (Agent)", "{user}"]}
  others: ["Alice *"]
  kinds:
    - {when: {kind: Issue updated}, actions: [item.save], resource: "item/${object}"}
    - {when: {kind: Notification sent}, actions: [item.save], resource: "item/${object}", at_most: 1}
    - {when: {kind: Attachment added}, actions: [item.save], resource: "item/${object}", at_most: 3, sometimes: true}
    - {when: {kind: Issue deleted}, actions: [item.drop], resource: "item/${object}"}
    - {when: {kind: Signed in}, actions: [byline.login]}
    - {when: {kind: Signed out}, actions: [byline.logout]}
`,
		format: FormatText,
		write: func(at time.Time, user, what string, id int) string {
			when := at.Format("02/Jan/06 3:04 PM")
			line := func(kind string) string {
				return fmt.Sprintf("%s\t%s (Agent)\t%s\t%d\n    by a browser\n  second line", when, user, kind, id)
			}
			switch what {
			case "save":
				return line("Issue updated") + "\n" + line("Notification sent") + "\n" + line("Attachment added") + "\n" + line("Attachment added")
			case "drop":
				return line("Issue deleted")
			case "login":
				return line("Signed in")
			}
			return line("Signed out")
		},
		noise: func(at time.Time) string { return at.Format("02/Jan/06 3:04 PM") + "\tAlice Adams\tIssue updated\t7" },
	},
	"Django admin CSV": {
		log: `
  entry: {time: action_time, zone: "+02:00", user: user__username, id: id}
  ignore: [{content_type: session}]
  others: [alice]
  kinds:
    - {when: {action_flag: "2"}, actions: [item.save], resource: "item/${object_id}"}
    - {when: {action_flag: "3"}, actions: [item.drop], resource: "item/${object_id}"}
    - {when: {action_flag: "10"}, actions: [byline.login]}
    - {when: {action_flag: "11"}, actions: [byline.logout]}
`,
		format: FormatCSV,
		head:   "id;action_time;user__username;content_type;object_id;action_flag;change_message",
		write: func(at time.Time, user, what string, id int) string {
			flag := map[string]string{"save": "2", "drop": "3", "login": "10", "logout": "11"}[what]
			return fmt.Sprintf(`%d;%s;%s;item;%d;%s;"[{""changed"": 1}]"`, at.UnixNano(), at.In(time.FixedZone("", 7200)).Format("2006-01-02 15:04:05.000000"), user, id, flag)
		},
		noise: func(at time.Time) string {
			return fmt.Sprintf("1;%s;alice;item;3;2;", at.In(time.FixedZone("", 7200)).Format("2006-01-02 15:04:05"))
		},
	},
	"nested JSON lines": {
		log: `
  entry: {time: ts, time_format: unix_ms, user: actor.name, user_is: ['CORP\{user}', '{user}@corp.example'], id: id}
  others: ["corp\\alice"]
  kinds:
    - {when: {event: update}, actions: [item.save], resource: "item/${target.id}"}
    - {when: {event: remove}, actions: [item.drop], resource: "item/${target.id}"}
    - {when: {event: sign_in}, actions: [byline.login]}
    - {when: {event: sign_out}, actions: [byline.logout]}
`,
		format: FormatJSONLines,
		write: func(at time.Time, user, what string, id int) string {
			event := map[string]string{"save": "update", "drop": "remove", "login": "sign_in", "logout": "sign_out"}[what]
			return fmt.Sprintf(`{"id":"x%d","ts":%d,"actor":{"name":"Corp\\%s"},"event":%q,"target":{"id":%d}}`, at.UnixNano(), at.UnixMilli(), user, event, id)
		},
		noise: func(at time.Time) string {
			return fmt.Sprintf(`{"id":"y","ts":%d,"actor":{"name":"CORP\\alice"},"event":"update","target":{"id":3}}`, at.UnixMilli())
		},
	},
}

// shapeAdapter loads the adapter of a shape.
func shapeAdapter(t testing.TB, log string) *adapters.Adapter {
	t.Helper()
	set, err := adapters.Load([]adapters.Source{{Name: "wiki.yaml", Text: []byte(shapeHead + log)}})
	if err != nil {
		t.Fatal(err)
	}
	return set.ByName("wiki")
}

// addAct adds a record of an account at a time, and its outcome after took.
func (l *testLog) addAct(kind, account, action, resource, method string, status int, at time.Time, took time.Duration) {
	r := l.add(audit.Record{Kind: kind, Adapter: "wiki", Account: account, Action: action, Resource: resource, Method: method})
	r.Time = at
	id := r.ID
	out := l.add(audit.Record{Kind: "outcome", Adapter: "wiki", Intent: id, Status: status, DurationUS: took.Microseconds()})
	out.Time = at.Add(took)
}

// reconcileText reconciles records with an export.
func reconcileText(t *testing.T, l *testLog, a *adapters.Adapter, shape *logShape, lines []string, users map[string][]string) *Reconciliation {
	t.Helper()
	r := NewReconciler(a, testPeriod, users)
	if err := r.ReadRecords(l.all()); err != nil {
		t.Fatal(err)
	}
	h := r.History()
	text := strings.Join(lines, "\n") + "\n"
	if shape.head != "" {
		text = shape.head + "\n" + text
	}
	log := a.History()
	if err := ReadExport(strings.NewReader(text), "export", shape.format, log.Entry.Time, h); err != nil {
		t.Fatal(err)
	}
	return r.Finish(false)
}

// TestReconcileReadsLogsOfManyShapes reconciles logs as real applications write them: with
// nothing planted there is no alarm, and everything that was planted is found.
func TestReconcileReadsLogsOfManyShapes(t *testing.T) {
	for name, shape := range logShapes {
		t.Run(name, func(t *testing.T) {
			a := shapeAdapter(t, shape.log)
			var l testLog
			var lines []string
			at := day
			for session := range 6 {
				l.addAct("login", "svc", "", "", "", 0, at, time.Second)
				lines = append(lines, shape.write(at, "svc", "login", 0))
				for i := range 10 {
					at = at.Add(47 * time.Second)
					what, action, method := "save", "item.save", "POST"
					if i%5 == 4 {
						what, action, method = "drop", "item.drop", "GET"
					}
					id := 100 + session*10 + i
					l.addAct("intent", "svc", action, fmt.Sprint("item/", id), method, 302, at, time.Second)
					l.addAct("intent", "svc", "item.read", fmt.Sprint("item/", id), "GET", 200, at.Add(time.Second), time.Second)
					lines = append(lines, shape.write(at, "svc", what, id), shape.noise(at))
				}
				at = at.Add(time.Minute)
				l.addAct("logout", "svc", "", "", "", 0, at, time.Second)
				lines = append(lines, shape.write(at, "svc", "logout", 0))
				at = at.Add(5 * time.Minute)
			}
			users := map[string][]string{"svc": {"svc"}}

			got := reconcileText(t, &l, a, &shape, lines, users)
			if got.Verdict != VerdictClear || len(got.RecordOnly) != 0 {
				t.Fatalf("nothing was planted: %s, %+v, record only %d, outside %+v", got.Verdict, got.Findings, len(got.RecordOnly), got.ApplicationOnly)
			}

			for i, plant := range []string{"save", "drop", "login", "logout"} {
				planted := day.Add(time.Duration(20+7*i) * time.Minute)
				if plant == "login" || plant == "logout" {
					planted = day.Add(3 * time.Hour)
				}
				got := reconcileText(t, &l, a, &shape, append(lines[:len(lines):len(lines)], shape.write(planted, "svc", plant, 7)), users)
				if got.Verdict != VerdictOutside || len(got.ApplicationOnly) == 0 || got.ApplicationOnly[0].User != "svc" {
					t.Errorf("a planted %s: %s, outside %+v", plant, got.Verdict, got.ApplicationOnly)
				}
			}

			got = reconcileText(t, &l, a, &shape, append(lines[:len(lines):len(lines)], "?? what is this"), users)
			if got.Verdict != VerdictDoubt || got.Log.Unreadable != 1 {
				t.Errorf("a line that cannot be read: %s, %+v", got.Verdict, got.Findings)
			}
		})
	}
}
