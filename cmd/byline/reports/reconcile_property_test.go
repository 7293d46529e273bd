package reports

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit"
)

const propertyLog = `
  entry: {time: when, user: who, id: n}
  kinds:
    - {when: {what: save}, actions: [item.save], resource: "item/${id}"}
    - {when: {what: notify}, actions: [item.save], resource: "item/${id}", at_most: 1}
    - {when: {what: drop}, actions: [item.drop], resource: "item/${id}"}
    - {when: {what: login}, actions: [byline.login]}
    - {when: {what: logout}, actions: [byline.logout]}
`

// randomHistory is what happened at an application, and what its log has of it.
type randomHistory struct {
	l       testLog
	items   []logItem
	saves   int // requests with an entry
	planted int
	missing int
	renamed bool
	ahead   time.Duration
	broken  bool // a line cannot be read
	heard   map[string]bool
	text    string
}

// makeHistory makes a history from a seed.
func makeHistory(seed uint64) *randomHistory {
	r := rand.New(rand.NewPCG(seed, 7))
	h := &randomHistory{heard: map[string]bool{}}
	chance := func(percent int) bool { return r.IntN(100) < percent }
	if chance(60) {
		h.ahead = time.Duration(r.IntN(16*60)-8*60) * time.Second
	}
	if chance(15) {
		h.ahead += time.Duration(r.IntN(24)-12) * time.Hour
	}
	names := map[string]string{"svc-1": "svc-1", "svc-2": "svc-2"}
	if chance(20) {
		h.renamed = true
		names["svc-1"] = []string{`CORP\svc-1`, "svc-1@corp.example", "svc-1 (Agent)", "Agent Smith", "robot"}[r.IntN(5)]
	}
	write := func(at time.Time, who, what string, id int) {
		if chance(3) && h.missing < 5 {
			h.missing++
			return
		}
		h.heard[who] = true
		h.items = append(h.items, logItem{
			"when": at.Add(h.ahead).Truncate(time.Second).Format(time.DateTime), "who": who, "what": what, "id": fmt.Sprint(id), "n": fmt.Sprint(len(h.items)),
		})
	}

	// Every third request is about an item of its own, the others share some.
	at := day.Add(-3 * time.Hour)
	busy := map[string][]time.Time{} // when requests were, by key
	for n := 4 + r.IntN(60); n > 0; n-- {
		at = at.Add(time.Duration(1+r.IntN(200)) * time.Second)
		account := []string{"svc-1", "svc-2"}[r.IntN(2)]
		took := time.Duration(50+r.IntN(3000)) * time.Millisecond
		when := at.Add(time.Duration(r.Int64N(int64(took))))
		id := r.IntN(8)
		if chance(30) {
			id = 100 + n
		}
		switch r.IntN(8) {
		case 0:
			h.l.addAct("login", account, "", "", "", 0, at, took)
			write(when, names[account], "login", 0)
			busy[account+" login 0"] = append(busy[account+" login 0"], at)
		case 1:
			h.l.addAct("intent", account, "item.drop", fmt.Sprint("item/", id), "GET", 302, at, took)
			write(when, names[account], "drop", id)
			key := fmt.Sprint(account, " drop ", id)
			busy[key] = append(busy[key], at)
		case 2:
			h.l.addAct("intent", account, "item.read", fmt.Sprint("item/", id), "GET", 200, at, took)
		case 3:
			write(at, "alice", "save", id) // a person
		default:
			h.l.addAct("intent", account, "item.save", fmt.Sprint("item/", id), "POST", 302, at, took)
			write(when, names[account], "save", id)
			if chance(50) {
				write(when, names[account], "notify", id)
			}
			h.saves++
			key := fmt.Sprint(account, " save ", id)
			busy[key] = append(busy[key], at)
		}
	}

	if chance(70) {
		for range 1 + r.IntN(3) {
			account := []string{"svc-1", "svc-2"}[r.IntN(2)]
			what, id := []string{"save", "drop", "login"}[r.IntN(3)], r.IntN(8)
			if what == "login" {
				id = 0
			}
			when := day.Add(-3*time.Hour + time.Duration(r.IntN(5400))*time.Second)
			isBusy := false
			for _, other := range busy[fmt.Sprint(account, " ", what, " ", id)] {
				isBusy = isBusy || when.Sub(other).Abs() < 2*time.Minute // could not be told from a request whose line is missing
			}
			if isBusy {
				continue
			}
			missing := h.missing
			h.missing = 5 // it is in the log
			write(when, names[account], what, id)
			h.missing = missing
			h.planted++
		}
	}
	if chance(5) {
		h.broken = true
		h.items = append(h.items, logItem{"when": "yesterday", "who": "alice", "what": "save"})
	}
	r.Shuffle(len(h.items), func(i, j int) { h.items[i], h.items[j] = h.items[j], h.items[i] })
	h.text = fmt.Sprintf("seed %d: %d saves, %d entries, %d planted, %d missing, renamed %v, ahead %v", seed, h.saves, len(h.items), h.planted, h.missing, h.renamed, h.ahead)
	return h
}

