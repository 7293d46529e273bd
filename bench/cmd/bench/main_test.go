package main

import (
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"
)

// The build optimises by a profile that is there, of the walk that is there.
func TestTheProfileIsOneOfTheWalk(t *testing.T) {
	f, err := os.Open("../../../" + byProfile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"proxy.(*exchange).walk", "proxy/wire.(*Server).Serve", "proxy/audit.(*Log).Append"} {
		if !strings.Contains(string(text), "github.com/byline-proxy/byline/"+name) {
			t.Errorf("%s is not in %s: make pgo takes a new one", name, byProfile)
		}
	}
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil || !strings.Contains(string(makefile), "\nPROFILE := "+byProfile+"\n") || !strings.Contains(string(makefile), "build -trimpath -buildvcs=$(STAMP) -pgo=$(PROFILE) ") {
		t.Errorf("make build does not build by it, %v", err)
	}
}

func TestACommandLineIsChecked(t *testing.T) {
	for _, args := range []string{"--peers byline", "--peers tunnel,nobody", "--works nothing", "--idle many", "--stream -1", "--rounds 0"} {
		var said strings.Builder
		if _, err := parse(strings.Fields(args), &said); err == nil || !strings.HasPrefix(said.String(), "bench: ") {
			t.Errorf("%s: %v, %q", args, err, said.String())
		}
	}
	s, err := parse([]string{"--quick"}, io.Discard)
	if err != nil || s.results == "bench/RESULTS.md" || s.options.Stream > 1<<30 || s.options.Growth != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = parse(nil, io.Discard); err != nil || s.options.Stream != 10<<30 || s.setup.Rounds != 5 {
		t.Errorf("%+v, %v", s, err)
	}
}
