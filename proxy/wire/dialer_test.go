package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// names answers a look-up with the next of its answers, the last one for ever.
type names struct {
	answers [][]string
	asked   int
}

func (n *names) LookupNetIP(context.Context, string, string) (out []netip.Addr, err error) {
	for _, text := range n.answers[min(n.asked, len(n.answers)-1)] {
		out = append(out, netip.MustParseAddr(text))
	}
	n.asked++
	return out, nil
}

var errNotDialled = errors.New("nobody is there")

// dialled are the addresses that a Dial for host would connect to.
func dialled(t *testing.T, d Dialer, host string) (all []string, stage string) {
	t.Helper()
	d.Connect = func(_ context.Context, _, addr string) (net.Conn, error) {
		all = append(all, addr)
		return nil, errNotDialled
	}
	_, err := d.Dial(t.Context(), "tcp", net.JoinHostPort(host, "443"))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%s: %v", host, err)
	}
	return all, e.Stage
}

// TestI7OnlyPublicAddressesAreDialled knows the ways into a network: its own
// addresses, in every form that names them.
func TestI7OnlyPublicAddressesAreDialled(t *testing.T) {
	for addr, public := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "172.32.0.1": true, "100.128.0.1": true,
		"127.0.0.1": false, "127.8.8.8": false, "::1": false, "0.0.0.0": false, "::": false, "0.8.8.8": false, // this machine
		"10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "100.64.0.1": false, "fd00::1": false, "fc00::1": false, // this network
		"169.254.169.254": false, "fe80::1": false, "168.63.129.16": false, "fd00:ec2::254": false, // metadata of clouds
		"::ffff:127.0.0.1": false, "::ffff:8.8.8.8": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, // one address in another
		"224.0.0.1": false, "255.255.255.255": false, "ff02::1": false, "240.0.0.1": false, // everybody
		"192.0.2.1": false, "198.18.0.1": false, "203.0.113.9": false, "2001:db8::1": false, "fec0::1": false, "4000::1": false, // nobody
		"fe80::1%eth0": false, "2606:4700::1111%eth0": false, // a zone
	} {
		if all, stage := dialled(t, Dialer{}, addr); (len(all) == 1) != public || !public && stage != "address" {
			t.Errorf("%s: dials %v, stage %s; public: %v", addr, all, stage, public)
		}
		if all, _ := dialled(t, Dialer{Resolver: &names{answers: [][]string{{addr}}}}, "wiki.acme.example"); (len(all) == 1) != public {
			t.Errorf("a name for %s: dials %v; public: %v", addr, all, public)
		}
	}
}

// TestTheAddressThatWasCheckedIsDialled asks names that answer differently the
// second time, and names with a good and a bad address.
func TestTheAddressThatWasCheckedIsDialled(t *testing.T) {
	rebound := &names{answers: [][]string{{"8.8.8.8"}, {"127.0.0.1"}}}
	if all, _ := dialled(t, Dialer{Resolver: rebound}, "evil.example"); !slices.Equal(all, []string{"8.8.8.8:443"}) || rebound.asked != 1 {
		t.Errorf("dials %v after %d look-ups", all, rebound.asked)
	}
	mixed := &names{answers: [][]string{{"127.0.0.1", "8.8.8.8", "169.254.169.254", "2606:4700::1111"}}}
	if all, _ := dialled(t, Dialer{Resolver: mixed}, "evil.example"); !slices.Equal(all, []string{"8.8.8.8:443", "[2606:4700::1111]:443"}) {
		t.Errorf("dials %v", all)
	}
}

func TestAllowedNetworksAreDialled(t *testing.T) {
	d := Dialer{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")}}
	for addr, allowed := range map[string]bool{"10.1.2.3": true, "10.2.2.3": false, "::1": true, "127.0.0.1": false, "::ffff:10.1.2.3": true, "::ffff:10.2.2.3": false} {
		all, _ := dialled(t, d, addr)
		if (len(all) == 1) != allowed {
			t.Errorf("%s: dials %v; allowed: %v", addr, all, allowed)
		}
		if allowed && strings.Contains(all[0], "ffff") && !strings.Contains(all[0], "10.1.2.3") {
			t.Errorf("%s: dials %v", addr, all)
		}
	}
}
