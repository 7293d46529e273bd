package compare

import (
	"fmt"
	"slices"
	"testing"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/bench/peer"
	"github.com/byline-proxy/byline/proxy/policy"
)

func TestWorkloadsAreChosenByKey(t *testing.T) {
	chosen, err := Workloads(Options{Workloads: []string{"h2", "small"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(chosen) != 2 || chosen[0].Key != "h2" || chosen[1].Key != "small" {
		t.Errorf("the chosen workloads are %v, want h2 and small", chosen)
	}
	if _, err := Workloads(Options{Workloads: []string{"nothing"}}); err == nil {
		t.Error("Workloads accepted a key that does not exist")
	}
}

func TestManyIdleTunnelsAreMeasuredOnlyWithByline(t *testing.T) {
	o := Options{Idle: []int{1000, 10000}, MaxIdleOthers: 1000, NoIdlePeers: []string{peer.Goproxy}}
	var got []string
	for _, i := range idleMeasurements(o, []string{peer.Tunnel, peer.Byline, peer.Goproxy}) {
		got = append(got, fmt.Sprint(i.Peer, " ", i.Tunnels))
	}
	want := []string{"tunnel 1000", "byline 1000", "byline 10000"}
	if !slices.Equal(got, want) {
		t.Errorf("the measurements are %q, want %q", got, want)
	}
}

// The growth curves start servers with these files, so each must be valid.
func TestTheFilesOfTheGrowthCurvesAreValid(t *testing.T) {
	var sources []adapters.Source
	for name, text := range otherAdapters(3) {
		sources = append(sources, adapters.Source{Name: name, Text: []byte(text)})
	}
	if _, err := adapters.Load(sources); err != nil {
		t.Errorf("adapters: %v", err)
	}
	catalog := &policy.Catalog{Adapters: map[string][]string{"bench2": {"account.manage"}}}
	_, err := policy.Parse([]policy.File{{Name: "grown.cedar", Text: []byte(forbiddingPolicies(100))}}, catalog)
	if err != nil {
		t.Errorf("policies: %v", err)
	}
}
