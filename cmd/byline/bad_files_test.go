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
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// badFile is one thing that is wrong with an installation, and what byline serve must say
// about it: all texts of want and the remedy, in any order.
type badFile struct {
	name   string
	edit   edit
	want   []string
	remedy string
}

// TestI10BadFilesAreNamedWithTheirRemedy breaks a copy of a good installation in one way
// after the other and starts a server on it.
func TestI10BadFilesAreNamedWithTheirRemedy(t *testing.T) {
	good, other := initialize(t), initialize(t)
	good.write(t, "adapters.d/wiki.yaml", wikiAdapter)
	good.run(t, "username=agent-01\npassword=canary-secret\n", "vault", "put", "wiki/agent-01")

	for _, group := range [][]badFile{badConfigs, badAdapters, badPolicies, badKeys(other), badCertificates(other), badState} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				h := good.copy(t)
				c.edit(t, h)

				code, out := h.exitCode(t, "serve")
				out = plainLog(t, out)
				if code != 1 {
					t.Errorf("byline serve exits with %d, want 1", code)
				}
				for _, want := range append(c.want, c.remedy, "byline: ") {
					want = h.resolveLine(t, want)
					if !strings.Contains(out, want) {
						t.Errorf("the output lacks %q", want)
					}
				}
				for _, unwanted := range []string{"canary", "goroutine", "byline-check-"} {
					if strings.Contains(out, unwanted) {
						t.Errorf("the output has %q", unwanted)
					}
				}
				if t.Failed() {
					t.Logf("output:\n%s", out)
				}
			})
		}
	}
}

// lineReference matches a reference to a line of byline.yaml in an expected text; see
// resolveLine.
var lineReference = regexp.MustCompile(`byline\.yaml:«([^»]*)»(\+1)?`)

