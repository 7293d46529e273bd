package evidence

// Phrases that several practices share.
const (
	seeRecords   = "records.jsonl, figures.json"
	outsideProxy = "Traffic that does not go through the proxy is not seen: keep agents off the network by other means, and read byline reconcile."
)

// accessControl is family 3.1.
func accessControl() []Practice {
	return []Practice{
		{
			Framework: sp800171,
			ID:        "3.1.1",
			Title:     "Limit system access to authorized users, processes acting on behalf of authorized users, and devices",
			Coverage:  Supports,
			Does:      "Every request is authenticated as one agent in one task with a named sponsor; without an active task nothing is sent. Hosts without an adapter are refused.",
			figure: `{{n .Requests "request"}} of {{n .Agents "agent"}} for {{n .Sponsors "sponsor"}}; {{code "auth_required"}} refused without a task, ` +
				`{{code "task_ended"}} after its end, {{code "host_not_adapted"}} to other hosts`,
			Proof:  seeRecords + ": agent, sponsor, task of each",
			Limits: outsideProxy,
		},
		{
			Framework: sp800171,
			ID:        "3.1.2",
			Title:     "Limit system access to the types of transactions and functions that authorized users are permitted to execute",
			Coverage:  Supports,
			Does:      "The adapter names each request's action and resource; the task's approved scope and the operator's policies decide it. A request that the adapter does not name is refused.",
			figure: `{{n .Requests "request"}} permitted over {{len .Actions}} kinds of action; {{code "out_of_scope"}} refused as out of scope, ` +
				`{{code "policy_denied"}} by policy, {{code "action_unclassified"}} without a name`,
			Proof:  seeRecords + ": action, resource, decision of each",
			Limits: "An action is as narrow as its adapter names it; the content of an allowed action is not judged.",
		},
		{
			Framework: sp800171,
			ID:        "3.1.5",
			Title:     "Employ the principle of least privilege, including for specific security functions and privileged accounts",
			Coverage:  Supports,
			Does:      "Tasks are approved for a purpose and a time; review.json compares what was approved with what was used and suggests less; a wildcard never grants a privileged action.",
			figure:    `{{n .Tasks "task"}} approved, {{n .Reviews "review"}} signed off in the period`,
			Proof:     "review.json",
			Limits:    "What the compensating account may do at the application is set there. Give accounts no more than tasks need.",
		},
		{
			Framework: sp800171,
			ID:        "3.1.7",
			Title:     "Prevent non-privileged users from executing privileged functions and capture the execution of such functions in audit logs",
			Coverage:  Supports,
			Does:      "Adapters mark privileged actions; only a scope that names one exactly grants it, and its use is marked on record.",
			figure:    `{{n .Privileged "privileged request"}}`,
			Proof:     "records.jsonl: privileged",
			Limits:    "A privileged function that the adapter does not mark is treated as an ordinary one: check adapters.json.",
		},
		{
			Framework: sp800171,
			ID:        "3.1.11",
			Title:     "Terminate (automatically) user sessions after a defined condition",
			Coverage:  Supports,
			Does:      "When a task ends, expires or is revoked, its exchanges are cut within a second and its sessions are logged out at the application.",
			figure:    `{{n .Tasks "task"}} created, {{.Ended}} ended; {{n .Logins "login"}}, {{n .Logouts "logout"}}`,
			Proof:     "records.jsonl: task, logout",
			Limits:    "An application without a logout keeps a session until it expires; the outcome of a logout is on record.",
		},
		{
			Framework: sp800171,
			ID:        "3.1.20",
			Title:     "Verify and control/limit connections to and use of external systems",
			Coverage:  Supports,
			Does:      "Only hosts that an adapter names are reached, over verified TLS, at addresses that were checked; hosts that are passed through are listed in the configuration and on record.",
			figure:    `{{n .Adapters "application"}}; {{n .Tunnels "tunnel"}} passed through unread; {{code "host_not_adapted"}} refused to other hosts`,
			Proof:     "adapters.json; records.jsonl: host",
			Limits:    outsideProxy,
		},
	}
}

