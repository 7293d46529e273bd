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

// trustFlags name the keys that count; see trust.
type trustFlags struct {
	keys, witnesses []string
	quorum          int
}

func (f *trustFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.keys, "key", nil, "file with the log's public key, or the key itself (default: beside audit.key_file of the configuration); may be repeated")
	c.Flags().StringArrayVar(&f.witnesses, "witness", nil, "a witness's key, or a file with it; may be repeated")
	c.Flags().IntVar(&f.quorum, "quorum", 0, "how many of the witnesses must have signed")
}

// trust reads the keys that were named, or the configuration's.
func (f *trustFlags) trust(c *cobra.Command) (t audit.Trust, err error) {
	keys := f.keys
	if len(keys) == 0 {
		keys = []string{""}
	}
	for _, named := range keys {
		all, err := publicKeys(c, named)
		if err != nil {
			return t, err
		}
		t.Keys = append(t.Keys, all...)
	}
	for _, named := range f.witnesses {
		text, err := keyText(named)
		if err != nil {
			return t, cli.Failed("audit", fmt.Errorf("witness: %w", err), "")
		}
		key, err := audit.ParseWitnessKey(text)
		if err != nil {
			return t, cli.Failed("audit", fmt.Errorf("witness: %s: %w", named, err), "")
		}
		t.Witnesses = append(t.Witnesses, key)
	}
	if t.Quorum = f.quorum; f.quorum > len(f.witnesses) || f.quorum < 0 {
		return t, fmt.Errorf("audit: --quorum %d of %d witnesses", f.quorum, len(f.witnesses))
	}
	return t, nil
}

// publicKey is the first of publicKeys: the one that the log begins with.
func publicKey(c *cobra.Command, named string) (audit.PublicKey, error) {
	keys, err := publicKeys(c, named)
	if err != nil {
		return audit.PublicKey{}, err
	}
	return keys[0], nil
}

// publicKeys reads the keys that were named, or the configuration's.
func publicKeys(c *cobra.Command, named string) ([]audit.PublicKey, error) {
	if named == "" {
		cfg, err := load.Settings(c)
		if err != nil {
			return nil, err
		}
		named = cfg.Audit.KeyFile + ".pub"
	}
	text, err := keyText(named)
	if err != nil {
		return nil, cli.Failed("audit", fmt.Errorf("public key: %w", err), "name the public key that byline init wrote (audit.key.pub) with --key")
	}
	keys, err := audit.ParsePublicKeys(text)
	if err != nil {
		return nil, cli.Failed("audit", fmt.Errorf("public key: %s: %w", named, err), "name the public key that byline init wrote (audit.key.pub) with --key")
	}
	return keys, nil
}

// keyText is the content of the file that was named, or what stands there when
// it is a key itself.
func keyText(named string) (string, error) {
	if strings.Count(named, "+") >= 2 {
		if _, err := os.Stat(named); err != nil {
			return named, nil
		}
	}
	b, err := os.ReadFile(named)
	return string(b), err
}
