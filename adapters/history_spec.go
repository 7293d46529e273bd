package adapters

// HistorySpec says how the application's own history is read and what its entries mean, so that byline reconcile can
// compare it with the record. The zero value has no history.
type HistorySpec struct {
	// Read lists the requests that read the history, each page by page. They are made like those of an
	// agent, in a task for them alone, so an action of this adapter must name them. Without this key an
	// export of the history can still be reconciled.
	Read []HistoryRead `yaml:"read" json:"read,omitempty" eg:"[{get: \"/api.php?action=query&list=recentchanges&format=json\", items: query.recentchanges}]"`

	// Entry says where in an item its time, user and id are.
	Entry HistoryFields `yaml:"entry" json:"entry" eg:"{time: timestamp, user: user, id: rcid}"`

	// Kinds say which items are of interest, and which actions must have caused them. The first kind that
	// matches an item holds.
	Kinds []HistoryKind `yaml:"kinds" json:"kinds,omitempty" eg:"[{when: {type: edit}, actions: [page.edit], resource: \"page/${title}\"}]"`

	// Ignore lists items that say nothing about changes: maps from fields to patterns as in kinds.when, and
	// every field of one map must match. What is listed here is left out before anything else is looked at.
	// Any other item of an account that is of no kind is a finding of byline reconcile.
	Ignore []map[string]Strings `yaml:"ignore" json:"ignore,omitempty" eg:"[{method: [GET, HEAD]}, {user: \"-\"}]"`

	// Others lists the users of the application that are not compensating accounts: names, or patterns with
	// *. With it, every other name is a finding of byline reconcile. Without it, a name that fits nobody is a
	// finding if it resembles the name of an account, or if there is an account without any entry, because
	// the account may have that name in the application's log.
	Others Strings `yaml:"others" json:"others,omitempty" eg:"[\"*@acme.example\", root]"`

	// Line says that the log is text, and how a line of it is read: one RE2 expression or a list, of which the
	// first that matches holds. Its named groups are the fields of the item. The field line is the whole text,
	// also for entry, kinds and ignore. A line that none matches is a finding of byline reconcile unless ignore
	// lists it.
	Line Strings `yaml:"line" json:"line,omitempty" eg:"'^(?P<time>\\S+ \\S+) (?P<user>\\S+) (?P<kind>\\S+) (?P<object>.*)$'"`

	// Continued is an RE2 expression. A line of a text that it matches belongs to the line before it, as that
	// of a stack trace does. Without it every line is an item.
	Continued string `yaml:"continued" json:"continued,omitempty" eg:"'^\\s'"`
}

// HistoryRead is one request for a part of the history, in JSON.
type HistoryRead struct {
	// Each is a request for a list, for an application that keeps one history for each of many things. The
	// history of every item of the list is then read.
	Each HistoryEach `yaml:"each" json:"each,omitzero" eg:"{get: \"/api/projects?limit=50\", next: {param: page}}"`

	// Get is the path with its query. ${from} and ${to} are the ends of the period; any other name is a
	// field of the item of each, percent-encoded.
	Get string `yaml:"get" json:"get" need:"yes" eg:"/api/history?since=${from|query}"`

	// Items is a dotted pointer to the array of items. Without it the answer is the array.
	Items string `yaml:"items" json:"items,omitempty" eg:"query.recentchanges"`

	// Next says how the next page is asked for.
	Next HistoryNext `yaml:"next" json:"next" eg:"{json: continue.rccontinue, param: rccontinue}"`

	// Time is how ${from} and ${to} are written, as a layout of Go's package time. The default is RFC 3339.
	Time string `yaml:"time" json:"time,omitempty" eg:"2006-01-02 15:04:05"`

	// NewestFirst says that the history begins with its newest item, for applications that cannot be asked
	// for a period. It is read up to the first page that ends before the period.
	NewestFirst bool `yaml:"newest_first" json:"newest_first,omitempty" eg:"true"`
}