// resolveLine replaces byline.yaml:«text» by byline.yaml and the number of the line that
// begins with text, and «text»+1 by that of the line after it. So tests need not change
// when the reference grows that byline init writes.
func (h *installation) resolveLine(t *testing.T, want string) string {
	t.Helper()
	m := lineReference.FindStringSubmatch(want)
	if m == nil {
		return want
	}

	for i, line := range strings.Split(h.read(t, "byline.yaml"), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), m[1]) {
			number := i + 1
			if m[2] == "+1" {
				number++
			}
			return strings.Replace(want, m[0], fmt.Sprintf("byline.yaml:%d", number), 1)
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

var badConfigs = []badFile{
	{"no configuration", remove("byline.yaml"), []string{"there is no configuration file at"}, "byline init"},
	{"not YAML", appendTo("byline.yaml", "\nlog: [\n"),
		[]string{"byline.yaml:«log: [»+1: did not find expected node content", "1 problem"}, "fix the problems above"},
	{"binary data", write("byline.yaml", "\x00\xff\xfe"),
		[]string{"byline.yaml", "1 problem"}, "fix the problems above"},
	{"an unknown key", appendTo("byline.yaml", "\nlisen: 1\n"),
		[]string{"byline.yaml:«lisen»: lisen: is not a known key"}, "see the reference that byline init writes"},
	{"a duplicate key", appendTo("byline.yaml", "\ndrain: 1s\n"),
		[]string{`mapping key "drain" already defined at line 8`}, "fix the problems above"},
	{"a wrong value", replace("byline.yaml", "level: info", "level: loud"),
		[]string{"byline.yaml:«level: loud»: log.level: \"loud\" is not one of debug, info, warn, error"}, "fix the problems above"},
	{"a folder instead of the file", all(remove("byline.yaml"), makeFolder("byline.yaml")),
		[]string{"is a directory"}, "--config"},
	{"no data folder", remove("data"),
		[]string{"byline.yaml:4: data_dir: ", "no such file or directory"}, "byline init makes it"},
	{"a data folder that others can enter", setMode("data", 0o755),
		[]string{"byline.yaml:4: data_dir: ", "mode 0755"}, "chmod 700"},
	{"a file instead of the data folder", all(remove("data"), write("data", "")),
		[]string{"data_dir: ", "is not a directory"}, "byline init makes it"},
	{"a missing TLS certificate", appendTo("byline.yaml", "\ntls: {cert: a.pem, key: b.pem}\n"),
		[]string{"byline.yaml:«tls: {cert: a.pem»: tls: open ", "a.pem"}, "PEM files of one pair"},
	{"a host both intercepted and passed through", replace("byline.yaml", "pass_through: []", "pass_through: [wiki.acme.example]"),
		[]string{"byline.yaml:«pass_through: [wiki»: pass_through: wiki.acme.example belongs to adapter wiki"}, "either intercepted or passed through"},
	{"all files at once", all(
		replace("byline.yaml", "level: info", "level: loud"),
		write("adapters.d/x.yaml", "name: x\nkind: magic\n"),
		write("policies.d/p.cedar", "permit (principal, action, resource);\n"),
		setMode("data/vault.key", 0o644),
		remove("data/audit.key"),
	), []string{
		"byline.yaml:«level: loud»: log.level",
		"adapters.d/x.yaml:2: unknown key",
		"policies.d/p.cedar:1: permit",
		"vault.key is accessible to other users",
		"audit.key: no such file",
		"problems; nothing was started",
	}, "fix the problems above"},
}

var badAdapters = []badFile{
	{"a truncated adapter", write("adapters.d/x.yaml", "name: x\nhosts: ["),
		[]string{"adapters.d/x.yaml:", "not YAML"}, "fix the problems above"},
	{"an adapter with unknown keys and values", write("adapters.d/x.yaml", "name: x\nlogin: {kind: magic}\nfoo: 1\n"),
		[]string{"x.yaml:2: unknown login.kind \"magic\"", "x.yaml:3: unknown key \"foo\"", "x.yaml:1: the adapter has no hosts"}, "(known: basic, bearer, digest, form"},
	{"a host of two adapters", write("adapters.d/two.yaml", strings.Replace(wikiAdapter, "name: wiki", "name: two", 1)),
		[]string{"wiki.acme.example", "wiki.yaml:4"}, "fix the problems above"},
	{"a missing private authority", appendTo("adapters.d/wiki.yaml", "upstream: {ca: nowhere.pem}\n"),
		[]string{"wiki.yaml:5: upstream.ca: open nowhere.pem"}, "fix the problems above"},
	{"a private authority that is not a certificate", func(t *testing.T, h *installation) {
		h.write(t, "ca.pem", "hello")
		appendTo("adapters.d/wiki.yaml", "upstream: {ca: "+h.Path("ca.pem")+"}\n")(t, h)
	},
		[]string{"wiki.yaml:5: upstream.ca: holds no certificate in PEM form"}, "fix the problems above"},
	{"no folder of adapters", remove("adapters.d"),
		[]string{"adapters.dir: there is no folder"}, "create it, or name another one"},
	{"a review date in another format", replace("adapters.d/wiki.yaml", "2099-12-31", "31.12.2099"),
		[]string{"wiki.yaml:3: interim.review_by \"31.12.2099\" is not a day"}, "YYYY-MM-DD"},
}

var badPolicies = []badFile{
	{"a policy that permits", write("policies.d/p.cedar", "permit (principal, action, resource);\n"),
		[]string{"policies.d/p.cedar:1: permit"}, "write forbid"},
	{"a policy that cannot be read", write("policies.d/p.cedar", "\nforbid (principal action);\n"),
		[]string{"policies.d/p.cedar:2: cannot be read"}, "fix the problems above"},
	{"an unknown action", write("policies.d/p.cedar", "forbid (principal, action == Action::\"wiki:page.raed\", resource);\n"),
		[]string{`p.cedar:1: Action::"wiki:page.raed" names no action of wiki`}, "known: "},
	{"no folder of policies", remove("policies.d"),
		[]string{"policy.dir: there is no folder"}, "create it, or name another one"},
}

func badKeys(other *installation) []badFile {
	return []badFile{
		{"no vault key", remove("data/vault.key"),
			[]string{"vault.key_file: ", "no such file"}, "restore the key from a copy"},
		{"a vault key that others can read", setMode("data/vault.key", 0o640),
			[]string{"accessible to other users (mode 0640)"}, "chmod 600"},
		{"a truncated vault key", truncate("data/vault.key", 20),
			[]string{"not a vault key"}, "one line that begins with blk_"},
		{"the vault key of another installation", copyFrom(other, "data/vault.key"),
			[]string{"vault.file: ", "wrong key, or the bytes were changed"}, "restore the vault and its key from the same copy"},
		{"a truncated vault", truncate("data/vault", 60),
			[]string{"wrong key, or the bytes were changed"}, "restore the vault and its key"},
		{"an empty vault", truncate("data/vault", 0), []string{"not a vault"}, "restore the vault and its key"},
		{"a vault that others can read", setMode("data/vault", 0o604),
			[]string{"accessible to other users (mode 0604)"}, "chmod 600"},
		{"no audit key", remove("data/audit.key"), []string{"audit.key_file: ", "no such file"}, "restore it from a copy"},
		{"an audit key that others can read", setMode("data/audit.key", 0o644),
			[]string{"accessible to other users (mode 0644)"}, "chmod 600"},
		{"a truncated audit key", truncate("data/audit.key", 40),
			[]string{"is not an audit signing key"}, "restore it from a copy"},
		{"a token that others can read", all(write("data/control.token", strings.Repeat("x", 43)), setMode("data/control.token", 0o644)),
			[]string{"control.token_file: ", "mode 0644"}, "chmod 600"},
		{"a token too short", write("data/control.token", "bla_abc"),
			[]string{"control.token_file: ", "no token of 32 characters"}, "remove it and start the server"},
	}
}

func badCertificates(other *installation) []badFile {
	return []badFile{
		{"no authority", remove("data/certs"), []string{"certs.dir: ", "no such file"}, "make it with byline init"},
		{"no root", remove("data/certs/root.crt"),
			[]string{"data/certs/root.crt: no such file"}, "make a root with byline init"},
		{"a root that is not a certificate", write("data/certs/root.crt", "hello"),
			[]string{"data/certs/root.crt: no PEM block"}, "fix the problems above"},
		{"a root key that others can read", all(remove("data/certs/issuing.key"), setMode("data/certs/root.key", 0o640)),
			[]string{"data/certs/root.key is accessible to other users (mode 0640)"}, "chmod 600"},
		{"the root key of another installation", all(remove("data/certs/issuing.key"), copyFrom(other, "data/certs/root.key")),
			[]string{"root.key is not the key of", "root.crt"}, "fix the problems above"},
		{"a truncated root key", all(remove("data/certs/issuing.key"), truncate("data/certs/root.key", 60)),
			[]string{"data/certs/root.key: no PEM block"}, "fix the problems above"},
		{"an offline root key while hosts change", remove("data/certs/root.key"),
			[]string{"the root key is offline and a new issuing authority is needed"}, "byline ca issue --root-key FILE"},
		{"a root that has ended, or a clock that runs ahead", rootFor(-10*365, -1),
			[]string{"the root ended on", "by this machine's clock"}, "set the clock"},
		{"a root that has not begun, or a clock that runs behind", rootFor(2, 365),
			[]string{"the root begins on", "by this machine's clock"}, "set the clock"},
	}
}

var badState = []badFile{
	{"garbage instead of state", write("data/state.db", strings.Repeat("garbage!", 4096)),
		[]string{"state: open ", "state.db"}, "restore a damaged file from a copy"},
	{"truncated state", all(serveOnce, truncate("data/state.db", 9000)),
		[]string{"state: "}, "restore a damaged file from a copy"},
	{"a file instead of the folder of records", write("data/audit", ""),
		[]string{"audit log: ", "not a directory"}, "hint: "},
	{"a changed record", all(serveOnce, editRecord),
		[]string{"audit log: ", "line 2: prev is not the hash of the line before"}, "byline audit verify"},
	{"the audit key of another log", func(t *testing.T, h *installation) {
		serveOnce(t, h)
		h.run(t, "", "init", "--config", "new.yaml", "--data-dir", "new")
		must(t, os.Rename(h.Path("new/audit.key"), h.Path("data/audit.key")))
	}, []string{"audit log: ", "the log was changed or the key is not its own"}, "restore the key"},
}

// editRecord changes the first record of a log of one segment.
func editRecord(t *testing.T, h *installation) {
	t.Helper()
	segments, err := filepath.Glob(h.Path("data/audit/seg-*"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	replace("data/audit/"+filepath.Base(segments[0]), `"kind":"start"`, `"kind":"stort"`)(t, h)
}

// rootFor replaces the root by one that is valid between two days, counted from today.
func rootFor(first, last int) edit {
	return func(t *testing.T, h *installation) {
		t.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		root := &x509.Certificate{
			SerialNumber:          big.NewInt(1),
			Subject:               pkix.Name{CommonName: "old root"},
			NotBefore:             time.Now().AddDate(0, 0, first),
			NotAfter:              time.Now().AddDate(0, 0, last),
			IsCA:                  true,
			BasicConstraintsValid: true,
			KeyUsage:              x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
		must(t, err)
		private, err := x509.MarshalPKCS8PrivateKey(key)
		must(t, err)

		h.write(t, "data/certs/root.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		h.write(t, "data/certs/root.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	}
}
