package evidence

import (
	"fmt"
	"strings"
	"text/template"
)

// Coverage is how much of a practice Byline can carry. None of it makes an
// organization compliant: that is the assessor's finding about the whole system.
type Coverage string

// The degrees of coverage.
const (
	Supports Coverage = "supports" // a technical part of it, for traffic through the proxy
	Partly   Coverage = "partly"   // it helps, and something else must do the rest
	None     Coverage = "none"     // listed so that nobody reads it into this folder
)

// Practice is one practice, risk or function of a framework.
type Practice struct {
	Framework string
	ID        string
	Title     string
	Coverage  Coverage
	Does      string // what Byline does about it
	figure    string // a template over [Figures]
	Proof     string // where in this folder to look
	Limits    string // what it does not cover
}

// Figure is the practice's figure of the period.
func (p *Practice) Figure(f *Figures) (string, error) {
	if p.figure == "" {
		return "", nil
	}
	t, err := template.New(p.ID).Funcs(template.FuncMap{"n": plural, "code": func(c string) int { return f.Refused[c] }}).Parse(p.figure)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, f); err != nil {
		return "", err
	}
	return b.String(), nil
}

// plural is "1 request", "2 requests"; a list counts its members.
func plural(v any, noun string) string {
	n, ok := v.(int)
	if list, is := v.([]string); is {
		n, ok = len(list), true
	}
	if !ok {
		return fmt.Sprint(v)
	}
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// The frameworks, as headings. CMMC Level 2 practices are those of NIST SP 800-171
// Rev. 2, under ids like AC.L2-3.1.1.
const (
	sp800171 = "NIST SP 800-171 Rev. 2 / CMMC Level 2"
	nhi      = "OWASP Non-Human Identities Top 10 (2025)"
	agentic  = "OWASP Top 10 for Agentic Applications (2026)"
	rmf      = "NIST AI RMF 1.0"
)

const (
	seeRecords  = "records.jsonl, figures.json"
	outside     = "Traffic that does not come through the proxy is not seen: keep agents from the network by other means, and read byline reconcile."
	onlyCarried = "Holds for agents' requests to adapted applications; people's own logins stay with the application and the identity provider."
)

// Practices is the map, in the order of the report.
func Practices() []Practice {
	all := append(accessControl(), auditAndAccountability()...)
	return append(append(append(all, identification()...), nonHumanIdentities()...), append(agenticRisks(), aiRisk()...)...)
}

func accessControl() []Practice {
	return []Practice{
		{sp800171, "3.1.1", "Limit system access to authorized users, processes acting on behalf of authorized users, and devices", Supports,
			"Every request is authenticated as one agent in one task that a named sponsor stands for; without a living task nothing leaves. Hosts without an adapter are refused.",
			`{{n .Requests "request"}} of {{n .Agents "agent"}} for {{n .Sponsors "sponsor"}}; {{code "auth_required"}} refused without a task, {{code "task_ended"}} after its end, {{code "host_not_adapted"}} to other hosts`,
			seeRecords + ": agent, sponsor, task of each", outside},
		{sp800171, "3.1.2", "Limit system access to the types of transactions and functions that authorized users are permitted to execute", Supports,
			"The adapter names each request's action and resource; the task's approved scope and the operator's policies decide it. What has no name is refused.",
			`{{n .Requests "request"}} permitted over {{len .Actions}} kinds of action; {{code "out_of_scope"}} refused as out of scope, {{code "policy_denied"}} by policy, {{code "action_unclassified"}} without a name`,
			seeRecords + ": action, resource, decision of each", "An action is as narrow as its adapter names it; within an allowed action content is not judged."},
		{sp800171, "3.1.5", "Employ the principle of least privilege, including for specific security functions and privileged accounts", Supports,
			"Tasks are approved for a purpose and a time; review.json sets approved beside used and suggests less; a wildcard never grants a privileged action.",
			`{{n .Tasks "task"}} approved, {{n .Reviews "review"}} signed off in the period`,
			"review.json", "What the compensating account itself may do at the application is set there. Give accounts no more than tasks need."},
		{sp800171, "3.1.7", "Prevent non-privileged users from executing privileged functions and capture the execution of such functions in audit logs", Supports,
			"Adapters mark privileged actions; only a scope that names one exactly grants it, and its use is marked on record.",
			`{{n .Privileged "privileged request"}}`, "records.jsonl: privileged", "A privileged function that the adapter does not mark is an ordinary one: check adapters.json."},
		{sp800171, "3.1.11", "Terminate (automatically) user sessions after a defined condition", Supports,
			"A task's end, expiry or revocation cuts its exchanges within a second and logs its sessions out at the application.",
			`{{n .Tasks "task"}} created, {{.Ended}} ended; {{n .Logins "login"}}, {{n .Logouts "logout"}}`,
			"records.jsonl: task, logout", "An application without a way to log out keeps a session until it lapses; the outcome of a logout is on record."},
		{sp800171, "3.1.20", "Verify and control/limit connections to and use of external systems", Supports,
			"Only hosts that an adapter names are reached, over verified TLS, at addresses that were checked; hosts that are passed through are listed by configuration and on record.",
			`{{n .Adapters "application"}}; {{n .Tunnels "tunnel"}} passed through unread; {{code "host_not_adapted"}} refused to other hosts`,
			"adapters.json; records.jsonl: host", outside},
	}
}

func auditAndAccountability() []Practice {
	return []Practice{
		{sp800171, "3.3.1", "Create and retain system audit logs and records to the extent needed to enable monitoring, analysis, investigation, and reporting", Supports,
			"Each request has an intent on record, durable before it leaves, and an outcome; each refusal, login, lease and task has records too.",
			`{{n .Records "record"}}; {{n .Open "intent"}} without an outcome`, "records.jsonl, checkpoints.txt", "How long logs are retained is the operator's: nothing is deleted by Byline."},
		{sp800171, "3.3.2", "Ensure that the actions of individual system users can be uniquely traced to those users", Supports,
			"Every record joins the compensating account to one task, agent and sponsor; an account is leased to one task at a time. A person's session that an agent carried is taken off and named by fingerprint.",
			`{{n .Accounts "account"}} in {{n .Leases "lease"}}; {{n .Borrowed "borrowed session"}} taken off`,
			"records.jsonl: account, lease, stripped", "The application's own log names the account; byline reconcile joins the two and shows use outside Byline."},
		{sp800171, "3.3.3", "Review and update logged events", Partly,
			"Policies and adapters in force are named by digest in every record; reloads are on record.",
			`{{n .Reloads "reload"}}; {{n .Policies "set"}} of policies in force`, "records.jsonl: reload, policy_digest", "What is logged is fixed; reviewing whether it is enough is the organization's."},
		{sp800171, "3.3.4", "Alert in the event of an audit logging process failure", Supports,
			"When a record cannot be made durable requests are refused (not_recorded), /readyz fails and a metric tells; the log says afterwards what happened.",
			`{{code "not_recorded"}} requests refused for it; {{n .Recoveries "recovery"}}`, "records.jsonl: recovery", "Delivering the alert is for whoever watches /readyz and the metrics."},
		{sp800171, "3.3.5", "Correlate audit record review, analysis, and reporting processes for investigation and response", Partly,
			"Records carry ids that join intents, outcomes, leases, tasks and the application's own entries; sinks deliver them to a SIEM.",
			`{{n .Alerts "alert"}}`, "records.jsonl; byline reconcile", "The correlation with other systems happens in the SIEM."},
		{sp800171, "3.3.6", "Provide audit record reduction and report generation to support on-demand analysis and reporting", Supports,
			"byline review, replay, reconcile, audit borrowed and this folder are made from the record on demand.", "", "report.html, review.json, borrowed.json", ""},
		{sp800171, "3.3.7", "Compare and synchronize internal system clocks with an authoritative source to generate time stamps", Partly,
			"Times are UTC in microseconds and never run backwards within a log; a clock that went back is on record.",
			`{{n .ClockBack "clock correction"}}`, "records.jsonl: clock", "Synchronizing the host's clock is the host's; byline reconcile states the application's skew."},
		{sp800171, "3.3.8", "Protect audit information and audit logging tools from unauthorized access, modification, and deletion", Supports,
			"Records are hash-chained, the leaves of a Merkle tree, and sealed by signed checkpoints; a change, a gap, a reordering and a cut tail are found offline with the public key alone.",
			`{{n .Checkpoints "checkpoint"}} in the period`, "proofs, checkpoints.txt, keys/audit.key.pub; byline audit verify", "Reading the log is protected by file permissions. A log that was rewritten by the holder of the key shows against kept or witnessed checkpoints only."},
		{sp800171, "3.3.9", "Limit management of audit logging functionality to a subset of privileged users", Partly,
			"The record is configured by file alone; the control API has no verb that changes or deletes a record.", "", "", "Who may write configuration and keys is set by the host's permissions."},
	}
}

func identification() []Practice {
	return []Practice{
		{sp800171, "3.5.1", "Identify system users, processes acting on behalf of users, and devices", Supports,
			"Each task names an agent and the sponsor on whose behalf it acts, and both stand in every record.",
			`{{n .Agents "agent"}}, {{n .Sponsors "sponsor"}}`, "records.jsonl: agent, sponsor", "Names are those that the operator gave when the task was made."},
		{sp800171, "3.5.2", "Authenticate (or verify) the identities of users, processes, or devices as a prerequisite to access", Supports,
			"An agent proves its task by a token of 256 random bits, shown once and kept as a hash.",
			`{{code "auth_required"}} refused without valid credentials`, "records.jsonl: auth_required", "The token is a bearer secret: who holds it is the agent until the task ends."},
		{sp800171, "3.5.3", "Use multifactor authentication for local and network access to privileged accounts and for network access to non-privileged accounts", Partly,
			"Byline can log in with a second factor (TOTP) kept in its vault, so that accounts need not be exempt from it.", `{{n .Logins "login"}} by Byline`, "adapters.json", "A second factor kept beside the first is no second factor of a person. Sponsors authenticate elsewhere."},
		{sp800171, "3.5.4", "Employ replay-resistant authentication mechanisms for network access to privileged and non-privileged accounts", Partly,
			"Credentials travel in TLS alone; one-time codes are used once; a session that was replayed after its task's end is dead.", `{{n .Logouts "logout"}}`, "records.jsonl: logout", "The application's own login is as replay-resistant as the application makes it."},
	}
}

func nonHumanIdentities() []Practice {
	return []Practice{
		{nhi, "NHI1:2025", "Improper Offboarding", Supports, "Tasks expire by themselves; their sessions are logged out and accounts checked in.", `{{.Ended}} of {{n .Tasks "task"}} ended`, "records.jsonl: task", "Accounts at the application are removed there."},
		{nhi, "NHI2:2025", "Secret Leakage", Supports, "Agents never hold an application's secret: injected sessions stay in the proxy and are masked when an answer echoes them.", `{{n .Logins "login"}} with vaulted secrets`, "docs/threat-model.md", "Secrets in binary bodies are not found."},
		{nhi, "NHI3:2025", "Vulnerable Third-Party NHI", Partly, "A third-party agent gets a task with a narrow scope and a short life instead of a person's session.", `{{n .Agents "agent"}}`, "review.json", "The agent's own supply chain is not judged."},
		{nhi, "NHI4:2025", "Insecure Authentication", Partly, "Agents authenticate by 256-bit task tokens over TLS; applications by what they offer.", `{{code "auth_required"}} refused`, "records.jsonl", "The application's login remains what it is."},
		{nhi, "NHI5:2025", "Overprivileged NHI", Supports, "Scope per task; reviews of approved against used with a smaller scope suggested.", `{{n .Privileged "privileged request"}}`, "review.json", "The account's own rights are set at the application."},
		{nhi, "NHI6:2025", "Insecure Cloud Deployment Configurations", None, "Nothing.", "", "", "Not covered."},
		{nhi, "NHI7:2025", "Long-Lived Secrets", Partly, "Agents' tokens live as long as a task; upstream sessions end with it.", `{{n .Tasks "task"}}`, "records.jsonl: task", "Passwords in the vault are rotated by the operator."},
		{nhi, "NHI8:2025", "Environment Isolation", Partly, "An adapter names its hosts; a task reaches only the adapters of its scope.", `{{n .Adapters "application"}}`, "adapters.json", "Whether hosts belong to test or production is the operator's to name."},
		{nhi, "NHI9:2025", "NHI Reuse", Supports, "An account is leased to one task at a time.", `{{n .Accounts "account"}}, {{n .Leases "lease"}}`, "records.jsonl: lease", "Use outside Byline shows in byline reconcile."},
		{nhi, "NHI10:2025", "Human Use of NHI", Partly, "A person who uses a compensating account directly shows as 'application only' in byline reconcile.", "", "byline reconcile", "Needs the application's history."},
	}
}

func agenticRisks() []Practice {
	return []Practice{
		{agentic, "ASI01", "Agent Goal Hijack", Partly, "A hijacked agent still does only what its task allows; refusals show what it tried.", `{{n .Refusals "refusal"}}`, "report.html: refusals", "The hijack itself is not seen, and what the task allows is done."},
		{agentic, "ASI02", "Tool Misuse and Exploitation", Partly, "Each use of an application is an action that scope and policy decide.", `{{code "out_of_scope"}} out of scope`, "records.jsonl", "Tools that are no adapted application are not seen."},
		{agentic, "ASI03", "Identity and Privilege Abuse", Supports, "A borrowed session never reaches the application; the agent acts under an account of its own task, for a named sponsor.", `{{n .Borrowed "borrowed session"}} taken off, {{.Shared}} seen with more than one agent`, "borrowed.json", onlyCarried},
		{agentic, "ASI04", "Agentic Supply Chain Vulnerabilities", None, "Nothing.", "", "", "Not covered."},
		{agentic, "ASI05", "Unexpected Code Execution", None, "Nothing beyond limiting where code that runs in an agent can send requests.", `{{code "host_not_adapted"}} refused to other hosts`, "", "Not covered."},
		{agentic, "ASI06", "Memory and Context Poisoning", None, "Nothing.", "", "", "Not covered: answers are not judged."},
		{agentic, "ASI07", "Insecure Inter-Agent Communication", None, "Nothing.", "", "", "Not covered."},
		{agentic, "ASI08", "Cascading Failures", Partly, "One login however many wait, back-off on failure, bounded waits and sizes: one task's trouble stays its own.", `{{n .LoginFailed "failed login"}}`, "records.jsonl", "Rates of permitted actions are not limited."},
		{agentic, "ASI09", "Human-Agent Trust Exploitation", Partly, "The record says agent and sponsor apart, so that neither passes for the other.", `{{n .Sponsors "sponsor"}}`, "records.jsonl", "Whether a person should have approved a task is not judged."},
		{agentic, "ASI10", "Rogue Agents", Partly, "Ending a task cuts everything of it within a second.", `{{.Ended}} tasks ended`, "records.jsonl: task", outside},
	}
}

func aiRisk() []Practice {
	return []Practice{
		{rmf, "GOVERN", "Policies, accountability and roles are in place", Partly, "Each adapter states its reason, owner and date of review; each task its sponsor and purpose.", `{{n .Sponsors "sponsor"}}, {{n .Reviews "review"}} signed off`, "adapters.json, review.json", "The organization's policies are its own."},
		{rmf, "MAP", "Context and risks are identified", Partly, "Which agents act where, with which actions, for whom.", `{{n .Agents "agent"}} at {{n .Adapters "application"}}`, "report.html", "Impact is not assessed."},
		{rmf, "MEASURE", "Risks are analyzed and tracked", Partly, "Figures of use, refusals, privileged use, borrowed sessions, reconciliation.", `{{n .Refusals "refusal"}}, {{n .Alerts "alert"}}`, "figures.json", "Model quality is not measured."},
		{rmf, "MANAGE", "Risks are prioritized and acted upon", Partly, "Scopes can be narrowed as the review suggests, policies tried by byline replay, tasks ended at once.", `{{.Ended}} tasks ended, {{n .Reloads "reload"}}`, "review.json", "Deciding is the organization's."},
	}
}
