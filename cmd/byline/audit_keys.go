package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
	"github.com/byline-proxy/byline/proxy/audit"
)

const hintPublicKey = "name the public key that byline init wrote (audit.key.pub) with --key"

// trustFlags name the keys that a verification trusts.
type trustFlags struct {
	keys      []string
	witnesses []string
	quorum    int
}

func (f *trustFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.keys, "key", nil,
		"file with the log's public key, or the key itself (default: next to audit.key_file of the configuration); may be repeated")
	c.Flags().StringArrayVar(&f.witnesses, "witness", nil, "a witness's key, or a file with it; may be repeated")
	c.Flags().IntVar(&f.quorum, "quorum", 0, "how many of the witnesses must have signed")
}

// read returns the keys that the flags name. Without --key it is the key of the
// configuration.
func (f *trustFlags) read(c *cobra.Command) (audit.Trust, error) {
	t := audit.Trust{Quorum: f.quorum}

	names := f.keys
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		keys, err := readPublicKeys(c, name)
		if err != nil {
			return t, err
		}
		t.Keys = append(t.Keys, keys...)
	}

	for _, name := range f.witnesses {
		text, err := readKeyText(name)
		if err != nil {
			return t, cli.Failed("audit", fmt.Errorf("witness: %w", err), "")
		}
		key, err := audit.ParseWitnessKey(text)
		if err != nil {
			return t, cli.Failed("audit", fmt.Errorf("witness: %s: %w", name, err), "")
		}
		t.Witnesses = append(t.Witnesses, key)
	}

	if f.quorum < 0 || f.quorum > len(f.witnesses) {
		return t, fmt.Errorf("audit: --quorum %d of %d witnesses", f.quorum, len(f.witnesses))
	}
	return t, nil
}

// readPublicKeys reads the log's public keys from a file, or from the key itself. An
// empty name is that of the configuration. The log begins with the first key; each
// further one took over from the one before it.
func readPublicKeys(c *cobra.Command, name string) ([]audit.PublicKey, error) {
	if name == "" {
		cfg, err := load.Config(c)
		if err != nil {
			return nil, err
		}
		name = cfg.Audit.KeyFile + ".pub"
	}

	text, err := readKeyText(name)
	if err != nil {
		return nil, cli.Failed("audit", fmt.Errorf("public key: %w", err), hintPublicKey)
	}
	keys, err := audit.ParsePublicKeys(text)
	if err != nil {
		return nil, cli.Failed("audit", fmt.Errorf("public key: %s: %w", name, err), hintPublicKey)
	}
	return keys, nil
}

// readKeyText returns the content of the file, or name itself if there is no such file
// and name has the form of a key: name+hash+key.
func readKeyText(name string) (string, error) {
	if strings.Count(name, "+") >= 2 {
		if _, err := os.Stat(name); err != nil {
			return name, nil
		}
	}

	b, err := os.ReadFile(name)
	return string(b), err
}