// TestReconcileNeverClearsAPlantedEntry reconciles random histories with lines missing,
// accounts under other names, clocks and time zones that are wrong. Whatever is wrong, a
// planted entry never gets an all-clear, and a history in which nothing is wrong does if
// every account has an entry: one without may have the name of the person.
func TestReconcileNeverClearsAPlantedEntry(t *testing.T) {
	a := shapeAdapter(t, propertyLog)
	verdicts := map[string]int{}
	planted, found := 0, 0
	for seed := range uint64(6000) {
		h := makeHistory(seed)
		got, err := reconcileItems(h.l.all(), a, map[string][]string{"svc-1": nil, "svc-2": nil}, h.items)
		if err != nil {
			t.Fatal(err)
		}
		verdicts[got.Verdict]++

		if (h.planted > 0 || h.broken) && got.Verdict == VerdictClear {
			t.Errorf("%s: all-clear", h.text)
		}
		if h.planted > 0 && !h.renamed && h.ahead.Abs() <= 8*time.Minute {
			planted += h.planted
			found += min(len(got.ApplicationOnly), h.planted)
		}
		isPlain := h.heard["svc-1"] && h.heard["svc-2"] && h.planted == 0 && !h.renamed && !h.broken && h.missing == 0 && h.ahead.Abs() <= defaultTolerance/2
		if isPlain && got.Verdict != VerdictClear {
			t.Errorf("%s: %s, %+v, outside %+v", h.text, got.Verdict, got.Findings, got.ApplicationOnly)
		}
		if len(h.items) >= 30 && h.planted == 0 && !h.renamed && h.ahead.Abs() <= 8*time.Minute && len(got.ApplicationOnly) > 0 {
			t.Errorf("%s: %d entries are called foreign: %+v; clock %+v within %v", h.text, len(got.ApplicationOnly), got.ApplicationOnly[0], got.Skew, got.Tolerance)
		}
	}
	if found < planted {
		t.Errorf("%d of %d planted entries were found", found, planted)
	}
	t.Logf("verdicts %v, %d planted entries", verdicts, planted)
}

// TestReconcileFindsThePartWithAnotherClock sets our clock back by two hours in the middle:
// it was ahead before.
func TestReconcileFindsThePartWithAnotherClock(t *testing.T) {
	a := shapeAdapter(t, propertyLog)
	var l testLog
	var items []logItem
	save := func(id int, our, real time.Time) {
		l.addAct("intent", "svc-1", "item.save", fmt.Sprint("item/", id), "POST", 302, our, time.Second)
		items = append(items, logItem{"when": real.Format(time.DateTime), "who": "svc-1", "what": "save", "id": fmt.Sprint(id), "n": fmt.Sprint(id)})
	}
	for i := range 20 {
		at := day.Add(time.Duration(i) * time.Minute)
		save(i, at.Add(2*time.Hour), at)
	}
	clock := l.add(audit.Record{Kind: audit.KindClock})
	clock.Time, clock.Wall = day.Add(2*time.Hour+20*time.Minute), day.Add(20*time.Minute)
	for i := range 20 {
		at := day.Add(time.Duration(21+i) * time.Minute)
		save(100+i, at, at)
	}
	items = append(items, logItem{"when": day.Add(5 * time.Minute).Format(time.DateTime), "who": "svc-1", "what": "save", "id": "119", "n": "planted"})

	got, err := reconcileItems(l.all(), a, map[string][]string{"svc-1": nil}, items)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Matched) != 40 || len(got.ApplicationOnly) != 1 || got.ApplicationOnly[0].ID != "planted" || len(got.Clocks) != 2 {
		t.Errorf("%d matched, outside %+v, clocks %+v; want 40 and the planted one", len(got.Matched), got.ApplicationOnly, got.Clocks)
	}
}

