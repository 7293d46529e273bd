package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/byline-proxy/byline/proxy/audit"
)

// inNamespace runs the calling test once more, in a network namespace of its own, and
// returns true there. In the test that began it returns false when that run has ended.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const mark = "IN_NAMESPACE_OF_TEST"
	if os.Getenv(mark) == t.Name() {
		shell(t, "ip link set lo up")
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("only root makes a network namespace without a user namespace")
	}
	for _, program := range []string{"unshare", "nsenter", "ip", "nft", "curl", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is missing", program)
		}
	}

	again := exec.Command("unshare", "--net", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), mark+"="+t.Name())
	again.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in the namespace: %v\n%s", err, out)
	}
	return false
}

// shell runs commands, each of which must succeed.
func shell(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-euc", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// loadRecipe loads a recipe of configs with other values of its definitions.
func loadRecipe(t *testing.T, name string, definitions ...string) {
	t.Helper()
	text, err := os.ReadFile("../../configs/transparent/" + name)
	must(t, err)
	recipe := string(text)
	for i := 0; i < len(definitions); i += 2 {
		key := "define " + definitions[i] + " = "
		before, rest, found := strings.Cut(recipe, key)
		_, after, _ := strings.Cut(rest, "\n")
		if !found {
			t.Fatalf("%s does not define %s", name, definitions[i])
		}
		recipe = before + key + definitions[i+1] + "\n" + after
	}

	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(recipe)
	if out, err := nft.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
}

// led is an installation to whose listener the kernel leads an agent.
type led struct {
	*installation
	t     *testing.T
	root  string   // file with the interception root
	agent []string // the command that another one is run by as the agent
}

// serveLed starts a server with a listener of that mode.
func serveLed(t *testing.T, listener string, agent ...string) *led {
	t.Helper()
	h, _ := serveAfter(t, func(t *testing.T, h *installation) {
		text := strings.Replace(h.read(t, "byline.yaml"), "trusted_subnets: []", "trusted_subnets: [10.1.0.0/16, 'fd00:1::/64']", 1)
		h.write(t, "byline.yaml", "listeners: ["+listener+"]\n"+text)
	})

	root := filepath.Join(t.TempDir(), "root.pem") // that the agent may read
	must(t, os.WriteFile(root, []byte(h.read(t, "data/certs/root.crt")), 0o600))
	shell(t, "chmod 755 "+filepath.Dir(filepath.Dir(root))+" "+filepath.Dir(root)+"; chmod 644 "+root)
	return &led{h, t, root, agent}
}

// run runs a command as the agent.
func (l *led) run(args ...string) (string, error) {
	args = append(slices.Clone(l.agent), args...)
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	return string(out), err
}

// get requests a page over a connection to an address at which nobody is.
func (l *led) get(url, address string) (string, error) {
	host := strings.Split(url, "/")[2]
	port := "80"
	if strings.HasPrefix(url, "https:") {
		port = "443"
	}
	return l.run("curl", "-sS", "-m", "20", "--cacert", l.root, "--resolve", host+":"+port+":"+address, "-w", "\n%{http_code}", url)
}

// checkLed requests pages of applications that exist and of others, and tries to go
// around.
func (l *led) checkLed(identified string) {
	t := l.t
	t.Helper()
	if out, err := l.get("https://tickets.acme.example/tickets/7", "192.0.2.9"); err != nil || !strings.HasSuffix(out, "\n200") {
		t.Errorf("an adapted host: %v %s", err, out)
	}
	if out, err := l.get("https://tickets.acme.example/tickets/7", "[2001:db8::9]"); err != nil || !strings.HasSuffix(out, "\n200") {
		t.Errorf("an adapted host over IPv6: %v %s", err, out)
	}
	if out, err := l.get("https://other.example/", "192.0.2.9"); err == nil || !strings.Contains(out, "unrecognized name") {
		t.Errorf("a host without adapter: %v %s; want the alert", err, out)
	}
	if out, err := l.get("http://other.example/", "192.0.2.9"); err != nil || !strings.Contains(out, "host_not_adapted") {
		t.Errorf("plain, a host without adapter: %v %s", err, out)
	}
	if out, err := l.run("curl", "-sSk", "-m", "20", "https://192.0.2.9/"); err == nil || !strings.Contains(out, "unrecognized name") {
		t.Errorf("without a name: %v %s; want the alert", err, out)
	}

	for what, script := range map[string]string{
		"another port":     "import socket; socket.create_connection(('192.0.2.9', 25), 10)",
		"QUIC":             "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); s.connect(('192.0.2.9', 443)); s.send(b'x'); s.recv(1)",
		"another resolver": "import socket; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); s.connect(('192.0.2.9', 53)); s.send(b'x'); s.recv(1)",
	} {
		out, err := l.run("/usr/bin/python3", "-c", script)
		refused := strings.Contains(out, "ConnectionRefused") || strings.Contains(out, "PermissionError") // the latter on the machine itself
		if err == nil || !refused {
			t.Errorf("%s: %v %s; want a refusal at once", what, err, out)
		}
	}

	must(t, l.Stop())
	got := map[string]int{}
	for r, err := range audit.Tail(t.Context(), l.Path("data/audit"), 1000, false) {
		must(t, err)
		if r.Kind == "intent" || r.Kind == "refusal" {
			got[fmt.Sprintf("%s %s %s", r.Code, r.Host, r.Identified)]++
		}
	}
	if key := " tickets.acme.example:443 " + identified; got[key] != 2 {
		t.Errorf("%d records of %q, want 2; records: %v", got[key], key, got)
	}
	for _, want := range []string{"host_not_adapted other.example:443 ", "host_not_adapted other.example:80 ", "host_not_adapted 192.0.2.9:443 "} {
		if got[want+identified] != 1 {
			t.Errorf("%d records of %q, want 1; records: %v", got[want+identified], want+identified, got)
		}
	}
}

// toNowhere makes networks 192.0.2.0/24 and 2001:db8::/64 in which nobody is.
const toNowhere = `ip link add net0 type veth peer name net1
ip addr add 192.0.2.1/24 dev net0; ip addr add 2001:db8::1/64 dev net0 nodad; ip link set net0 up; ip link set net1 up
`

// TestI7ASidecarLeadsItsUserToByline loads the recipe for one user of a machine or pod.
func TestI7ASidecarLeadsItsUserToByline(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	shell(t, toNowhere)
	loadRecipe(t, "sidecar.nft", "agent", "65534")

	l := serveLed(t, "{listen: '[::]:8443', mode: redirect}", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
	l.installation.run(t, "", "task", "create", "--agent", "agent/led", "--sponsor", "alice@acme.example", "--purpose", "INC-1",
		"--allow", "tickets:*", "--bind", "uid:65534")
	l.checkLed("peer")
}

// TestI7AGatewayDivertsItsAgentsToByline loads the recipe for a network of agents.
func TestI7AGatewayDivertsItsAgentsToByline(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	agent := exec.Command("unshare", "--net", "sleep", "600")
	agent.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, agent.Start())
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	pid := fmt.Sprint(agent.Process.Pid)

	shell(t, toNowhere+`while [ "$(readlink /proc/self/ns/net)" = "$(readlink /proc/`+pid+`/ns/net)" ]; do sleep 0.05; done
ip link add agents0 type veth peer name eth0 netns `+pid+`
ip addr add 10.1.0.1/16 dev agents0; ip link set agents0 up
ip addr add fd00:1::1/64 dev agents0 nodad
nsenter -t `+pid+` -n sh -euc 'ip link set lo up; ip addr add 10.1.2.3/16 dev eth0; ip addr add fd00:1::3/64 dev eth0 nodad
ip link set eth0 up; ip route add default via 10.1.0.1; ip -6 route add default via fd00:1::1'
ip rule add fwmark 1 lookup 100; ip route add local default dev lo table 100
ip -6 rule add fwmark 1 lookup 100; ip -6 route add local default dev lo table 100
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`)
	loadRecipe(t, "gateway.nft")

	l := serveLed(t, "{listen: '[::]:8444', mode: tproxy}", "nsenter", "-t", pid, "-n")
	l.installation.run(t, "", "task", "create", "--agent", "agent/led", "--sponsor", "alice@acme.example", "--purpose", "INC-1",
		"--allow", "tickets:*", "--bind", "subnet:10.1.2.3/32", "--bind", "subnet:fd00:1::3/128")
	l.checkLed("subnet")
}

// TestSOCKSClients sends requests over SOCKS5: by name, by address, and from a program
// that knows nothing of it.
func TestSOCKSClients(t *testing.T) {
	for _, program := range []string{"curl", "proxychains4"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is missing", program)
		}
	}
	h, cfg := serve(t)
	var task struct{ ID, Token string }
	must(t, json.Unmarshal([]byte(h.run(t, "", "task", "create", "--json", "--agent", "agent/socks", "--sponsor", "alice@acme.example",
		"--purpose", "INC-1", "--allow", "tickets:*")), &task))

	const page = "https://tickets.acme.example/tickets/7"
	curl := []string{"curl", "-sS", "-m", "20", "--cacert", h.Path("data/certs/root.crt"), "-o", "/dev/null", "-w", "%{http_code}"}
	proxy := task.ID + ":" + task.Token + "@" + cfg.Listen
	host, port, _ := strings.Cut(cfg.Listen, ":")
	h.write(t, "proxychains.conf", "strict_chain\nproxy_dns\n[ProxyList]\nsocks5 "+host+" "+port+" "+task.ID+" "+task.Token+"\n")

	for name, args := range map[string][]string{
		"by name":      append(slices.Clone(curl), "-x", "socks5h://"+proxy, page),
		"by address":   append(slices.Clone(curl), "-x", "socks5://"+proxy, "--resolve", "tickets.acme.example:443:192.0.2.9", page),
		"proxychains4": append([]string{"proxychains4", "-q", "-f", h.Path("proxychains.conf")}, append(slices.Clone(curl), page)...),
	} {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil || string(out) != "200" {
			t.Errorf("%s: %v %s; want 200", name, err, out)
		}
	}

	out, err := exec.Command("curl", "-sS", "-m", "20", "-x", "socks5h://"+proxy, "https://other.example/").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "(2)") {
		t.Errorf("a host without adapter: %v %s; want reply 2", err, out)
	}
}
