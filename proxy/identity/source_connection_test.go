package identity

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func peer(uid uint32) Evidence {
	return Evidence{Peer: func() (uint32, bool) { return uid, true }}
}

func TestListenerSourceContract(t *testing.T) {
	testSource(t, sourceContract{
		open:  func(r *Registry) Source { return listenerSource{tokenSource{r}} },
		prove: func(task *Task, _ Token) Evidence { return Evidence{Listener: task} },
		foreign: []Evidence{
			{RemoteAddr: "127.0.0.1:4711"},
			peer(0),
			bearer(newToken()),
		},
	})
}

// binder binds each task that it is asked for to connections of its own, once.
type binder struct {
	mu    sync.Mutex
	tasks []*Task
}

// bind returns the number of the task, which bound makes a binding of.
func (b *binder) bind(r *Registry, task *Task, bound func(n int) Binding) int {
	b.mu.Lock()
	defer b.mu.Unlock()

	n := slices.Index(b.tasks, task)
	if n < 0 {
		n = len(b.tasks)
		b.tasks = append(b.tasks, task)
		if err := r.bindings.add(bound(n), task); err != nil {
			panic(err)
		}
	}
	return n
}

func TestPeerSourceContract(t *testing.T) {
	var r *Registry
	var b binder
	testSource(t, sourceContract{
		open: func(opened *Registry) Source { r = opened; return peerSource{r} },
		prove: func(task *Task, _ Token) Evidence {
			return peer(uint32(b.bind(r, task, func(n int) Binding { uid := uint32(n); return Binding{UID: &uid} })))
		},
		foreign: []Evidence{
			peer(4_000_000),
			{Peer: func() (uint32, bool) { return 0, false }},
			{RemoteAddr: "127.0.0.1:4711"},
		},
	})
}

func TestSubnetSourceContract(t *testing.T) {
	var r *Registry
	var b binder
	address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
	testSource(t, sourceContract{
		open: func(opened *Registry) Source {
			r = opened
			return subnetSource{[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, r}
		},
		prove: func(task *Task, _ Token) Evidence {
			n := b.bind(r, task, func(n int) Binding { return Binding{Subnets: []netip.Prefix{netip.PrefixFrom(address(n), 32)}} })
			return Evidence{RemoteAddr: netip.AddrPortFrom(address(n), 4711).String()}
		},
		foreign: []Evidence{
			{RemoteAddr: "10.0.0.200:4711"},
			{RemoteAddr: "10.0.1.0:4711"},
			{RemoteAddr: "[::1]:4711"},
			{RemoteAddr: "@"},
			peer(0),
		},
	})
}

func bound(s Spec, b Binding) Spec {
	s.Bind = b
	return s
}

func prefix(text string) Binding {
	return Binding{Subnets: []netip.Prefix{netip.MustParsePrefix(text)}}
}

func TestI7ABindingHasOneLivingTask(t *testing.T) {
	r := NewRegistry(Config{TrustedSubnets: []string{"10.0.0.0/8"}})
	defer r.Close()
	uid := uint32(1001)
	both := bound(triage, Binding{UID: &uid, Subnets: prefix("10.1.0.0/16").Subnets})
	first, token := createTask(t, r, both)

	for _, s := range []Spec{bound(triage, Binding{UID: &uid}), bound(triage, prefix("10.1.0.0/16"))} {
		if _, _, err := r.Create(s, time.Now()); !errors.Is(err, ErrBound) || !strings.Contains(err.Error(), first.ID()) {
			t.Errorf("%s: Create returned %v, want ErrBound with the id of the task", s.Bind, err)
		}
	}
	small, _ := createTask(t, r, bound(triage, prefix("10.1.2.0/24")))

	for _, c := range []struct {
		evidence Evidence
		want     *Task
		by       string
	}{
		{peer(1001), first, ByPeer},
		{Evidence{RemoteAddr: "10.1.3.1:1"}, first, BySubnet},
		{Evidence{RemoteAddr: "[::ffff:10.1.2.3]:1"}, small, BySubnet},
		{Evidence{Listener: small, RemoteAddr: "10.1.3.1:1"}, small, ByListener},
		{Evidence{ProxyAuthorization: bearer(token).ProxyAuthorization, RemoteAddr: "10.1.2.3:1"}, first, ByToken},
	} {
		got, by, err := r.Authenticate(t.Context(), c.evidence)
		if err != nil || got != c.want || by != c.by {
			t.Errorf("%+v: Authenticate returned %v, %q, %v; want %s by %s", c.evidence, got, by, err, c.want.ID(), c.by)
		}
	}

	foreign := Evidence{Listener: small, ProxyAuthorization: bearer(token).ProxyAuthorization}
	if got, _, err := r.Authenticate(t.Context(), foreign); !errors.Is(err, ErrUnknown) {
		t.Errorf("a token of another task than the listener's: Authenticate returned %v, %v; want ErrUnknown", got, err)
	}

	r.End(first.ID(), "done")
	if _, _, err := r.Authenticate(t.Context(), peer(1001)); !errors.Is(err, ErrEnded) {
		t.Errorf("after the end Authenticate returned %v, want ErrEnded", err)
	}
	next, _ := createTask(t, r, bound(triage, Binding{UID: &uid}))
	r.Forget(first)
	if got, _, err := r.Authenticate(t.Context(), peer(1001)); err != nil || got != next {
		t.Errorf("Authenticate returned %v, %v; want the next task", got, err)
	}
}

func TestABindingOutlivesARestart(t *testing.T) {
	uid := uint32(1001)
	before := newTestRegistry(t)
	task, _ := createTask(t, before, bound(triage, Binding{UID: &uid}))

	after := newTestRegistry(t)
	if _, err := after.Restore(task.Doc()); err != nil {
		t.Fatal(err)
	}
	if got, _, err := after.Authenticate(t.Context(), peer(1001)); err != nil || got.ID() != task.ID() {
		t.Errorf("Authenticate returned %v, %v; want task %s", got, err, task.ID())
	}
}

func TestI7OnlyTrustedSubnetsAreBound(t *testing.T) {
	r := NewRegistry(Config{TrustedSubnets: []string{"10.1.0.0/16"}})
	defer r.Close()
	for _, s := range []string{"10.2.0.0/24", "10.0.0.0/8", "0.0.0.0/0", "fd00::/64", "10.1.2.3/24"} {
		if _, _, err := r.Create(bound(triage, prefix(s)), time.Now()); err == nil || !strings.Contains(err.Error(), "bind.subnets") {
			t.Errorf("%s: Create returned %v, want an error about bind.subnets", s, err)
		}
	}
}