// TestReconcileDoubts checks each finding that keeps a comparison from an all-clear.
func TestReconcileDoubts(t *testing.T) {
	save := func(at time.Time, who string, id int) logItem {
		return logItem{"when": at.Format(time.DateTime), "who": who, "what": "save", "id": fmt.Sprint(id), "n": fmt.Sprint(at.Unix())}
	}
	three := func(who string, ahead time.Duration) []logItem {
		var items []logItem
		for i := range 3 {
			items = append(items, save(day.Add(time.Duration(i)*7*time.Minute+ahead), who, i))
		}
		return items
	}
	other := func(items []logItem, more ...logItem) []logItem { return append(items, more...) }
	strange := save(day, "svc-1", 1)
	strange["what"] = "export"
	foreign := save(day, "alice", 1)
	foreign["what"] = "export"

	for name, c := range map[string]struct {
		log   string
		users map[string][]string
		items []logItem
		want  string // code of the finding; "" is an all-clear
	}{
		"as it should be":                       {"", nil, three("svc-1", 0), ""},
		"with people":                           {"", nil, other(three("svc-1", 0), save(day, "alice", 9)), ""},
		"nothing":                               {"", nil, nil, findEmpty},
		"another name":                          {"", nil, three("CORP\\svc-1", 0), findUsers},
		"another name that user_is reads":       {"  entry: {time: when, user: who, user_is: 'CORP\\{user}', id: n}", nil, three("CORP\\svc-1", 0), ""},
		"another name that the vault has":       {"", map[string][]string{"svc-1": {"robot"}}, three("Robot", 0), ""},
		"a name next to the right one":          {"", nil, other(three("svc-1", 0), save(day.Add(time.Hour), "svc-1@corp", 7)), findUsers},
		"a second account that is silent":       {"", map[string][]string{"svc-1": nil, "svc-2": nil}, other(three("svc-1", 0), save(day, "zz", 9)), findUsers},
		"the same, with the others named":       {"  others: [zz]", map[string][]string{"svc-1": nil, "svc-2": nil}, other(three("svc-1", 0), save(day, "zz", 9)), ""},
		"a name that others lacks":              {"  others: [zz]", nil, other(three("svc-1", 0), save(day, "yy", 9)), findUsers},
		"others is everybody, and resembles":    {`  others: ["*"]`, nil, other(three("svc-1", 0), save(day, "corp\\svc-1", 9)), findUsers},
		"others is everybody, and is not there": {`  others: ["*"]`, nil, three("robot", 0), findNoEntry},
		"nobody":                                {"", nil, other(three("svc-1", 0), save(day, "-", 9)), findUsers},
		"no kind":                               {"", nil, other(three("svc-1", 0), strange), findKinds},
		"no kind, of a person":                  {"", nil, other(three("svc-1", 0), foreign), ""},
		"no kind, but ignored":                  {"  ignore: [{what: export}]", nil, other(three("svc-1", 0), strange), ""},
		"another zone":                          {"", nil, three("svc-1", 3*time.Hour), "time_zone"},
		"another zone that the adapter names":   {"  entry: {time: when, user: who, id: n, zone: \"+03:00\"}", nil, three("svc-1", 3*time.Hour), ""},
		"another month":                         {"", nil, three("svc-1", -30*24*time.Hour), findNoOverlap},
		"only the beginning":                    {"", nil, three("svc-1", 0)[:1], findPart},
	} {
		t.Run(name, func(t *testing.T) {
			text := propertyLog
			switch {
			case c.log == "":
			case c.log[:8] == "  entry:":
				text = c.log + propertyLog[len("\n  entry: {time: when, user: who, id: n}"):]
			default:
				text = propertyLog + c.log + "\n"
			}
			a := shapeAdapter(t, text)
			var l testLog
			for i := range 3 {
				l.addAct("intent", "svc-1", "item.save", fmt.Sprint("item/", i), "POST", 302, day.Add(time.Duration(i)*7*time.Minute), time.Second)
			}
			users := c.users
			if users == nil {
				users = map[string][]string{"svc-1": nil}
			}
			got, err := reconcileItems(l.all(), a, users, c.items)
			if err != nil {
				t.Fatal(err)
			}
			has := got.Verdict == VerdictClear && c.want == ""
			for _, f := range got.Findings {
				has = has || f.Code == c.want
			}
			if !has || (c.want == "") != (got.Verdict == VerdictClear) {
				t.Errorf("%s %+v, want %q", got.Verdict, got.Findings, c.want)
			}
		})
	}
}
