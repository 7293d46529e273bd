package redact_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.yaml.in/yaml/v4"

	"github.com/byline-proxy/byline/proxy/admin"
	"github.com/byline-proxy/byline/proxy/identity"
	"github.com/byline-proxy/byline/proxy/internal/redact"
	"github.com/byline-proxy/byline/proxy/vault"
)

const secretText = "canary-9f2b7c-canary-9f2b7c-canary-9f2b7c"

// hidden is one value of a type that must not print, with the text it hides.
type hidden struct {
	name  string
	value any // of the type itself, not a pointer
	text  string
}

// hiddenValues has one value of each type of this module that prints as REDACTED.
func hiddenValues(t *testing.T) []hidden {
	t.Helper()
	dir := t.TempDir()

	key := vault.GenerateKey()
	keyPath := filepath.Join(dir, "vault.key")
	if err := vault.WriteKey(keyPath, key); err != nil {
		t.Fatal(err)
	}
	keyText, err := os.ReadFile(keyPath)
	if err != nil {
		t.Fatal(err)
	}

	tasks := identity.NewRegistry(identity.Config{})
	t.Cleanup(tasks.Close)
	_, taskToken, err := tasks.Create(identity.Spec{
		Agent: "a", Sponsor: "s", Purpose: "p",
		Scope: []identity.ScopeEntry{{Adapter: "wiki", Actions: []string{"page.read"}}},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	adminToken, err := admin.MakeToken(filepath.Join(dir, "control.token"))
	if err != nil {
		t.Fatal(err)
	}

	return []hidden{
		{"redact.Value", redact.New(secretText), secretText},
		{"vault.Secret", vault.NewSecret(map[string]string{"password": secretText}), secretText},
		{"vault.Key", key, strings.TrimPrefix(strings.TrimSpace(string(keyText)), "blk_")},
		{"identity.Token", taskToken, strings.TrimPrefix(taskToken.Reveal(), "blt_")},
		{"admin.Token", adminToken, strings.TrimPrefix(adminToken.Reveal(), "bla_")},
	}
}

// inContexts returns v as callers print it: itself, behind a pointer, and inside
// structs, slices, maps and errors, also in fields where package fmt calls no
// methods.
func inContexts[T any](v T) []any {
	type inside struct {
		Open   any
		closed any
		value  T
		ptr    *T
	}
	return []any{
		v, &v, []T{v}, map[string]T{"a": v},
		inside{Open: v, closed: v, value: v, ptr: &v}, &inside{Open: &v, closed: &v},
		fmt.Errorf("login: %v", v),
	}
}

// contexts is inContexts for a type that is known at run time only.
func contexts(t *testing.T, v any) []any {
	t.Helper()
	switch v := v.(type) {
	case redact.Value[string]:
		return inContexts(v)
	case vault.Secret:
		return inContexts(v)
	case vault.Key:
		return inContexts(v)
	case identity.Token:
		return inContexts(v)
	case admin.Token:
		return inContexts(v)
	}
	t.Fatalf("contexts does not know %T", v)
	return nil
}

// outputs returns v as every printer shows it, by printer.
func outputs(v any) map[string]string {
	out := map[string]string{"Sprint": fmt.Sprint(v), "Sprintln": fmt.Sprintln(v)}
	for _, verb := range strings.Fields("v +v #v s q +q #q x X # d t c b o O e E f F g G p T U w") {
		out["%"+verb] = fmt.Sprintf("%"+verb, v)
	}

	marshaled := func(b []byte, err error) string {
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	out["JSON"] = marshaled(json.Marshal(v))
	out["YAML"] = marshaled(yaml.Dump(v))
	out["XML"] = marshaled(xml.Marshal(v))
	var asGob bytes.Buffer
	err := gob.NewEncoder(&asGob).Encode(v)
	out["gob"] = marshaled(asGob.Bytes(), err)

	var log bytes.Buffer
	z := zerolog.New(&log)
	z.Info().Interface("a", v).Any("b", v).Str("c", fmt.Sprint(v)).Fields(map[string]any{"d": v}).Msgf("%v", v)
	out["zerolog"] = log.String()
	log.Reset()
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
	out["slog"] = log.String()
	return out
}

func TestI1SecretsNeverPrint(t *testing.T) {
	for _, h := range hiddenValues(t) {
		t.Run(h.name, func(t *testing.T) {
			decimal := strings.Trim(fmt.Sprint([]byte(h.text)), "[]")
			for _, v := range contexts(t, h.value) {
				for printer, out := range outputs(v) {
					for _, form := range []string{h.text, fmt.Sprintf("%x", h.text), fmt.Sprintf("%X", h.text), decimal} {
						if strings.Contains(out, form) {
							t.Errorf("%s of %T shows the secret: %s", printer, v, out)
						}
					}
				}
			}
		})
	}
}

func TestI1SecretsPrintAsRedacted(t *testing.T) {
	for _, h := range hiddenValues(t) {
		for _, v := range []any{h.value, pointerTo(h.value)} {
			out := outputs(v)
			for printer, want := range map[string]string{
				"%v": "REDACTED", "%+v": "REDACTED", "%#v": "REDACTED", "%s": "REDACTED", "%q": "REDACTED", "%x": "REDACTED", "%d": "REDACTED",
				"Sprintln": "REDACTED\n",
				"JSON":     `"REDACTED"`,
				"YAML":     "REDACTED\n",
			} {
				if out[printer] != want {
					t.Errorf("%s of %s prints %q, want %q", printer, h.name, out[printer], want)
				}
			}
			for _, log := range []string{"zerolog", "slog"} {
				if !strings.Contains(out[log], "REDACTED") {
					t.Errorf("%s of %s prints %q, want REDACTED in it", log, h.name, out[log])
				}
			}
		}
	}
}

func pointerTo(v any) any {
	p := reflect.New(reflect.TypeOf(v))
	p.Elem().Set(reflect.ValueOf(v))
	return p.Interface()
}

func TestRevealReturnsWhatNewTook(t *testing.T) {
	if got := redact.Reveal(redact.New("x")); got != "x" {
		t.Errorf("Reveal returned %q, want x", got)
	}
	var zero redact.Value[string]
	if got := redact.Reveal(zero); got != "" || redact.IsSet(zero) || !redact.IsSet(redact.New("")) {
		t.Errorf("the zero Value holds %q and IsSet %v", got, redact.IsSet(zero))
	}
}
