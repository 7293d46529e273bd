package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/demo"
)

// bad is one thing that is wrong with an installation, and what the program
// must say about it: lines that hold these texts, in any order, and a remedy
// in one of them or in the hint.
type bad struct {
	name   string
	spoil  func(*testing.T, *installation)
	want   []string
	remedy string
}

// TestI10BadFilesAreNamedWithTheirRemedy spoils one file of a good
// installation after the other and starts a server on it.
func TestI10BadFilesAreNamedWithTheirRemedy(t *testing.T) {
	good, other := initialized(t), initialized(t)
	good.write(t, "adapters.d/wiki.yaml", wikiAdapter)
	if _, err := good.Run(t.Context(), "username=agent-01\npassword=canary-secret\n", "vault", "put", "wiki/agent-01"); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]bad{badConfigs, badAdapters, badPolicies, badKeys(other), badCertificates(other), badState} {
		for _, c := range c {
			t.Run(c.name, func(t *testing.T) {
				h := good.copied(t)
				c.spoil(t, h)
				code, out := h.exit(t, "serve")
				if code != 1 {
					t.Errorf("exit code %d, want 1", code)
				}
				for _, want := range append(c.want, c.remedy, "byline: ") {
					want = h.lined(t, want)
					if !strings.Contains(out, want) {
						t.Errorf("%q is missing", want)
					}
				}
				if strings.Contains(out, "canary") || strings.Contains(out, "goroutine") || strings.Contains(out, "byline-check-") {
					t.Error("it holds what it must not")
				}
				if t.Failed() {
					t.Logf("it says:\n%s", out)
				}
			})
		}
	}
}

var namedLine = regexp.MustCompile(`byline\.yaml:«([^»]*)»(\+1)?`)

// lined writes the number of the line that begins with a text for byline.yaml:«text»,
// or of the one after it for «text»+1: the reference that init writes may grow.
func (h *installation) lined(t *testing.T, want string) string {
	m := namedLine.FindStringSubmatch(want)
	if m == nil {
		return want
	}
	text, err := os.ReadFile(h.Path("byline.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), m[1]) {
			return strings.Replace(want, m[0], fmt.Sprintf("byline.yaml:%d", i+1+len(m[2])/2), 1)
		}
	}
	t.Fatalf("no line of byline.yaml begins with %q", m[1])
	return ""
}

const wikiAdapter = `name: wiki
extends: mediawiki
interim: {reason: test, owner: secops@acme.example, review_by: 2099-12-31}
hosts: [wiki.acme.example]
`

var badConfigs = []bad{
	{"no configuration", gone("byline.yaml"), []string{"there is no configuration file at"}, "byline init"},
	{"not YAML", adding("byline.yaml", "\nlog: [\n"), []string{"byline.yaml:«log: [»+1: did not find expected node content", "1 problem"}, "fix the problems above"},
	{"not text", writing("byline.yaml", "\x00\xff\xfe"), []string{"byline.yaml", "1 problem"}, "fix the problems above"},
	{"an unknown key", adding("byline.yaml", "\nlisen: 1\n"), []string{"byline.yaml:«lisen»: lisen: is not a known key"}, "see the reference that byline init writes"},
	{"a key twice", adding("byline.yaml", "\ndrain: 1s\n"), []string{`mapping key "drain" already defined at line 7`}, "fix the problems above"},
	{"a wrong value", replacing("byline.yaml", "level: info", "level: loud"), []string{"byline.yaml:«level: loud»: log.level: \"loud\" is not one of debug, info, warn, error"}, "fix the problems above"},
	{"a folder in its place", func(t *testing.T, h *installation) { gone("byline.yaml")(t, h); h.mkdir(t, "byline.yaml") }, []string{"is a directory"}, "--config"},
	{"no data folder", gone("data"), []string{"byline.yaml:4: data_dir: ", "no such file or directory"}, "byline init makes it"},
	{"a data folder that others enter", mode("data", 0o755), []string{"byline.yaml:4: data_dir: ", "mode 0755"}, "chmod 700"},
	{"a file as data folder", func(t *testing.T, h *installation) { gone("data")(t, h); writing("data", "")(t, h) }, []string{"data_dir: ", "is not a directory"}, "byline init makes it"},
	{"a TLS certificate that is not there", adding("byline.yaml", "\ntls: {cert: a.pem, key: b.pem}\n"), []string{"byline.yaml:«tls: {cert: a.pem»: tls: open ", "a.pem"}, "PEM files of one pair"},
	{"a host both intercepted and passed through", replacing("byline.yaml", "pass_through: []", "pass_through: [wiki.acme.example]"), []string{"byline.yaml:«pass_through: [wiki»: pass_through: wiki.acme.example belongs to adapter wiki"}, "either intercepted or passed through"},
	{"all files at once", func(t *testing.T, h *installation) {
		replacing("byline.yaml", "level: info", "level: loud")(t, h)
		writing("adapters.d/x.yaml", "name: x\nkind: magic\n")(t, h)
		writing("policies.d/p.cedar", "permit (principal, action, resource);\n")(t, h)
		mode("data/vault.key", 0o644)(t, h)
		gone("data/audit.key")(t, h)
	}, []string{"byline.yaml:«level: loud»: log.level", "adapters.d/x.yaml:2: unknown key", "policies.d/p.cedar:1: permit", "vault.key is accessible to other users", "audit.key: no such file", "problems; nothing was started"}, "fix the problems above"},
}

