package adapters

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
)

// Adapter is what is known about one application, compiled. It is immutable and safe for concurrent use.
type Adapter struct {
	spec    Spec
	digest  string
	overdue time.Time // when the adapter is overdue for review; zero: never, as in the library
	rules   *ruleSet

	loginFields  []string      // into which the login puts a secret
	loginHeaders []string      // header fields into which a step of the login puts a secret
	loginCookies []string      // patterns of the cookies by which a login is known to have succeeded
	sessionNames []string      // under which the login takes and gives values
	passedPaths  []pathPattern // in which no segment is taken for a credential
	position     func(key string) string

	requestNames treatmentCache // what happens to request fields of a name
	answerNames  treatmentCache // what happens to answer fields of a name
}

// Field is one header field. The packages of the pipeline share this unnamed type, so that values pass between them
// without an import.
type Field = struct{ Name, Value string }

// fieldValue returns the value of the first field of that name, in any case, and "" if there is none.
func fieldValue(fields []Field, name string) string {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return ""
}

// Cookie is one cookie that the agent sends and that the session knows nothing of.
type Cookie = struct{ Name, Value string }

// Name is the adapter's name.
func (a *Adapter) Name() string { return a.spec.Name }

// Digest is "sha256:" and the hex SHA-256 of the effective adapter, after inheritance, in canonical JSON with sorted
// keys. Comments and layout of the file do not change it.
func (a *Adapter) Digest() string { return a.digest }

// Hosts are the host patterns, in lower case. The caller must not change the slice.
func (a *Adapter) Hosts() []string { return a.spec.Hosts }

// Interim says why the adapter exists and until when. It is zero for an adapter of the library.
func (a *Adapter) Interim() Interim { return a.spec.Interim }

// Upstream says where and how to connect. The zero value connects to what the agent named.
func (a *Adapter) Upstream() Upstream { return a.spec.Upstream }

// Overdue reports whether the day of review has passed, in UTC.
func (a *Adapter) Overdue(now time.Time) bool { return !a.overdue.IsZero() && !now.Before(a.overdue) }

// Actions lists the actions in the order in which they are tried. The caller must not change the slice.
func (a *Adapter) Actions() []ActionSpec { return a.spec.Actions }

// NamedAction is the name of an action, of requests or of messages.
type NamedAction struct {
	Name       string
	Privileged bool
	Login      bool
}

// NamedActions lists what scopes can name: each action, followed by those of its messages. A name may come several
// times.
func (a *Adapter) NamedActions() []NamedAction {
	var all []NamedAction
	for i := range a.spec.Actions {
		spec := &a.spec.Actions[i]
		all = append(all, NamedAction{Name: spec.Name, Privileged: spec.Privileged, Login: spec.Login})
		for _, m := range spec.Messages {
			all = append(all, NamedAction{Name: m.Name, Privileged: m.Privileged})
		}
	}
	return all
}

// Spec is the effective adapter, after inheritance. The caller must not change what it refers to.
func (a *Adapter) Spec() Spec { return a.spec }

// Position is the file and the line, as file:line, of a key like upstream.ca, or of the nearest key above it that the
// adapter's own file has. It is for callers that find a problem which the file alone does not show.
func (a *Adapter) Position(key string) string { return a.position(key) }

// digestOf hashes the canonical JSON: fields in the order of the structs, map keys as encoding/json sorts them.
func digestOf(spec *Spec) (string, error) {
	canonical, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// serves reports whether an authority is one of the adapter's own hosts.
func (a *Adapter) serves(authority string) bool {
	host, port := splitAuthority(authority)
	for _, pattern := range a.spec.Hosts {
		name, onlyPort := splitAuthority(pattern)
		if onlyPort != "" && onlyPort != port {
			continue
		}
		if name == host || strings.HasPrefix(name, "*.") && strings.HasSuffix(host, name[1:]) {
			return true
		}
	}
	return false
}

// servesLogin reports whether a login may go to an authority besides the adapter's own hosts.
func (a *Adapter) servesLogin(authority string) bool {
	for _, host := range a.spec.Login.Hosts {
		if strings.EqualFold(host, authority) {
			return true
		}
	}
	return false
}
