package configs

import (
	"slices"
	"testing"
)

func TestParseReportsEveryProblemWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"only the required key": {"data_dir: d\n", ""},
		"empty file":            {"", "b.yaml: data_dir: is missing; name the directory that holds the server's state"},
		"unknown key":           {"data_dir: d\nlog:\n  levle: info\n", "b.yaml:3: levle: is not a known key; see the reference that byline init writes"},
		"two problems": {"data_dir: d\nlog: {level: loud}\nguard: {allow: [ten]}\n",
			"b.yaml:2: log.level: \"loud\" is not one of debug, info, warn, error\nb.yaml:3: guard.allow[0]: \"ten\" is not a CIDR prefix; write it like 10.0.0.0/8"},
		"entry of a list":   {"data_dir: d\nguard:\n  allow:\n    - 10.0.0.0/8\n    - ten\n", "b.yaml:5: guard.allow[1]: \"ten\" is not a CIDR prefix; write it like 10.0.0.0/8"},
		"inlined section":   {"data_dir: d\naudit:\n  segment_bytes: 1\n", "b.yaml:3: audit.segment_bytes: must be at least 4096"},
		"port out of range": {"data_dir: d\nlisten: 127.0.0.1:99999\n", "b.yaml:2: listen: \"127.0.0.1:99999\" is not an address with a port; write it like 127.0.0.1:8080"},
		"not YAML":          {"data_dir: d\nlog: [\n", "b.yaml:3: did not find expected node content"},
		"repeated key":      {"data_dir: d\ndrain: 1s\ndrain: 2s\n", "b.yaml:3: mapping key \"drain\" already defined at line 2"},
		"two vault keys":    {"data_dir: d\nvault:\n  key_env: A\n  key_credential: b\n", "b.yaml:2: vault.key_file: name one of key_file, key_env and key_credential, not more"},
		"check of another package": {"data_dir: d\ntask:\n  max_ttl: -1s\n  default_ttl: -2s\n",
			"b.yaml:3: task.max_ttl: must be positive\nb.yaml:4: task.default_ttl: must be positive and at most max_ttl"},
		"two sinks of one name": {"data_dir: d\nsinks:\n  - {name: a, kind: http, url: 'https://a.example'}\n  - {name: a, kind: http, url: 'https://b.example'}\n",
			"b.yaml:4: sinks[1].name: \"a\" is the name of two sinks, which would share one cursor"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("b.yaml", []byte(c.text))
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

func TestPathsAreRelativeToTheFile(t *testing.T) {
	c, err := Parse("/etc/byline/byline.yaml", []byte("data_dir: d\naudit: {dir: /var/a}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Vault.KeyFile, "/etc/byline/d/vault.key"; got != want {
		t.Errorf("vault.key_file is %q, want %q", got, want)
	}
	if got, want := c.Audit.Dir, "/var/a"; got != want {
		t.Errorf("audit.dir is %q, want %q", got, want)
	}
}

func TestWhereReturnsTheLineOfTheDeepestKey(t *testing.T) {
	c, err := Parse("b.yaml", []byte("data_dir: d\naudit:\n  segment_bytes: 4096\n"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"data_dir":            "b.yaml:1",
		"audit.segment_bytes": "b.yaml:3",
		"audit.dir":           "b.yaml:2",
		"tls.cert":            "b.yaml",
	} {
		if got := c.Where(path); got != want {
			t.Errorf("Where(%q) is %s, want %s", path, got, want)
		}
	}
}

func TestHostPatterns(t *testing.T) {
	for _, pattern := range []string{
		"files.acme.example", "*.acme.example", "files.acme.example:8443", "localhost", "10.0.0.1", "[::1]", "[::1]:443",
	} {
		if why := hostPatternProblem(pattern); why != "" {
			t.Errorf("%q was refused: %s", pattern, why)
		}
	}
	for _, pattern := range []string{
		"", "*", "*.example", "a.*.example", "https://a.example", "a.example:0", "a.example:70000",
		"a.example:", "a..example", "::1", "[a]", "a.example/x",
	} {
		if hostPatternProblem(pattern) == "" {
			t.Errorf("%q was accepted", pattern)
		}
	}
}

func TestChangedNamesTheKeysThatDiffer(t *testing.T) {
	mustParse := func(text string) *Config {
		c, err := Parse("/b.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a := mustParse("data_dir: d\n")
	b := mustParse("data_dir: d\nlog: {level: debug}\npass_through: [a.example]\naudit: {checkpoint_every: 1s}\n")
	if got := a.Changed(a); len(got) > 0 {
		t.Errorf("a configuration differs from itself in %q", got)
	}
	if got, want := a.Changed(b), []string{"audit.checkpoint_every", "log.level", "pass_through"}; !slices.Equal(got, want) {
		t.Errorf("Changed returned %q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(reference)
	f.Add([]byte("data_dir: [1]\nlog: 3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("b.yaml", text)
		if (c == nil) == (err == nil) {
			t.Fatalf("Parse returned the configuration %v and the error %v, want exactly one of them", c, err)
		}
	})
}
