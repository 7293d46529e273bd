package adapters

import (
	"strings"
	"testing"
)

func TestSplitAuthority(t *testing.T) {
	for authority, want := range map[string][2]string{
		"app.example":        {"app.example", ""},
		"APP.Example.:8443":  {"app.example", "8443"},
		"app.example.":       {"app.example", ""},
		"[2001:DB8::1]:443":  {"[2001:db8::1]", "443"},
		"[2001:db8::1]":      {"[2001:db8::1]", ""},
		"2001:db8::1":        {"", ""},
		"::1":                {"", ""},
		"*.app.example:8443": {"*.app.example", "8443"},
		"":                   {"", ""},
		"app.example:":       {"app.example", ""},
	} {
		if host, port := splitAuthority(authority); host != want[0] || port != want[1] {
			t.Errorf("splitAuthority(%q) = %q, %q, want %q, %q", authority, host, port, want[0], want[1])
		}
	}
}

func TestByHostPrefersWhatSaysMore(t *testing.T) {
	var own []Source
	for name, hosts := range map[string]string{
		"exact": "app.example", "exact-port": "app.example:8443", "suffix": `"*.example"`, "long": `"*.app.example"`, "long-port": `"*.app.example:8443"`, "six": `"[::1]"`,
	} {
		if name == "suffix" {
			hosts = `"*.corp.example"`
		}
		text := "name: " + name + "\nhosts: [" + hosts + "]\ninterim: {reason: r, owner: o, review_by: 2027-06-30}\nlogin: {kind: basic}\nactions: [{name: x, match: {path: /}}]\n"
		own = append(own, Source{Name: name, Text: []byte(text)})
	}
	set, err := Load(own)
	if err != nil {
		t.Fatal(err)
	}

	for authority, want := range map[string]string{
		"app.example": "exact", "APP.example.": "exact", "app.example:443": "exact", "app.example:8443": "exact-port",
		"a.app.example": "long", "a.b.app.example:1": "long", "a.app.example:8443": "long-port", "a.corp.example": "suffix", "corp.example": "",
		"other.example": "", "": "", "[::1]:443": "six", "::1": "",
	} {
		got := ""
		if a := set.ByHost(authority); a != nil {
			got = a.Name()
		}
		if got != want {
			t.Errorf("ByHost(%q) is %q, want %q", authority, got, want)
		}
	}
}

func TestHostsThatCannotBeIntercepted(t *testing.T) {
	for host, want := range map[string]string{
		"app.example": "", "[::1]:443": "", "*.app.example": "",
		"::1": "brackets", "app.example:https": "port", "https://app.example": "URL", "*.example": "top-level", "a.*.example": "front",
		"a..example": "host name", "[x]": "IPv6", "": "empty",
	} {
		if got := hostFault(host); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want it to say %q", host, got, want)
		}
	}
}
