package h1

import "testing"

func TestCheckAuthority(t *testing.T) {
	for _, c := range []struct {
		authority string
		accepted  bool
	}{
		{"wiki.example", true},
		{"wiki.example:8443", true},
		{"wiki.example.", true},
		{"192.0.2.7:80", true},
		{"[2001:db8::1]", true},
		{"[2001:db8::1]:65535", true},

		{"", false},
		{":443", false},
		{"user@wiki.example", false},
		{"wiki.example:", false},
		{"wiki.example:0443", false},
		{"wiki.example:65536", false},
		{"wiki.example:443:443", false},
		{"2001:db8::1", false},
		{"[2001:db8::1", false},
		{"[2001:db8::1]443", false},
		{"[2001:db8::1]x443", false},
		{"[wiki.example]", false},
	} {
		got, bad := CheckAuthority(c.authority)
		if (bad == nil) != c.accepted {
			t.Errorf("CheckAuthority(%q) = %q, %v, want it accepted: %v", c.authority, got, bad, c.accepted)
		}
	}
}
