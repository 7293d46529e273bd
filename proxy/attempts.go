package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/internal/names"
	"github.com/byline-proxy/byline/proxy/wire"
)

// maxAttempts bounds how many destinations of a task's attempts are recorded apart.
const maxAttempts = 256

// maxNameLength bounds the text of a host name, in which four characters stand for a byte
// that is not printable.
const maxNameLength = 4 * 255

// attempts counts what a task's program tried without Byline. Each destination is on
// record once when it is first tried, and once more at the end of the task if it was
// tried again. The zero value is ready for use.
type attempts struct {
	mu      sync.Mutex
	further map[admin.Attempt]int // with a Count of zero → how often after the record
	others  int                   // to destinations that are too many
	closed  bool
}

// add notes an attempt. It reports whether it must be recorded now.
func (a *attempts) add(tried admin.Attempt) (isFirst bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	count := tried.Count
	tried.Count = 0

	_, known := a.further[tried]
	switch {
	case a.closed:
		return false
	case known:
		a.further[tried] += count
	case len(a.further) >= maxAttempts:
		a.others += count
	default:
		if a.further == nil {
			a.further = map[admin.Attempt]int{}
		}
		a.further[tried] = 0
		return true
	}
	return false
}

// close returns the attempts that were counted and not recorded.
func (a *attempts) close() []admin.Attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []admin.Attempt
	for tried, count := range a.further {
		if count > 0 {
			tried.Count = count
			all = append(all, tried)
		}
	}
	slices.SortFunc(all, func(x, y admin.Attempt) int { return strings.Compare(x.Protocol+x.To, y.Protocol+y.To) })
	if a.others > 0 {
		all = append(all, admin.Attempt{Protocol: "any", To: "others", Count: a.others})
	}
	a.further, a.closed = nil, true
	return all
}

// recordAttempt puts an attempt on record.
func (s *Server) recordAttempt(t *task, tried admin.Attempt, detail string) {
	r := s.taskRecord("refusal", t)
	r.Identified = identity.ByListener
	r.PolicyDigest = s.rules.Load().policy.Digest()
	r.Method, r.Host = strings.ToUpper(tried.Protocol), tried.To
	if tried.Protocol == admin.ProtocolUnix {
		r.Host, r.Path = "", tried.To
	}
	r.Code, r.Count, r.Detail = string(BypassAttempted), int64(tried.Count), detail

	s.metrics.alerts.WithLabelValues("", r.Code).Inc()
	s.opt.Log.Warn().Str("task", r.Task).Str("agent", r.Agent).Str("protocol", tried.Protocol).Str("to", tried.To).
		Str("code", r.Code).Msg("a program tried to go around Byline")
	s.log.Append(r)
}

// recordFurtherAttempts records, at the end of a task, what was counted.
func (s *Server) recordFurtherAttempts(t *task) {
	for _, tried := range t.attempts.close() {
		s.recordAttempt(t, tried, fmt.Sprintf("%d further attempts until the end of the task", tried.Count))
	}
}

// activeTask returns the task for a request of the control API.
func (s *Server) activeTask(id string) (*task, error) {
	t := s.task(id)
	if t == nil {
		return nil, noTask(id)
	}
	if err := t.Active(); err != nil {
		return nil, &admin.Problem{Status: http.StatusConflict, Code: string(TaskEnded), Detail: err.Error(), Remedy: "create a new task"}
	}
	return t, nil
}

// controlResolve answers a question for a host, as a name server inside an isolated
// program's network asks it. A name that leads nowhere is on record.
func (s *Server) controlResolve(_ context.Context, id string, q admin.NameQuestion) (admin.NameAnswer, error) {
	t, err := s.activeTask(id)
	if err != nil {
		return admin.NameAnswer{}, err
	}
	set := s.rules.Load()
	answer := admin.NameAnswer{Ports: set.ports()}
	name := strings.ToLower(strings.TrimSuffix(q.Name, "."))
	if name == "" {
		return answer, nil
	}
	if len(name) > maxNameLength {
		return answer, s.problem(errors.New("the name is too long"), "bad_name", "byline run --isolate sends it in the right form")
	}

	answer.Known = set.knowsName(name)
	if !answer.Known && !q.Quiet {
		tried := admin.Attempt{Protocol: admin.ProtocolDNS, To: name, Count: 1}
		if t.attempts.add(tried) {
			s.recordAttempt(t, tried, "")
		}
	}
	return answer, nil
}

// controlRecordAttempts records what a program tried without Byline.
func (s *Server) controlRecordAttempts(_ context.Context, id string, report admin.Attempts) (admin.Attempts, error) {
	t, err := s.activeTask(id)
	if err != nil {
		return admin.Attempts{}, err
	}
	for i, tried := range report.Attempts {
		if err := checkAttempt(tried); err != nil {
			return admin.Attempts{}, s.problem(fmt.Errorf("attempts[%d]: %w", i, err), "bad_attempt", "byline run --isolate sends them in the right form")
		}
	}
	for _, tried := range report.Attempts {
		if t.attempts.add(tried) {
			s.recordAttempt(t, tried, "")
		}
	}
	return report, nil
}

func checkAttempt(tried admin.Attempt) error {
	if tried.Count < 1 {
		return errors.New("count is less than 1")
	}
	switch tried.Protocol {
	case admin.ProtocolTCP, admin.ProtocolUDP:
		if _, err := netip.ParseAddrPort(tried.To); err != nil {
			return errors.New("to is not ADDRESS:PORT")
		}
	case admin.ProtocolUnix:
		if tried.To == "" || names.Unreadable(tried.To) != "" || len(tried.To) > 256 {
			return errors.New("to is not a path")
		}
	default:
		return errors.New("protocol is not tcp, udp or unix")
	}
	return nil
}

// knowsName reports whether an adapter or pass_through names the host, on any port.
func (r *rules) knowsName(host string) bool {
	for _, a := range r.adapters.All() {
		if slices.ContainsFunc(a.Hosts(), func(pattern string) bool { return matchesName(pattern, host) }) {
			return true
		}
	}
	return slices.ContainsFunc(r.pass, func(pattern string) bool { return matchesName(pattern, host) })
}

// matchesName reports whether host or *.suffix, with or without a port, is the host.
func matchesName(pattern, host string) bool {
	want, _ := wire.SplitAuthority(pattern)
	suffix, wild := strings.CutPrefix(want, "*")
	if wild {
		return strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix) && len(host) > len(suffix)
	}
	return strings.EqualFold(want, host)
}

// ports returns the ports at which hosts of adapters and pass_through are reached.
func (r *rules) ports() []int {
	ports := []int{80, 443}
	add := func(authority string) {
		_, port := wire.SplitAuthority(authority)
		if n, err := strconv.Atoi(port); err == nil {
			ports = append(ports, n)
		}
	}
	for _, a := range r.adapters.All() {
		for _, h := range a.Hosts() {
			add(h)
		}
	}
	for _, pattern := range r.pass {
		add(pattern)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
