package wire

import "testing"

func TestSplitAuthority(t *testing.T) {
	for _, c := range []struct{ authority, host, port string }{
		{"wiki.example", "wiki.example", ""},
		{"wiki.example:443", "wiki.example", "443"},
		{"Wiki.EXAMPLE:8443", "wiki.example", "8443"},
		{"wiki.example.", "wiki.example", ""},
		{"wiki.example.:443", "wiki.example", "443"},
		{"*.wiki.example:443", "*.wiki.example", "443"},
		{"wiki.example:", "wiki.example", ""},
		{"192.0.2.7", "192.0.2.7", ""},
		{"192.0.2.7:80", "192.0.2.7", "80"},
		{"[2001:DB8::1]", "[2001:db8::1]", ""},
		{"[2001:db8::1]:443", "[2001:db8::1]", "443"},
		{":443", "", "443"},
		{"", "", ""},

		// Without brackets, 443 could be the port or the last group.
		{"2001:db8::1", "", ""},
		{"2001:db8::443", "", ""},
		{"::1", "", ""},
		{"wiki.example:80:443", "", ""},
	} {
		host, port := SplitAuthority(c.authority)
		if host != c.host || port != c.port {
			t.Errorf("SplitAuthority(%q) = %q, %q, want %q, %q", c.authority, host, port, c.host, c.port)
		}
	}
}
