package main

import (
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"
)

func TestMakeBuildOptimizesByTheProfile(t *testing.T) {
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nPROFILE := " + profileFile + "\n",
		"build -trimpath -buildvcs=$(STAMP) -pgo=$(PROFILE) ",
	} {
		if !strings.Contains(string(makefile), want) {
			t.Errorf("the Makefile does not contain %q", want)
		}
	}
}

func TestTheProfileIsOfTheWalk(t *testing.T) {
	f, err := os.Open("../../../" + profileFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	profile, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"proxy.(*exchange).walk", "proxy/wire/agents.(*Server).Serve", "proxy/audit/journal.(*Log).Append"} {
		if !strings.Contains(string(profile), "github.com/byline-proxy/byline/"+name) {
			t.Errorf("%s is not in %s; make pgo records a new profile", name, profileFile)
		}
	}
}

func TestBadFlagsAreReported(t *testing.T) {
	for _, args := range []string{"--peers byline", "--peers tunnel,nobody", "--works nothing", "--idle many", "--stream -1", "--rounds 0"} {
		var out strings.Builder
		_, err := parseFlags(strings.Fields(args), &out)
		if err == nil || !strings.HasPrefix(out.String(), "bench: ") {
			t.Errorf("%s: parseFlags returned %v and wrote %q, want an error that it writes", args, err, out.String())
		}
	}
}

func TestQuickRunsAreShortAndDoNotReplaceTheResults(t *testing.T) {
	s, err := parseFlags([]string{"--quick"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if s.results == resultsFile || s.options.Stream > 1<<30 || s.options.Growth != 0 {
		t.Errorf("a quick run writes %s, streams %d bytes and measures growth for %v", s.results, s.options.Stream, s.options.Growth)
	}

	s, err = parseFlags(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if s.results != resultsFile || s.options.Stream != 10<<30 || s.setup.Rounds != 5 {
		t.Errorf("a full run writes %s, streams %d bytes and has %d rounds", s.results, s.options.Stream, s.setup.Rounds)
	}
}
