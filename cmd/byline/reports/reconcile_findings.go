package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters"
)

// The codes of findings. A caller may add others.
const (
	findOutside     = "used_outside"
	findUsers       = "unknown_users"
	findNoEntry     = "account_without_entries"
	findKinds       = "entries_of_no_kind"
	findUnreadable  = "unreadable"
	findEmpty       = "empty_log"
	findNoOverlap   = "no_overlap"
	findPart        = "part_of_the_period"
	maxNamesInText  = 12
	maxShapesInText = 5
)

// judge says what keeps the comparison from an all-clear, and sets the verdict.
func (r *Reconciler) judge(whole bool) {
	r.judgeOutside()
	if r.result.Log.Items == 0 {
		r.find(Finding{
			Code:   findEmpty,
			What:   "the application's log has no entry at all, so nothing was compared",
			Remedy: "name a longer period or the right export; if the log should have entries, check how the adapter reads it",
		})
	} else {
		r.judgeCoverage(whole)
		r.judgeNames()
		r.judgeKinds()
	}

	switch {
	case len(r.result.Findings) == 0:
		r.result.Verdict = VerdictClear
	case r.result.Findings[0].Code == findOutside:
		r.result.Verdict = VerdictOutside
	default:
		r.result.Verdict = VerdictDoubt
	}
}

// judgeOutside puts the entries without a request first.
func (r *Reconciler) judgeOutside() {
	n := len(r.result.ApplicationOnly)
	if n == 0 {
		return
	}
	r.result.Findings = slices.Insert(r.result.Findings, 0, Finding{
		Code:   findOutside,
		What:   fmt.Sprintf("%s of accounts came from no request in the record: somebody used the accounts outside Byline", countText(n, "entry", "entries")),
		Remedy: "change the password of the accounts, and find out who has it; if requests with GET cause such entries, mark their action with writes",
		Count:  n,
	})
}

// judgeCoverage compares the times of the log with the period.
func (r *Reconciler) judgeCoverage(whole bool) {
	log, p := &r.result.Log, r.result.Period
	if log.Unreadable > 0 {
		first := log.BadLines[0]
		r.find(Finding{
			Code:   findUnreadable,
			What:   fmt.Sprintf("%s of the log cannot be read; the first is %s: %s", countText(log.Unreadable, "entry", "entries"), first.Where, first.Why),
			Remedy: "describe them in the adapter: log.entry.time_format, log.line, log.continued, or log.ignore if they say nothing about changes",
			Count:  log.Unreadable,
		})
	}
	if log.First.IsZero() {
		return // nothing has a time
	}

	ahead := r.result.Skew.Ahead
	first, last := log.First.Add(-ahead), log.Last.Add(-ahead)
	if last.Before(p.From.Add(-r.result.Tolerance)) || first.After(p.To.Add(r.result.Tolerance)) {
		r.find(Finding{
			Code:   findNoOverlap,
			What:   fmt.Sprintf("the log is from %s to %s, and nothing of it is in the period", timeText(log.First), timeText(log.Last)),
			Remedy: "name the period of the log with --since and --until; if it is right, the log's time zone may be wrong (log.entry.zone)",
		})
		return
	}

	missing := 0
	for _, a := range r.result.RecordOnly {
		isAfter := !whole && a.Began.After(last.Add(Margin)) // an export ends before the period, an application does not
		if isAfter || a.Ended.Before(first.Add(-Margin)) {
			missing++
		}
	}
	if missing > 0 {
		r.find(Finding{
			Code: findPart,
			What: fmt.Sprintf("the log is from %s to %s, and %s in the record should have entries before or after that",
				timeText(log.First), timeText(log.Last), countText(missing, "request", "requests")),
			Remedy: "export the whole period, with --export once for each part; or name the period of the log with --since and --until",
			Count:  missing,
		})
	}
}

