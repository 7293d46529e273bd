package adapters

import (
	"strings"
	"sync/atomic"
)

// verdictOn says what happens to one request header.
type verdictOn uint8

const (
	passes verdictOn = iota
	borrowed
	isCookie
	isReferer
	isSubprotocol
	ifHarmless // its value decides
)

// verdicts keeps what was said about the names that came last, so that the words of a credential are looked for once
// in each name. It is a cache of fixed size: agents choose the names. The zero value is empty.
type verdicts [128]atomic.Pointer[verdictOnName]

type verdictOnName struct {
	name string
	says verdictOn
}

func (v *verdicts) of(name string, judge func(string) verdictOn) verdictOn {
	if name == "" {
		return judge(name)
	}
	slot := &v[(len(name)*31+int(name[0])*7+int(name[len(name)/2])*3+int(name[len(name)-1]))%len(v)]
	if k := slot.Load(); k != nil && k.name == name {
		return k.says
	}
	says := judge(name)
	if len(name) <= 64 {
		slot.Store(&verdictOnName{strings.Clone(name), says}) // name is a part of a whole head
	}
	return says
}

// Strip appends to dst what of the agent's fields may go on, in order, and returns the cookies that may and everything
// that was left behind. It builds; in is never edited and may be shared. A field goes on only when it carries no
// credential by its name (headers.strip and the built-in list, unless headers.pass names it) and by its value
// (Bearer, Basic, Digest, Negotiate, a JWT). headers.strip wins over headers.pass; Cookie can not be passed as a header.
// Without cookies and credentials it does not allocate beyond dst.
func (a *Adapter) Strip(dst []Field, in []Field) (out []Field, agentCookies []Cookie, left []Borrowed) {
	for i := range in {
		f := &in[i]
		switch a.judge(f.Name, f.Value) {
		case passes:
			dst = append(dst, *f)
		case isReferer:
			clean, gone := a.cleanReferer(f.Value)
			dst, left = append(dst, Field{Name: f.Name, Value: clean}), append(left, gone...)
		case isSubprotocol:
			clean, gone := cleanSubprotocols(f.Value)
			if left = append(left, gone...); clean != "" {
				dst = append(dst, Field{Name: f.Name, Value: clean})
			}
		case isCookie:
			agentCookies, left = a.sortCookies(agentCookies, left, f.Value)
		default:
			left = append(left, Borrowed{In: "header", Name: f.Name, Value: NewSecret(f.Value), Session: a.sessionHeader(f)})
		}
	}
	return dst, agentCookies, left
}

// judge says what happens to a field. What its name alone says is looked up.
func (a *Adapter) judge(name, value string) verdictOn {
	v := a.requestNames.of(name, a.judgeName)
	switch {
	case v != ifHarmless:
		return v
	case carriesCredential(value):
		return borrowed
	}
	return passes
}