// auditAndAccountability is family 3.3.
func auditAndAccountability() []Practice {
	return []Practice{
		{
			Framework: sp800171,
			ID:        "3.3.1",
			Title:     "Create and retain system audit logs and records to the extent needed to enable monitoring, analysis, investigation, and reporting",
			Coverage:  Supports,
			Does:      "Each request has an intent on record, durable before it is sent, and an outcome; each refusal, login, lease and task has records, too.",
			figure:    `{{n .Records "record"}}; {{n .Open "intent"}} without an outcome`,
			Proof:     "records.jsonl, checkpoints.txt",
			Limits:    "How long logs are retained is up to the operator: byline audit archive removes old ones if it is told to, and records which.",
		},
		{
			Framework: sp800171,
			ID:        "3.3.2",
			Title:     "Ensure that the actions of individual system users can be uniquely traced to those users",
			Coverage:  Supports,
			Does:      "Every record joins the compensating account to one task, agent and sponsor; an account is leased to one task at a time. A person's session that an agent carried is stripped and named by its fingerprint.",
			figure:    `{{n .Accounts "account"}} in {{n .Leases "lease"}}; {{n .Borrowed "borrowed session"}} stripped`,
			Proof:     "records.jsonl: account, lease, stripped",
			Limits:    "The application's own log names the account; byline reconcile joins the two and shows use outside Byline.",
		},
		{
			Framework: sp800171,
			ID:        "3.3.3",
			Title:     "Review and update logged events",
			Coverage:  Partly,
			Does:      "Every record names the policies and adapters in force by their digests; reloads are on record.",
			figure:    `{{n .Reloads "reload"}}; {{n .Policies "set"}} of policies in force`,
			Proof:     "records.jsonl: reload, policy_digest",
			Limits:    "What is logged is fixed; the organization must review whether it is enough.",
		},
		{
			Framework: sp800171,
			ID:        "3.3.4",
			Title:     "Alert in the event of an audit logging process failure",
			Coverage:  Supports,
			Does:      "When a record cannot be made durable, requests are refused (not_recorded), /readyz fails and a metric shows it; the log says afterwards what happened.",
			figure:    `{{code "not_recorded"}} requests refused for it; {{n .Recoveries "recovery"}}`,
			Proof:     "records.jsonl: recovery",
			Limits:    "Delivering the alert is up to whatever watches /readyz and the metrics.",
		},
		{
			Framework: sp800171,
			ID:        "3.3.5",
			Title:     "Correlate audit record review, analysis, and reporting processes for investigation and response",
			Coverage:  Partly,
			Does:      "Records carry ids that join intents, outcomes, leases, tasks and the application's own entries; sinks deliver them to a SIEM.",
			figure:    `{{n .Alerts "alert"}}`,
			Proof:     "records.jsonl; byline reconcile",
			Limits:    "The correlation with other systems happens in the SIEM.",
		},
		{
			Framework: sp800171,
			ID:        "3.3.6",
			Title:     "Provide audit record reduction and report generation to support on-demand analysis and reporting",
			Coverage:  Supports,
			Does:      "byline review, replay, reconcile, audit borrowed and this folder are made from the record on demand.",
			Proof:     "report.html, review.json, borrowed.json",
		},
		{
			Framework: sp800171,
			ID:        "3.3.7",
			Title:     "Compare and synchronize internal system clocks with an authoritative source to generate time stamps",
			Coverage:  Partly,
			Does:      "Times are in UTC, in microseconds, and never run backwards within a log; a clock that went back is on record.",
			figure:    `{{n .ClockBack "clock correction"}}`,
			Proof:     "records.jsonl: clock",
			Limits:    "The host must synchronize its clock; byline reconcile states the application's skew.",
		},
		{
			Framework: sp800171,
			ID:        "3.3.8",
			Title:     "Protect audit information and audit logging tools from unauthorized access, modification, and deletion",
			Coverage:  Supports,
			Does:      "Records are hash-chained, the leaves of a Merkle tree, and sealed by signed checkpoints; a change, a gap, a reordering and a cut tail are found offline with the public key alone.",
			figure:    `{{n .Checkpoints "checkpoint"}} in the period`,
			Proof:     "proofs, checkpoints.txt, keys/audit.key.pub; byline audit verify",
			Limits:    "Reading the log is protected by file permissions. A log that the holder of the key has rewritten is found only by comparison with kept or witnessed checkpoints.",
		},
		{
			Framework: sp800171,
			ID:        "3.3.9",
			Title:     "Limit management of audit logging functionality to a subset of privileged users",
			Coverage:  Partly,
			Does:      "The record is configured only by file; the control API cannot change or delete a record.",
			Limits:    "Who may write configuration and keys is set by the host's permissions.",
		},
	}
}

// identification is family 3.5.
func identification() []Practice {
	return []Practice{
		{
			Framework: sp800171,
			ID:        "3.5.1",
			Title:     "Identify system users, processes acting on behalf of users, and devices",
			Coverage:  Supports,
			Does:      "Each task names an agent and the sponsor on whose behalf it acts, and both are in every record.",
			figure:    `{{n .Agents "agent"}}, {{n .Sponsors "sponsor"}}`,
			Proof:     "records.jsonl: agent, sponsor",
			Limits:    "The names are those that the operator gave when the task was created.",
		},
		{
			Framework: sp800171,
			ID:        "3.5.2",
			Title:     "Authenticate (or verify) the identities of users, processes, or devices as a prerequisite to access",
			Coverage:  Supports,
			Does:      "An agent proves its task by a token of 256 random bits, which is shown once and stored as a hash.",
			figure:    `{{code "auth_required"}} refused without valid credentials`,
			Proof:     "records.jsonl: auth_required",
			Limits:    "The token is a bearer secret: whoever holds it is the agent until the task ends.",
		},
		{
			Framework: sp800171,
			ID:        "3.5.3",
			Title:     "Use multifactor authentication for local and network access to privileged accounts and for network access to non-privileged accounts",
			Coverage:  Partly,
			Does:      "Byline can log in with a second factor (TOTP) from its vault, so that accounts need not be exempt from it.",
			figure:    `{{n .Logins "login"}} by Byline`,
			Proof:     "adapters.json",
			Limits:    "A second factor that is stored next to the first is not a person's second factor. Sponsors authenticate elsewhere.",
		},
		{
			Framework: sp800171,
			ID:        "3.5.4",
			Title:     "Employ replay-resistant authentication mechanisms for network access to privileged and non-privileged accounts",
			Coverage:  Partly,
			Does:      "Credentials travel only inside TLS; one-time codes are used once; a session that is replayed after the end of its task is dead.",
			figure:    `{{n .Logouts "logout"}}`,
			Proof:     "records.jsonl: logout",
			Limits:    "The application's login is as replay-resistant as the application makes it.",
		},
	}
}
