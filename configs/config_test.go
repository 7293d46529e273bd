package configs

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"the least":          {"data_dir: d\n", ""},
		"empty":              {"", "b.yaml: data_dir: is missing; name the folder that holds the server's state"},
		"unknown key":        {"data_dir: d\nlog:\n  levle: info\n", "b.yaml:3: levle: is no key here; see the reference that byline init writes"},
		"all at once":        {"data_dir: d\nlog: {level: loud}\nguard: {allow: [ten]}\n", "b.yaml:2: log.level: \"loud\" is none of debug, info, warn, error\nb.yaml:3: guard.allow[0]: \"ten\" is no prefix; write it like 10.0.0.0/8"},
		"an entry's line":    {"data_dir: d\nguard:\n  allow:\n    - 10.0.0.0/8\n    - ten\n", "b.yaml:5: guard.allow[1]: \"ten\" is no prefix; write it like 10.0.0.0/8"},
		"an inlined section": {"data_dir: d\naudit:\n  segment_bytes: 1\n", "b.yaml:3: audit.segment_bytes: must be at least 4096"},
		"ports":              {"data_dir: d\nlisten: 127.0.0.1:99999\n", "b.yaml:2: listen: \"127.0.0.1:99999\" is no address with a port; write it like 127.0.0.1:8080"},
		"no YAML":            {"data_dir: d\nlog: [\n", "b.yaml:3: did not find expected node content"},
		"a key twice":        {"data_dir: d\ndrain: 1s\ndrain: 2s\n", "b.yaml:3: mapping key \"drain\" already defined at line 2"},
		"two keys":           {"data_dir: d\nvault:\n  key_env: A\n  key_credential: b\n", "b.yaml:2: vault.key_file: name one of key_file, key_env and key_credential, not more"},
		"a room's check":     {"data_dir: d\ntask:\n  max_ttl: -1s\n  default_ttl: -2s\n", "b.yaml:3: task.max_ttl: must be positive\nb.yaml:4: task.default_ttl: must be positive and at most max_ttl"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("b.yaml", []byte(c.in))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Fatalf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestPathsCountFromTheFile(t *testing.T) {
	c, err := Parse("/etc/byline/byline.yaml", []byte("data_dir: d\naudit: {dir: /var/a}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Vault.KeyFile != "/etc/byline/d/vault.key" || c.Audit.Dir != "/var/a" {
		t.Fatalf("got %q and %q", c.Vault.KeyFile, c.Audit.Dir)
	}
}

func TestWhere(t *testing.T) {
	c, err := Parse("b.yaml", []byte("data_dir: d\naudit:\n  segment_bytes: 4096\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"data_dir": "b.yaml:1", "audit.segment_bytes": "b.yaml:3", "audit.dir": "b.yaml:2", "tls.cert": "b.yaml"} {
		if got := c.Where(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestBadHost(t *testing.T) {
	for pattern, ok := range map[string]bool{
		"files.acme.example": true, "*.acme.example": true, "files.acme.example:8443": true, "localhost": true, "10.0.0.1": true, "[::1]": true, "[::1]:443": true,
		"": false, "*": false, "*.example": false, "a.*.example": false, "https://a.example": false, "a.example:0": false, "a.example:70000": false,
		"a.example:": false, "a..example": false, "::1": false, "[a]": false, "a.example/x": false,
	} {
		if why := badHost(pattern); (why == "") != ok {
			t.Errorf("%q: %q", pattern, why)
		}
	}
}

func TestChanged(t *testing.T) {
	parse := func(text string) *Config {
		c, err := Parse("/b.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := parse("data_dir: d\n"), parse("data_dir: d\nlog: {level: debug}\npass_through: [a.example]\naudit: {checkpoint_every: 1s}\n")
	if got := a.Changed(a); len(got) > 0 {
		t.Errorf("differs from itself: %q", got)
	}
	if got, want := a.Changed(b), []string{"audit.checkpoint_every", "log.level", "pass_through"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(reference)
	f.Add([]byte("data_dir: [1]\nlog: 3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := Parse("b.yaml", text); (c == nil) == (err == nil) {
			t.Fatalf("neither or both: %v %v", c, err)
		}
	})
}