var badAdapters = []bad{
	{"an adapter cut short", writing("adapters.d/x.yaml", "name: x\nhosts: ["), []string{"adapters.d/x.yaml:", "not YAML"}, "fix the problems above"},
	{"an adapter with unknown keys and values", writing("adapters.d/x.yaml", "name: x\nlogin: {kind: magic}\nfoo: 1\n"),
		[]string{"x.yaml:2: unknown login.kind \"magic\"", "x.yaml:3: unknown key \"foo\"", "x.yaml:1: the adapter has no hosts"}, "(known: basic, bearer, digest, form"},
	{"a host of two adapters", writing("adapters.d/two.yaml", strings.Replace(wikiAdapter, "name: wiki", "name: two", 1)), []string{"wiki.acme.example", "wiki.yaml:4"}, "fix the problems above"},
	{"a private authority that is not there", adding("adapters.d/wiki.yaml", "upstream: {ca: nowhere.pem}\n"), []string{"wiki.yaml:5: upstream.ca: open nowhere.pem"}, "fix the problems above"},
	{"a private authority that is none", func(t *testing.T, h *installation) {
		writing("ca.pem", "hello")(t, h)
		adding("adapters.d/wiki.yaml", "upstream: {ca: "+h.Path("ca.pem")+"}\n")(t, h)
	}, []string{"wiki.yaml:5: upstream.ca: holds no certificate in PEM form"}, "fix the problems above"},
	{"no folder of adapters", gone("adapters.d"), []string{"adapters.dir: there is no folder"}, "create it, or name another one"},
	{"a review long overdue", func(t *testing.T, h *installation) {
		replacing("adapters.d/wiki.yaml", "2099-12-31", "31.12.2099")(t, h)
	}, []string{"wiki.yaml:3: interim.review_by \"31.12.2099\" is not a day"}, "YYYY-MM-DD"},
}

var badPolicies = []bad{
	{"a policy that permits", writing("policies.d/p.cedar", "permit (principal, action, resource);\n"), []string{"policies.d/p.cedar:1: permit"}, "write forbid"},
	{"a policy that cannot be read", writing("policies.d/p.cedar", "\nforbid (principal action);\n"), []string{"policies.d/p.cedar:2: cannot be read"}, "fix the problems above"},
	{"an action that there is not", writing("policies.d/p.cedar", "forbid (principal, action == Action::\"wiki:page.raed\", resource);\n"), []string{`p.cedar:1: Action::"wiki:page.raed" names no action of wiki`}, "known: "},
	{"no folder of policies", gone("policies.d"), []string{"policy.dir: there is no folder"}, "create it, or name another one"},
}

