package digest

import (
	"strings"
	"sync/atomic"
	"testing"
)

// The example of RFC 7616 section 3.9.1.
func TestAnswerOfTheRFC(t *testing.T) {
	for algorithm, want := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		c := Parse(`Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=` + algorithm +
			`, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`)
		if c == nil {
			t.Fatalf("%s: the challenge is not understood", algorithm)
		}

		c.Prove("Mufasa", "Circle of Life")
		c.CNonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
		if got := c.Answer("GET", "/dir/index.html"); !strings.Contains(got, `response="`+want+`"`) || !strings.Contains(got, "nc=00000001") {
			t.Errorf("%s: answered %s, want the response %s", algorithm, got, want)
		}
	}
}

func TestParseRefusesWhatCannotBeAnswered(t *testing.T) {
	for _, field := range []string{
		"", "Basic realm=x", `Digest realm="x"`, `Digest nonce="n", algorithm=SHA-1`, `Digest nonce="n", qop="auth-int"`, `Digest nonce="n", userhash=true`,
	} {
		if c := Parse(field); c != nil {
			t.Errorf("%q: understood as %+v, want nil", field, c)
		}
	}
}

func TestAStoredChallengeNeverCountsTwice(t *testing.T) {
	c := Parse(`Digest realm="r", nonce="n", qop=auth`)
	c.Prove("u", "p")
	stored := c.ToStore()
	c.Answer("GET", "/")

	if !stored.Resume() {
		t.Fatal("a stored challenge is not taken up")
	}
	if got := stored.Answer("GET", "/"); !strings.Contains(got, "nc=00010001") {
		t.Errorf("after a restart: %s, want a count that runs ahead", got)
	}
	if unknown := (&Challenge{Algorithm: "none", count: new(atomic.Uint32)}); unknown.Resume() {
		t.Error("a challenge of an unknown algorithm is taken up")
	}
}
