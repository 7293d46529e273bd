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
	// Time is the field with the time.
	Time string `yaml:"time" json:"time,omitempty" eg:"timestamp"`

	// TimeFormat is the format of the time: a layout of Go's package time, or unix for seconds. Without it
	// RFC 3339 and other common formats are tried. A time without a zone is in UTC.
	TimeFormat string `yaml:"time_format" json:"time_format,omitempty" eg:"02/Jan/2006:15:04:05 -0700"`

	// User is the field with the account's user name, or a template of fields.
	User string `yaml:"user" json:"user,omitempty" eg:"user"`

	// ID is the field that identifies the entry, or a template of fields.
	ID string `yaml:"id" json:"id,omitempty" eg:"rcid"`
}

// HistoryKind is one kind of entry.
type HistoryKind struct {
	// When maps fields to patterns as in match; every one must match. "" means absent or empty. What {var}
	// binds can be used in resource.
	When map[string]Strings `yaml:"when" json:"when,omitempty" eg:"{type: [edit, new]}"`

	// Actions are actions of this adapter. One of them must have caused the entry.
	Actions Strings `yaml:"actions" json:"actions" need:"yes" eg:"[page.edit]"`

	// Resource is the resource of the action, as the action names it: a template of fields and of what when
	// binds. Write a list if the actions name it in several ways; one of them must match.
	Resource Strings `yaml:"resource" json:"resource,omitempty" eg:"page/${title}"`

	// Many says that one request may cause several such entries.
	Many bool `yaml:"many" json:"many,omitempty" eg:"true"`
}
