package cli

import "testing"

func TestDialAddress(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080":        "127.0.0.1:8080",
		"0.0.0.0:8080":          "127.0.0.1:8080",
		":8080":                 "127.0.0.1:8080",
		"[::]:8080":             "[::1]:8080",
		"10.1.2.3:80":           "10.1.2.3:80",
		"proxy.acme.example:80": "proxy.acme.example:80",
	} {
		if got := DialAddress(listen); got != want {
			t.Errorf("%s: got %s, want %s", listen, got, want)
		}
	}
}
