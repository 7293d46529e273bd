package profile

import (
	"slices"
	"strings"
	"testing"
)

const script = `byline 
	ffffffff81000001 tcp_sendmsg_locked
	ffffffff81000002 __x64_sys_write
	ffffffff81000003 do_syscall_64
	          401000 internal/runtime/syscall.Syscall6
	          402000 crypto/tls.(*Conn).Write
	          403000 github.com/byline-proxy/byline/proxy/wire.(*h1).serve

byline 
	          500000 crypto/internal/fips140/aes/gcm.seal
	          403000 github.com/byline-proxy/byline/proxy/wire.(*h1).serve
	          403000 github.com/byline-proxy/byline/proxy/wire.(*h1).serve

byline 
	          600000 github.com/byline-proxy/byline/proxy/policy.(*Grant).Decide
	          600001 github.com/byline-proxy/byline/proxy.(*exchange).walk
	          403000 github.com/byline-proxy/byline/proxy/wire.(*h1).serve

byline 
	ffffffff81000009 asm_sysvec_apic_timer_interrupt
	          700000 runtime.mallocgc
`

func TestSamplesAreCountedByPlaceAndByFunction(t *testing.T) {
	p, err := parseScript(strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	if p.Samples != 4 {
		t.Errorf("%d samples were counted, want 4", p.Samples)
	}
	places := []Share{
		{"crypto/internal/fips140/aes/gcm", 25},
		{"kernel: other", 25},
		{"kernel: write", 25},
		{"proxy/policy", 25},
	}
	if !slices.Equal(p.Places, places) {
		t.Errorf("places are %v, want %v", p.Places, places)
	}
	functions := []Share{
		{"proxy/wire.(*h1).serve", 75},
		{"proxy.(*exchange).walk", 25},
		{"proxy/policy.(*Grant).Decide", 25},
	}
	if !slices.Equal(p.Functions, functions) {
		t.Errorf("functions are %v, want %v", p.Functions, functions)
	}
	if _, err := parseScript(strings.NewReader("")); err == nil {
		t.Error("parseScript succeeded without a sample")
	}
}
