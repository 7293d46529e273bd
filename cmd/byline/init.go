package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/audit"
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
			return failed("init", err, "")
		}
		if err := untouched(path, cfg); err != nil {
			return failed("init", err, "name another --config or --data-dir, or move it away")
		}
		if err := found(path, text, cfg); err != nil {
			return failed("init", err, "nothing was started; what was made so far may be removed")
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
	key, err := audit.NewKey()
	if err == nil {
		err = audit.WriteKey(cfg.Audit.KeyFile, audit.Origin(cfg.Instance), key)
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
	fmt.Fprintf(w, `made    %s
        %s       keys and state; back it up, and let nobody else read it
        %s       give it to agents that byline run does not start
        %s       give it to whoever is to verify the record

next    1. describe an application:    cp %s %s
                                       (edit hosts and owner)
                                       byline adapter check%s
        2. give it an account:         byline vault put wiki/agent-01%s
        3. look it all over:           byline check%s
        4. start:                      byline serve%s
        5. put an agent to work:       byline run%s --agent NAME --sponsor YOU --purpose WHY --allow 'wiki:page.read' -- COMMAND

The root's key, %s, signs nothing but issuing authorities for your adapters' hosts. It may be moved
offline: byline ca issue --root-key FILE then takes it when the hosts change.
`, path, cfg.DataDir, filepath.Join(cfg.Certs.Dir, "root.crt"), cfg.Audit.KeyFile+".pub",
		filepath.Join(cfg.Adapters.Dir, "wiki.yaml.example"), filepath.Join(cfg.Adapters.Dir, "wiki.yaml"),
		flag, flag, flag, flag, flag, filepath.Join(cfg.Certs.Dir, "root.key"))
}
