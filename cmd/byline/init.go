package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/journal"
	"github.com/byline-proxy/byline/proxy/vault"
)

func initCommand() *cobra.Command {
	var dataDir string
	c := &cobra.Command{Use: "init", Short: "Write a configuration and make every key that a server needs", Args: cobra.NoArgs,
		Long: "Writes a commented configuration file and makes the data directory, the interception authority, the key of the vault and\n" +
			"the keys of the audit log. Nothing that is there already is overwritten.",
		Example: "  byline init\n  byline init --config /etc/byline/byline.yaml --data-dir /var/lib/byline"}
	c.Flags().StringVar(&dataDir, "data-dir", "data", "folder for keys and state; relative paths count from the configuration file")
	c.RunE = func(c *cobra.Command, _ []string) error {
		path, _ := c.Flags().GetString("config")
		text := regexp.MustCompile(`(?m)^data_dir: data `).ReplaceAll(configs.Reference(), []byte("data_dir: "+quoted(dataDir)+" "))
		cfg, err := configs.Parse(path, text)
		if err != nil {
			return cli.Failed("init", err, "")
		}
		if err := untouched(path, cfg); err != nil {
			return cli.Failed("init", err, "name another --config or --data-dir, or move it away")
		}
		if err := found(path, text, cfg); err != nil {
			return cli.Failed("init", err, "nothing was started; what was made so far may be removed")
		}
		nextSteps(c.OutOrStdout(), path, cfg)
		return nil
	}
	return c
}

// plain text needs no quotes, in YAML or a shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// quoted is a YAML string; a plain one where that will do.
func quoted(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// untouched refuses to go near a house that stands: a new key would lock out
// what the old one made.
func untouched(path string, cfg *configs.Config) error {
	for _, p := range []string{path, cfg.Vault.KeyFile, cfg.Vault.File, cfg.Audit.KeyFile, cfg.Audit.KeyFile + ".pub", cfg.Audit.Dir, cfg.Certs.Dir} {
		if _, err := os.Lstat(p); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s is there already", p)
		}
	}
	return nil
}

// found makes what the configuration names, the configuration itself last.
func found(path string, text []byte, cfg *configs.Config) error {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(cfg.DataDir, 0o700); err != nil { // it may have been there, empty
		return err
	}
	if err := certs.Init(cfg.Certs.Dir); err != nil {
		return err
	}
	if _, err := certs.Open(cfg.Certs.Dir, nil); err != nil {
		return err
	}
	if err := vault.WriteKey(cfg.Vault.KeyFile, vault.GenerateKey()); err != nil {
		return err
	}
	key, err := journal.NewKey()
	if err == nil {
		err = journal.WriteKey(cfg.Audit.KeyFile, audit.Origin(cfg.Instance), key)
	}
	if err != nil {
		return err
	}
	for _, f := range []struct {
		path string
		text []byte
	}{
		{filepath.Join(cfg.Adapters.Dir, "wiki.yaml.example"), configs.ExampleAdapter()},
		{filepath.Join(cfg.Policy.Dir, "office-hours.cedar.example"), configs.ExamplePolicy()},
		{path, text},
	} {
		if err := writeNew(f.path, f.text); err != nil {
			return err
		}
	}
	return nil
}

// writeNew leaves a file that is there as it is.
func writeNew(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func nextSteps(w io.Writer, path string, cfg *configs.Config) {
	flag := ""
	if path != "byline.yaml" {
		flag = " --config " + path
	}
	example := filepath.Join(cfg.Adapters.Dir, "wiki.yaml")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][]string{
		{"made", near(path), "the settings, with comments"},
		{"", near(cfg.DataDir), "keys and state: let nobody else read it, and keep a copy of its keys"},
		{"", near(filepath.Join(cfg.Certs.Dir, "root.crt")), "for agents to trust that byline run does not start"},
		{"", near(cfg.Audit.KeyFile + ".pub"), "for whoever is to verify the record"},
		{},
		{"next", "describe an application", "cp " + near(example+".example") + " " + near(example) + ", edit hosts and owner"},
		{"", "", "byline adapter check" + flag},
		{"", "give it an account", "byline vault put wiki/agent-01" + flag},
		{"", "look it all over", "byline check" + flag},
		{"", "start", "byline serve" + flag},
		{"", "put an agent to work", "byline run" + flag + " --agent NAME --sponsor YOU --purpose WHY --allow 'wiki:page.read' -- COMMAND"},
	} {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush() // the house stands, whether it is told or not
	fmt.Fprintf(w, `
The root's key, %s, signs nothing but issuing authorities for your adapters' hosts. It may be
moved offline: byline ca issue --root-key FILE takes it when the hosts change.
`, near(filepath.Join(cfg.Certs.Dir, "root.key")))
}

// near is a path as it is written from here, when it lies below.
func near(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}
