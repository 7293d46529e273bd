package vault

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestEnvContract(t *testing.T) {
	testStore(t, storeContract{Env{}, func(t *testing.T, adapter, account string, fields map[string]string) {
		for _, field := range envFields {
			t.Setenv("BYLINE_SECRET_"+strings.ToUpper(adapter+"_"+account+"_"+field), fields[field])
		}
	}})
}

func TestEnvReadsEachVariableInOneWay(t *testing.T) {
	t.Setenv("BYLINE_SECRET_WIKI_BOT1_USERNAME", "u")
	t.Setenv("BYLINE_SECRET_WIKI_BOT1_TOTP_SEED", "s")
	t.Setenv("BYLINE_SECRET_WIKI_TEST_BOT2_CLIENT_SECRET", "c")
	t.Setenv("BYLINE_SECRET_WIKI_BOT3_PASSWORD", "")
	t.Setenv("BYLINE_SECRET_WIKI_BOT4_SHOESIZE", "44")

	for adapter, want := range map[string][]string{"wiki": {"bot1"}, "wiki-test": {"bot2"}, "other": nil} {
		if got, err := (Env{}).Accounts(t.Context(), adapter); err != nil || !slices.Equal(got, want) {
			t.Errorf("Accounts of %s returned %v, %v; want %v", adapter, got, err, want)
		}
	}

	s, err := Env{}.Secret(t.Context(), "wiki", "bot1")
	if seed, _ := s.Reveal("totp_seed"); err != nil || seed != "s" || !slices.Equal(s.Fields(), []string{"totp_seed", "username"}) {
		t.Errorf("Secret returned fields %v and seed %q, %v", s.Fields(), seed, err)
	}
	for _, account := range []string{"test_bot2", "bot3", "bot4", "", "bot-1"} {
		if _, err := (Env{}).Secret(t.Context(), "wiki", account); !errors.Is(err, ErrNotFound) {
			t.Errorf("Secret of %q returned %v, want ErrNotFound", account, err)
		}
	}
}
