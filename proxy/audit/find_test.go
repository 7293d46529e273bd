package audit_test

import (
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/audittest"
	"github.com/byline-proxy/byline/proxy/audit/journal"
)

func TestFindShowsTheExchange(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, journal.Config{Dir: dir})
	k := l.Append(audittest.Intent(1))
	l.Append(audittest.Intent(2))
	l.Append(&audit.Record{Kind: "outcome", Intent: k.ID(), Status: 302})
	l.Close()
	found, err := audit.Find(dir, k.ID())
	if err != nil || len(found) != 2 || found[0].Kind != "intent" || found[1].Status != 302 {
		t.Errorf("%+v %v", found, err)
	}
	if none, err := audit.Find(dir, "r_none"); none != nil || err != nil {
		t.Errorf("%v %v", none, err)
	}
}
