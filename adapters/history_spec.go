package adapters

// HistorySpec says how the application's own history is read and what its entries mean, so that byline reconcile can set it
// beside the record. The zero value: the adapter cannot tell.
type HistorySpec struct {
	// Read lists the requests that read it, each page by page. They are made like an agent's, in a task of their own, and
	// so must be named by an action of this adapter. Without them an export of the history can still be reconciled.
	Read []HistoryRead `yaml:"read" json:"read,omitempty" eg:"[{get: \"/api.php?action=query&list=recentchanges&format=json\", items: query.recentchanges}]"`
	// Entry says where in an item its time, user and id are.
	Entry HistoryFields `yaml:"entry" json:"entry" eg:"{time: timestamp, user: user, id: rcid}"`
	// Kinds say which items are of interest and what must have caused them; the first that is about an item holds.
	Kinds []HistoryKind `yaml:"kinds" json:"kinds,omitempty" eg:"[{when: {type: edit}, actions: [page.edit], resource: \"page/${title}\"}]"`
}

// HistoryRead is one request for a part of the history, in JSON.
type HistoryRead struct {
	// Each asks for a list first, where the application keeps a history for each of many things; the history of every one of
	// them is then read.
	Each HistoryEach `yaml:"each" json:"each,omitzero" eg:"{get: \"/api/projects?limit=50\", next: {param: page}}"`
	// Get is the path with its query; ${from} and ${to} are the ends of the period, and any other name is a field of the
	// item of each, percent-encoded.
	Get string `yaml:"get" json:"get" need:"yes" eg:"/api/history?since=${from|query}"`
	// Items is a dotted pointer to the array of items; without it the answer is the array.
	Items string `yaml:"items" json:"items,omitempty" eg:"query.recentchanges"`
	// Next says how the next page is asked for.
	Next HistoryNext `yaml:"next" json:"next" eg:"{json: continue.rccontinue, param: rccontinue}"`
	// Time is how ${from} and ${to} are written, as a layout of Go's package time. Default RFC 3339.
	Time string `yaml:"time" json:"time,omitempty" eg:"2006-01-02 15:04:05"`
	// NewestFirst says that the history begins with its latest item: it is read up to the first page that ends before the
	// period, for applications that cannot be asked for a period.
	NewestFirst bool `yaml:"newest_first" json:"newest_first,omitempty" eg:"true"`
}

// HistoryEach is one request for the list of what has a history, in JSON. The zero value: there is one history.
type HistoryEach struct {
	// Get is the path with its query.
	Get string `yaml:"get" json:"get" need:"yes" eg:"/api/projects?limit=50"`
	// Items is a dotted pointer to the array of items; without it the answer is the array.
	Items string `yaml:"items" json:"items,omitempty" eg:"projects"`
	// Next says how the next page is asked for.
	Next HistoryNext `yaml:"next" json:"next" eg:"{param: page}"`
}

// HistoryNext asks for the page after. The zero value: there is one page.
type HistoryNext struct {
	// JSON is a dotted pointer to what the next request must carry; it is absent on the last page. Without it pages are
	// counted: 2, 3, … until one has no items.
	JSON string `yaml:"json" json:"json,omitempty" eg:"continue.rccontinue"`
	// Param is the parameter that carries it.
	Param string `yaml:"param" json:"param,omitempty" eg:"page"`
}

// HistoryFields names fields of an item by dotted pointers, or columns of a CSV export.
type HistoryFields struct {
	// Time is the field with the time.
	Time string `yaml:"time" json:"time,omitempty" eg:"timestamp"`
	// TimeFormat is its form, as a layout of Go's package time, or unix for seconds. Default: RFC 3339 and the other
	// common ones; a time without a zone is UTC.
	TimeFormat string `yaml:"time_format" json:"time_format,omitempty" eg:"02/Jan/2006:15:04:05 -0700"`
	// User is the field with the account's user name, or a template of fields.
	User string `yaml:"user" json:"user,omitempty" eg:"user"`
	// ID is the field that names the entry, or a template of fields.
	ID string `yaml:"id" json:"id,omitempty" eg:"rcid"`
}

// HistoryKind is one kind of entry.
type HistoryKind struct {
	// When maps fields to patterns as in match; every one must fit. "" means absent or empty. What {var} binds is there for
	// resource.
	When map[string]Strings `yaml:"when" json:"when,omitempty" eg:"{type: [edit, new]}"`
	// Actions are the actions of this adapter of which one must have caused it.
	Actions Strings `yaml:"actions" json:"actions" need:"yes" eg:"[page.edit]"`
	// Resource is what it was done to, as the action names it: a template of fields and of what when binds. A list where
	// its actions name it in several ways: one of them must fit.
	Resource Strings `yaml:"resource" json:"resource,omitempty" eg:"page/${title}"`
	// Many says that one request may cause several such entries.
	Many bool `yaml:"many" json:"many,omitempty" eg:"true"`
}