func badKeys(other *installation) []bad {
	return []bad{
		{"no vault key", gone("data/vault.key"), []string{"vault.key_file: ", "no such file"}, "restore the key from a copy"},
		{"a vault key that others read", mode("data/vault.key", 0o640), []string{"accessible to other users (mode 0640)"}, "chmod 600"},
		{"a vault key cut short", cut("data/vault.key", 20), []string{"not a vault key"}, "one line that begins with blk_"},
		{"the vault key of another", from(other, "data/vault.key"), []string{"vault.file: ", "wrong key, or the bytes were changed"}, "restore the vault and its key from the same copy"},
		{"a vault cut short", cut("data/vault", 60), []string{"wrong key, or the bytes were changed"}, "restore the vault and its key"},
		{"an empty vault", cut("data/vault", 0), []string{"not a vault"}, "restore the vault and its key"},
		{"a vault that others read", mode("data/vault", 0o604), []string{"accessible to other users (mode 0604)"}, "chmod 600"},
		{"no audit key", gone("data/audit.key"), []string{"audit.key_file: ", "no such file"}, "restore it from a copy"},
		{"an audit key that others read", mode("data/audit.key", 0o644), []string{"may be read by others (mode 0644)"}, "chmod 600"},
		{"an audit key cut short", cut("data/audit.key", 40), []string{"is not an audit signing key"}, "restore it from a copy"},
		{"a token that others read", func(t *testing.T, h *installation) {
			writing("data/control.token", strings.Repeat("x", 43))(t, h)
			mode("data/control.token", 0o644)(t, h)
		}, []string{"control.token_file: ", "mode 0644"}, "chmod 600"},
		{"a token too short", writing("data/control.token", "bla_abc"), []string{"control.token_file: ", "no token of 32 characters"}, "remove it and start the server"},
	}
}

func badCertificates(other *installation) []bad {
	return []bad{
		{"no authority", gone("data/certs"), []string{"certs.dir: ", "no such file"}, "make it with byline init"},
		{"no root", gone("data/certs/root.crt"), []string{"data/certs/root.crt: no such file"}, "make a root with byline init"},
		{"a root that is none", writing("data/certs/root.crt", "hello"), []string{"data/certs/root.crt: no PEM block"}, "fix the problems above"},
		{"a root key that others read", func(t *testing.T, h *installation) {
			gone("data/certs/issuing.key")(t, h)
			mode("data/certs/root.key", 0o640)(t, h)
		}, []string{"data/certs/root.key is accessible to other users (mode 0640)"}, "chmod 600"},
		{"the root key of another", func(t *testing.T, h *installation) {
			gone("data/certs/issuing.key")(t, h)
			from(other, "data/certs/root.key")(t, h)
		}, []string{"root.key is not the key of", "root.crt"}, "fix the problems above"},
		{"a root key cut short", func(t *testing.T, h *installation) {
			gone("data/certs/issuing.key")(t, h)
			cut("data/certs/root.key", 60)(t, h)
		}, []string{"data/certs/root.key: no PEM block"}, "fix the problems above"},
		{"a root key offline while hosts change", gone("data/certs/root.key"), []string{"the root key is offline and a new issuing authority is needed"}, "byline ca issue --root-key FILE"},
		{"a root that has ended, or a clock that runs ahead", rootFor(-10*365, -1), []string{"the root ended on", "by this machine's clock"}, "set the clock"},
		{"a root that has not begun, or a clock that runs behind", rootFor(2, 365), []string{"the root begins on", "by this machine's clock"}, "set the clock"},
	}
}

var badState = []bad{
	{"state that is none", writing("data/state.db", strings.Repeat("garbage!", 4096)), []string{"state: open ", "state.db"}, "restore a damaged file from a copy"},
	{"state cut short", func(t *testing.T, h *installation) { served(t, h); cut("data/state.db", 9000)(t, h) }, []string{"state: "}, "restore a damaged file from a copy"},
	{"a file as folder of records", writing("data/audit", ""), []string{"audit log: ", "not a directory"}, "hint: "},
	{"a record that was changed", func(t *testing.T, h *installation) { served(t, h); edited(t, h) }, []string{"audit log: ", "line 2: prev is not the hash of the line before"}, "byline audit verify"},
	{"the audit key of another log", func(t *testing.T, h *installation) {
		served(t, h)
		if out, err := h.Run(t.Context(), "", "init", "--config", "new.yaml", "--data-dir", "new"); err != nil {
			t.Fatal(err, out)
		}
		if err := os.Rename(h.Path("new/audit.key"), h.Path("data/audit.key")); err != nil {
			t.Fatal(err)
		}
	}, []string{"audit log: ", "the log was changed or the key is not its own"}, "restore the key"},
}

