package reports

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters"
)

// Bounds of what is listed of an application's log. What is beyond them is counted.
const (
	maxNames      = 10_000
	maxShapes     = 100
	maxUnreadable = 20
)

// LogSummary says what was read of the application's log.
type LogSummary struct {
	Items      int          `json:"items"` // entries of every kind, and lines that cannot be read
	Ignored    int          `json:"ignored"`
	OfNoKind   int          `json:"of_no_kind"` // of accounts, or of nobody who is named
	Unreadable int          `json:"unreadable"`
	First      time.Time    `json:"first,omitzero"` // by the application's clock
	Last       time.Time    `json:"last,omitzero"`
	Users      []LogUser    `json:"users"`     // the most frequent first
	Shapes     []LogShape   `json:"shapes"`    // of the entries of no kind
	BadLines   []LogBadLine `json:"bad_lines"` // the first that cannot be read
}

// LogUser is a user name in the application's log.
type LogUser struct {
	Name    string `json:"name"`
	Account string `json:"account,omitempty"` // whose name it is
	Other   bool   `json:"other,omitempty"`   // log.others lists it
	Entries int    `json:"entries"`

	narrowly bool // a pattern of log.others that says more than "everybody"
}

// LogShape is what entries of no kind have in common.
type LogShape struct {
	Shape   string `json:"shape"`
	Entries int    `json:"entries"`
	Where   string `json:"where"` // the first of them
	User    string `json:"user"`  // of the first
}

// LogBadLine is a line that cannot be read.
type LogBadLine struct {
	Where string `json:"where"`
	Why   string `json:"why"`
}

// History takes what is read of an application's log. It keeps the entries of accounts
// from around the period, and counts everything else.
type History struct {
	r        *Reconciler
	own      []*adapters.HistoryEntry
	near     Period
	total    LogSummary
	others   int
	users    map[string]*LogUser
	more     int // entries of users beyond maxNames
	shapes   map[string]*LogShape
	interned map[string]string
	kept     map[entryKey]bool
}

// entryKey identifies an entry that has an id.
type entryKey struct {
	id   string
	kind int
	at   int64 // microseconds
}

// History returns what takes the application's log. The records must have been read.
func (r *Reconciler) History() *History {
	p := r.result.Period
	r.history = &History{
		r:        r,
		near:     Period{p.From.Add(-maxZone), p.To.Add(maxZone)},
		users:    map[string]*LogUser{},
		shapes:   map[string]*LogShape{},
		interned: map[string]string{},
		kept:     map[entryKey]bool{},
	}
	return r.history
}

// Reader returns what reads the items.
func (h *History) Reader() *adapters.HistoryReader { return h.r.reader }

// Add adds an item. where says where in the log it is.
func (h *History) Add(item map[string]string, where string) {
	e, class, err := h.r.reader.Interpret(item)
	if err != nil {
		h.AddUnreadable(where, err.Error())
		return
	}
	h.total.Items++
	h.noteTime(e.Time)
	if class == adapters.ItemIgnored {
		h.total.Ignored++
		if h.r.names.principal(e.User) != "" {
			h.noteUser(&e) // it shows how the log writes the account's name
		}
		return
	}

	user := h.noteUser(&e)
	if class == adapters.ItemUnknown {
		h.addOfNoKind(item, where, user)
		return
	}
	switch {
	case user.Account == "":
		if h.r.result.Period.Contains(e.Time) {
			h.others++
		}
	case h.near.Contains(e.Time):
		h.keep(&e)
	}
}

// AddUnreadable adds a line that cannot be read.
func (h *History) AddUnreadable(where, why string) {
	h.total.Items++
	h.total.Unreadable++
	if len(h.total.BadLines) < maxUnreadable {
		h.total.BadLines = append(h.total.BadLines, LogBadLine{where, why})
	}
}

// keep keeps an entry of an account. Its texts are copied: those of an item keep the whole
// line in memory.
func (h *History) keep(e *adapters.HistoryEntry) {
	e.User, e.Written, e.Resource = h.intern(e.User), h.intern(e.Written), h.intern(e.Resource)
	e.ID = strings.Clone(e.ID)
	key := entryKey{e.ID, e.Kind, e.Time.UnixMicro()}
	if e.ID != "" && h.kept[key] {
		return // two exports, or two reads, have it
	}
	if e.ID != "" {
		h.kept[key] = true
	}
	for i := range e.Also {
		e.Also[i] = h.intern(e.Also[i])
	}
	kept := *e
	h.own = append(h.own, &kept)
}

func (h *History) intern(s string) string {
	if known, ok := h.interned[s]; ok {
		return known
	}
	s = strings.Clone(s)
	h.interned[s] = s
	return s
}

func (h *History) noteTime(t time.Time) {
	if t.IsZero() {
		return // of an ignored item
	}
	if h.total.First.IsZero() || t.Before(h.total.First) {
		h.total.First = t
	}
	if t.After(h.total.Last) {
		h.total.Last = t
	}
}

// noteUser counts an entry of a user.
func (h *History) noteUser(e *adapters.HistoryEntry) *LogUser {
	if u := h.users[e.Written]; u != nil {
		u.Entries++
		return u
	}

	u := &LogUser{Name: strings.Clone(e.Written), Account: h.r.names.principal(e.User), Entries: 1}
	if u.Account == "" {
		u.Other, u.narrowly = h.r.reader.IsOther(e.Written)
		also, narrowly := h.r.reader.IsOther(e.User)
		u.Other, u.narrowly = u.Other || also, u.narrowly || narrowly
	}
	if len(h.users) >= maxNames && u.Account == "" {
		h.more++
		return u
	}
	h.users[u.Name] = u
	return u
}

// addOfNoKind counts an item of no kind, unless it is that of another user.
func (h *History) addOfNoKind(item map[string]string, where string, user *LogUser) {
	if user.Account == "" && (user.Other || !isNobody(user.Name)) {
		return
	}
	h.total.OfNoKind++

	shape := h.r.reader.Shape(item)
	if s := h.shapes[shape]; s != nil {
		s.Entries++
		return
	}
	if len(h.shapes) < maxShapes {
		h.shapes[shape] = &LogShape{Shape: shape, Entries: 1, Where: where, User: user.Name}
	}
}

// isNobody reports whether a log has a name for entries without a user.
func isNobody(name string) bool {
	name = strings.TrimSpace(name)
	return name == "" || name == "-"
}

// summary returns what was read.
func (h *History) summary() LogSummary {
	s := h.total
	s.Users, s.Shapes = []LogUser{}, []LogShape{}
	if s.BadLines == nil {
		s.BadLines = []LogBadLine{}
	}
	for _, u := range h.users {
		s.Users = append(s.Users, *u)
	}
	slices.SortFunc(s.Users, func(x, y LogUser) int { return cmp.Or(y.Entries-x.Entries, cmp.Compare(x.Name, y.Name)) })
	for _, shape := range h.shapes {
		s.Shapes = append(s.Shapes, *shape)
	}
	slices.SortFunc(s.Shapes, func(x, y LogShape) int { return cmp.Or(y.Entries-x.Entries, cmp.Compare(x.Shape, y.Shape)) })
	return s
}
