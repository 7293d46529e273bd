package audit

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIDsSortByTime(t *testing.T) {
	var ids []string
	seen := map[string]bool{}
	for range 5 {
		for range 1000 {
			id := NewID()
			isWellFormed := len(id) == 28 && strings.HasPrefix(id, "r_") && strings.Trim(id[2:], base32Digits) == ""
			if !isWellFormed || seen[id] {
				t.Fatalf("ID %q is malformed or was made before", id)
			}
			seen[id] = true
		}
		ids = append(ids, NewID())
		time.Sleep(2 * time.Millisecond)
	}

	if !slices.IsSorted(ids) {
		t.Errorf("IDs in the order of their making are not sorted: %v", ids)
	}
}

func TestIDHoldsItsTime(t *testing.T) {
	before := time.Now().Truncate(time.Millisecond)
	at, ok := parseIDTime(NewID())
	if !ok || at.Before(before) || at.After(time.Now()) {
		t.Errorf("the time of a new ID is %v, %v, want about %v", at, ok, before)
	}

	for _, bad := range []string{"", "r_", "x_" + strings.Repeat("0", 26), "r_" + strings.Repeat("i", 26), "r_" + strings.Repeat("0", 27)} {
		if at, ok := parseIDTime(bad); ok {
			t.Errorf("ID %q has the time %v, want none", bad, at)
		}
	}
}

func TestFingerprint(t *testing.T) {
	// RFC 4231, section 4.3, cut to 16 bytes.
	got := Fingerprint([]byte("Jefe"), "what do ya want for nothing?")
	if want := "hmac-sha256:5bdcc146bf60754e6a042426089575c7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