// served lets a server run on h once, so that it has state and records.
func served(t *testing.T, h *installation) {
	t.Helper()
	if err := h.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
}

func edited(t *testing.T, h *installation) {
	t.Helper()
	segments, err := filepath.Glob(h.Path("data/audit/seg-*"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	replacing("data/audit/"+filepath.Base(segments[0]), `"kind":"start"`, `"kind":"stort"`)(t, h)
}

// What may happen to a file.

type spoil = func(*testing.T, *installation)

func gone(name string) spoil {
	return func(t *testing.T, h *installation) { must(t, os.RemoveAll(h.Path(name))) }
}

func mode(name string, m os.FileMode) spoil {
	return func(t *testing.T, h *installation) { must(t, os.Chmod(h.Path(name), m)) }
}

func cut(name string, size int64) spoil {
	return func(t *testing.T, h *installation) { must(t, os.Truncate(h.Path(name), size)) }
}

func writing(name, text string) spoil {
	return func(t *testing.T, h *installation) { h.write(t, name, text) }
}

func adding(name, text string) spoil {
	return func(t *testing.T, h *installation) { h.write(t, name, h.read(t, name)+text) }
}

func replacing(name, from, to string) spoil {
	return func(t *testing.T, h *installation) {
		text := h.read(t, name)
		if strings.Count(text, from) != 1 {
			t.Fatalf("%s does not hold %q once", name, from)
		}
		h.write(t, name, strings.Replace(text, from, to, 1))
	}
}

func from(other *installation, name string) spoil {
	return func(t *testing.T, h *installation) { h.write(t, name, other.read(t, name)) }
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *installation) write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.WriteFile(h.Path(name), []byte(text), 0o600))
}

func (h *installation) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(h.Path(name))
	must(t, err)
	return string(text)
}

func (h *installation) mkdir(t *testing.T, name string) {
	t.Helper()
	must(t, os.Mkdir(h.Path(name), 0o700))
}

// copied is an installation like h elsewhere, on ports of its own.
func (h *installation) copied(t *testing.T) *installation {
	t.Helper()
	c := newInstallation(filepath.Join(t.TempDir(), "copy"), h.Program, nil)
	must(t, os.CopyFS(c.Dir, os.DirFS(h.Dir)))
	// CopyFS gives away what umask allows: the modes are copied after it.
	must(t, filepath.WalkDir(h.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(c.Path(strings.TrimPrefix(path, h.Dir)), st.Mode().Perm())
	}))
	ports, err := demo.FreePorts(2)
	must(t, err)
	text := regexp.MustCompile(`127\.0\.0\.1:8080`).ReplaceAllString(c.read(t, "byline.yaml"), "127.0.0.1:"+ports[0])
	c.write(t, "byline.yaml", strings.ReplaceAll(text, "127.0.0.1:8081", "127.0.0.1:"+ports[1]))
	return c
}

// exit runs a command and returns its exit code and all that it wrote.
func (h *installation) exit(t *testing.T, args ...string) (int, string) {
	t.Helper()
	cmd := h.Command(t.Context(), args...)
	out, err := cmd.CombinedOutput()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// rootFor puts a root in place that lasts from one day to another, counted from
// today.
func rootFor(first, last int) spoil {
	return func(t *testing.T, h *installation) {
		putRoot(t, h, time.Now().AddDate(0, 0, first), time.Now().AddDate(0, 0, last))
	}
}

func putRoot(t *testing.T, h *installation, first, last time.Time) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "old root"}, NotBefore: first, NotAfter: last,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	h.write(t, "data/certs/root.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	h.write(t, "data/certs/root.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}