// judgeNames looks at the user names of the log.
func (r *Reconciler) judgeNames() {
	silent := r.silentAccounts()
	unknown, entries := r.unknownNames(len(silent) > 0)
	if len(unknown) > 0 {
		what := fmt.Sprintf("%s in the log %s", countText(len(unknown), "user name fits nobody", "user names fit nobody"), listText(unknown, maxNamesInText))
		if len(silent) > 0 {
			what += fmt.Sprintf("; there is no entry of %s, which may have one of these names there", listText(silent, maxNamesInText))
		}
		r.find(Finding{
			Code: findUsers,
			What: what,
			Remedy: "say how the log writes the names of accounts: log.entry.user_is in the adapter, the account's field log_name (byline vault put), or --user ACCOUNT=NAME; " +
				"name the application's other users in log.others",
			Count: entries,
		})
	}

	var without []string
	for _, account := range silent {
		if n := r.expectedOf(account); n > 0 {
			without = append(without, fmt.Sprintf("%s (%s)", account, countText(n, "request", "requests")))
		}
	}
	if len(without) > 0 {
		r.find(Finding{
			Code:   findNoEntry,
			What:   "no entry has the name of these accounts, although requests of theirs should have left some: " + listText(without, maxNamesInText),
			Remedy: "check the names of the accounts in the log (log.entry.user_is, log_name, --user), and that the log has all entries; sometimes in log.kinds says that requests often leave none",
			Count:  len(without),
		})
	}
}

// silentAccounts returns the accounts of which the log has no entry.
func (r *Reconciler) silentAccounts() []string {
	heard := map[string]bool{}
	for i := range r.result.Log.Users {
		heard[r.result.Log.Users[i].Account] = true
	}
	var silent []string
	for account := range r.names.active {
		if !heard[account] {
			silent = append(silent, account)
		}
	}
	slices.Sort(silent)
	return silent
}

// unknownNames returns the user names, with their counts, that may be those of accounts.
// isAnySilent says that there is an account without entries.
func (r *Reconciler) unknownNames(isAnySilent bool) (names []string, entries int) {
	strict := r.reader.NamesOthers()
	for i := range r.result.Log.Users {
		u := &r.result.Log.Users[i]
		if u.Account != "" || u.narrowly {
			continue
		}

		resembles := r.names.resembles(u.Name) != ""
		if resembles || isNobody(u.Name) || !u.Other && (strict || isAnySilent) {
			names = append(names, strconv.Quote(u.Name)+" ("+strconv.Itoa(u.Entries)+")")
			entries += u.Entries
		}
	}
	if n := r.history.more; n > 0 && (strict || isAnySilent) {
		names = append(names, fmt.Sprintf("others (%d)", n))
		entries += n
	}
	return names, entries
}

// expectedOf counts the requests of an account in the period that should have an entry.
func (r *Reconciler) expectedOf(account string) int {
	n := 0
	for _, a := range r.result.RecordOnly {
		if a.principal == account {
			n++
		}
	}
	return n
}

// judgeKinds looks at the entries of no kind.
func (r *Reconciler) judgeKinds() {
	log := &r.result.Log
	if log.OfNoKind == 0 {
		return
	}
	var shapes []string
	for _, s := range log.Shapes {
		shapes = append(shapes, fmt.Sprintf("%s (%d)", s.Shape, s.Entries))
	}
	r.find(Finding{
		Code:   findKinds,
		What:   fmt.Sprintf("%s of accounts, or without a user, fit no kind of the adapter: %s", countText(log.OfNoKind, "entry", "entries"), listText(shapes, maxShapesInText)),
		Remedy: "add them to log.kinds, or to log.ignore if they say nothing about changes",
		Count:  log.OfNoKind,
	})
}

// countText is a number with its noun.
func countText(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + several
}

// listText is the beginning of a list.
func listText(items []string, most int) string {
	if len(items) > most {
		return strings.Join(items[:most], ", ") + fmt.Sprintf(" and %d more", len(items)-most)
	}
	return strings.Join(items, ", ")
}

func timeText(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

// IsOwnAction reports whether an act is a login, a logout or a page of Byline itself.
func (a *Act) IsOwnAction() bool {
	return a.Action == adapters.ActionLogin || a.Action == adapters.ActionLogout || a.Action == adapters.ActionProbe
}
