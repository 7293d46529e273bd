package main

import (
	"runtime/debug"
	"testing"
)

func TestVersionNamesTheCommit(t *testing.T) {
	for want, b := range map[string]debug.BuildInfo{
		"byline unknown ": {},
		"byline v1.2.3 commit 8c0bdc8 of 2026-11-25T08:00:00Z go1.26": {GoVersion: "go1.26", Main: debug.Module{Version: "v1.2.3"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "8c0bdc8"}, {Key: "vcs.time", Value: "2026-11-25T08:00:00Z"}, {Key: "vcs.modified", Value: "false"}}},
		"byline (devel) commit 8c0bdc8 with changes of 2026-11-25T08:00:00Z go1.26": {GoVersion: "go1.26", Main: debug.Module{Version: "(devel)"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "8c0bdc8"}, {Key: "vcs.time", Value: "2026-11-25T08:00:00Z"}, {Key: "vcs.modified", Value: "true"}}},
	} {
		if got := versionOf(&b).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
