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
	"syscall"
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
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration and make every key that a server needs",
		Args:  cobra.NoArgs,
		Long: "Writes a commented configuration file and makes the data directory, the interception authority, the key of the vault and\n" +
			"the keys of the audit log. It never overwrites anything.",
		Example: "  byline init\n  byline init --config /etc/byline/byline.yaml --data-dir /var/lib/byline",
	}
	var dataDir string
	c.Flags().StringVar(&dataDir, "data-dir", "data", "folder for keys and state; a relative path starts at the folder of the configuration file")

	c.RunE = func(c *cobra.Command, _ []string) error {
		path, _ := c.Flags().GetString("config")
		text := dataDirLine.ReplaceAll(configs.Reference(), []byte("data_dir: "+quoteForYAML(dataDir)+" "))
		cfg, err := configs.Parse(path, text)
		if err != nil {
			return cli.Failed("init", err, "")
		}

		if err := checkNotInstalled(path, cfg); err != nil {
			return cli.Failed("init", err, "name another --config or --data-dir, or move it away")
		}
		if err := install(path, text, cfg); err != nil {
			return cli.Failed("init", err, "nothing was started; what was made so far may be removed")
		}

		showNextSteps(c.OutOrStdout(), path, cfg)
		return nil
	}
	return c
}

// dataDirLine matches the key data_dir in the reference configuration.
var dataDirLine = regexp.MustCompile(`(?m)^data_dir: data `)

func quoteForYAML(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// checkNotInstalled fails if any file of an installation exists: a new key could not
// open what the old one sealed.
func checkNotInstalled(path string, cfg *configs.Config) error {
	for _, p := range []string{
		path,
		cfg.Vault.KeyFile,
		cfg.Vault.File,
		cfg.Audit.KeyFile,
		cfg.Audit.KeyFile + ".pub",
		cfg.Audit.Dir,
		cfg.Certs.Dir,
	} {
		if _, err := os.Lstat(p); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s is there already", p)
		}
	}
	return nil
}

// install makes what the configuration names. The configuration itself comes last: once
// it exists, the installation is complete.
func install(path string, text []byte, cfg *configs.Config) error {
	if err := makeDataDir(cfg.DataDir); err != nil {
		return err
	}
	if err := os.Chmod(cfg.DataDir, 0o700); err != nil { // it may have existed, empty
		return err
	}

	if err := certs.Init(cfg.Certs.Dir); err != nil {
		return err
	}
	if _, err := certs.Open(cfg.Certs.Dir, nil); err != nil { // makes the issuing authority
		return err
	}
	if err := vault.WriteKey(cfg.Vault.KeyFile, vault.GenerateKey()); err != nil {
		return err
	}
	key, err := journal.NewKey()
	if err != nil {
		return err
	}
	if err := journal.WriteKey(cfg.Audit.KeyFile, audit.Origin(cfg.Instance), key); err != nil {
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
		if err := writeIfMissing(f.path, f.text); err != nil {
			return err
		}
	}
	return nil
}

// writeIfMissing writes a file, and its folder, unless the file exists.
func writeIfMissing(path string, text []byte) error {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		if err := errors.Join(os.MkdirAll(folder, 0o755), os.Chmod(folder, 0o755)); err != nil {
			return err
		}
	}

	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	// The modes do not depend on the umask: that of root may hide the file from the
	// user that runs the server.
	return errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
}

// makeDataDir makes the data folder. If root makes it, it belongs to the owner of the
// folder above it, as do all files in it.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil || os.Geteuid() != 0 {
		return err
	}

	above, err := os.Stat(filepath.Dir(dir))
	if err != nil {
		return err
	}
	owner, ok := above.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Lchown(dir, int(owner.Uid), int(owner.Gid))
}

// showNextSteps says what was made and what to do next. Errors of writing are ignored:
// the installation is complete.
func showNextSteps(w io.Writer, path string, cfg *configs.Config) {
	flag := ""
	if path != "byline.yaml" {
		flag = " --config " + path
	}
	adapter := relativePath(filepath.Join(cfg.Adapters.Dir, "wiki.yaml"))

	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][]string{
		{"made", relativePath(path), "the settings, with comments"},
		{"", relativePath(cfg.DataDir), "keys and state: let nobody else read it, and keep a copy of its keys"},
		{"", relativePath(filepath.Join(cfg.Certs.Dir, "root.crt")), "to be trusted by agents that byline run does not start"},
		{"", relativePath(cfg.Audit.KeyFile + ".pub"), "for everybody who verifies the record"},
		{},
		{"next", "describe an application", "cp " + adapter + ".example " + adapter + ", edit hosts and owner"},
		{"", "", "byline adapter check" + flag},
		{"", "give it an account", "byline vault put wiki/agent-01" + flag},
		{"", "check everything", "byline check" + flag},
		{"", "start", "byline serve" + flag},
		{"", "put an agent to work", "byline run" + flag + " --agent NAME --sponsor YOU --purpose WHY --allow 'wiki:page.read' -- COMMAND"},
	} {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush()

	fmt.Fprintf(w, `
The root's key, %s, signs only issuing authorities for your adapters' hosts. It may be
moved offline: byline ca issue --root-key FILE uses it when the hosts change.
`, relativePath(filepath.Join(cfg.Certs.Dir, "root.key")))
}

// relativePath returns the path from the current folder if it is below that, otherwise
// the path itself.
func relativePath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}

	rel, err := filepath.Rel(here, path)
	if err != nil || !filepath.IsLocal(rel) {
		return path
	}
	return rel
}