// HistoryEach is one request for the list of the things that have a history, in JSON. The zero value means that there is
// one history.
type HistoryEach struct {
	// Get is the path with its query.
	Get string `yaml:"get" json:"get" need:"yes" eg:"/api/projects?limit=50"`

	// Items is a dotted pointer to the array of items. Without it the answer is the array.
	Items string `yaml:"items" json:"items,omitempty" eg:"projects"`

	// Next says how the next page is asked for.
	Next HistoryNext `yaml:"next" json:"next" eg:"{param: page}"`
}

// HistoryNext says how the next page is asked for. The zero value means that there is one page.
type HistoryNext struct {
	// JSON is a dotted pointer to what the next request must carry. The last page does not have it. Without
	// this key pages are counted: 2, 3, … up to one that has no items.
	JSON string `yaml:"json" json:"json,omitempty" eg:"continue.rccontinue"`

	// Param is the parameter that carries it.
	Param string `yaml:"param" json:"param,omitempty" eg:"page"`
}

// HistoryFields names fields of an item by dotted pointers, or columns of a CSV export.
type HistoryFields struct {
	// Time is the field with the time, or a template of fields, as "${date} ${time}".
	Time string `yaml:"time" json:"time,omitempty" eg:"timestamp"`

	// TimeFormat is the format of the time: a layout of Go's package time, or unix for seconds, which may have
	// a fraction, or unix_ms for milliseconds. Without it RFC 3339 and other common formats are tried. If the
	// layout has no year, as that of syslog (Jan _2 15:04:05), it is the last one that is not in the future.
	TimeFormat string `yaml:"time_format" json:"time_format,omitempty" eg:"02/Jan/2006:15:04:05 -0700"`

	// Zone is the time zone of times that name none: a name of the IANA data base, or an offset such as +02:00.
	Zone string `yaml:"zone" json:"zone,omitempty" def:"UTC" eg:"Europe/Berlin"`

	// User is the field with the account's user name, or a template of fields.
	User string `yaml:"user" json:"user,omitempty" eg:"user"`

	// UserIs says how the application writes the account's user name in that field: one pattern or a list, in
	// which {user} stands for the user name. The first that fits holds, without regard to case. A value that
	// none fits is a name as it stands.
	UserIs Strings `yaml:"user_is" json:"user_is,omitempty" def:"{user}" eg:"['CORP\\{user}', '{user}@corp.example', '{user} (Agent)']"`

	// ID is the field that identifies the entry, or a template of fields.
	ID string `yaml:"id" json:"id,omitempty" eg:"rcid"`
}

// HistoryKind is one kind of entry.
type HistoryKind struct {
	// When maps fields to patterns as in match; every one must match. "" means absent or empty. What {var}
	// binds can be used in resource.
	When map[string]Strings `yaml:"when" json:"when,omitempty" eg:"{type: [edit, new]}"`

	// Actions are actions of this adapter. One of them must have caused the entry. byline.login and byline.logout
	// are Byline's own logins, also those that failed, and logouts; byline.probe is a page that Byline asks for
	// itself (login.identity, login.logout.check), during these or during a request.
	Actions Strings `yaml:"actions" json:"actions" need:"yes" eg:"[page.edit]"`

	// Resource is the resource of the action, as the action names it: a template of fields and of what when
	// binds. Write a list if the actions name it in several ways; one of them must match.
	Resource Strings `yaml:"resource" json:"resource,omitempty" eg:"page/${title}"`

	// Many says that one request may cause several such entries, next to entries of other kinds.
	Many bool `yaml:"many" json:"many,omitempty" eg:"true"`

	// AtMost is many with a bound: one request may cause up to so many such entries, next to entries of other
	// kinds. Without it and many, one entry of all such kinds takes the whole request.
	AtMost int `yaml:"at_most" json:"at_most,omitempty" eg:"1"`

	// Sometimes says that the actions often leave no such entry. A request of theirs without an entry is then
	// not listed, unless another kind with the action lacks this key.
	Sometimes bool `yaml:"sometimes" json:"sometimes,omitempty" eg:"true"`
}
