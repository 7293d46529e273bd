package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
)

const hintNoAuthority = "byline init makes the authority"

func caCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "ca",
		Short:   "Show and export the interception authority",
		Example: "  byline ca show",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return errors.New("ca: name one of show, export and issue") },
	}
	c.AddCommand(caShowCommand(), caExportCommand(), caIssueCommand())
	return c
}

func caShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "show",
		Short:   "Show the root, the issuing authority and the names it may sign",
		Args:    cobra.NoArgs,
		Example: "  byline ca show\n  byline ca show --json",
	}
	asJSON := cli.JSONFlag(c)

	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load.Config(c)
		if err != nil {
			return err
		}

		var all []authorityView
		for _, file := range []string{"root.crt", "issuing.crt"} {
			v, err := readAuthority(filepath.Join(cfg.Certs.Dir, file))
			if err != nil {
				return cli.Failed("ca", err, hintNoAuthority)
			}
			all = append(all, v)
		}

		return cli.Print(c, *asJSON, all, func(w io.Writer) error { return listAuthorities(w, all) })
	}
	return c
}

// authorityView is a certificate of the authority as ca show lists it.
type authorityView struct {
	Name        string    `json:"name"`
	Fingerprint string    `json:"sha256"`
	Expires     time.Time `json:"expires"`
	Signs       []string  `json:"signs"` // names to which it is constrained; empty: authorities only
}

func readAuthority(path string) (authorityView, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return authorityView{}, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return authorityView{}, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return authorityView{}, fmt.Errorf("%s: %w", path, err)
	}

	v := authorityView{
		Name:        cert.Subject.CommonName,
		Fingerprint: fmt.Sprintf("%x", sha256.Sum256(cert.Raw)),
		Expires:     cert.NotAfter,
		Signs:       cert.PermittedDNSDomains,
	}
	for _, n := range cert.PermittedIPRanges {
		v.Signs = append(v.Signs, n.String())
	}
	return v, nil
}

func listAuthorities(w io.Writer, all []authorityView) error {
	var rows [][]string
	for _, v := range all {
		rows = append(rows, []string{v.Name, cli.RelativeTime(v.Expires, time.Now()), strings.Join(v.Signs, ", "), v.Fingerprint})
	}
	return cli.Table(w, []string{"AUTHORITY", "EXPIRES", "SIGNS", "SHA-256"}, rows)
}

func caExportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the root certificate for agents to trust",
		Args:  cobra.NoArgs,
		Long: "Writes the root certificate in PEM form. Variables like SSL_CERT_FILE, REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE replace a\n" +
			"program's trust store: give them --bundle, which has the system's roots as well. NODE_EXTRA_CA_CERTS takes the root alone.",
		Example: "  byline ca export > byline-root.pem\n  byline ca export --bundle > bundle.pem",
	}
	var bundle bool
	c.Flags().BoolVar(&bundle, "bundle", false, "put the system's roots in front")

	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load.Config(c)
		if err != nil {
			return err
		}
		root, err := os.ReadFile(filepath.Join(cfg.Certs.Dir, "root.crt"))
		if err != nil {
			return cli.Failed("ca", err, hintNoAuthority)
		}

		if bundle {
			system := readSystemRoots()
			if system == nil {
				return cli.Failed("ca", errors.New("no file of system roots was found"),
					"install the package ca-certificates, or leave out --bundle")
			}
			root = append(append(system, '\n'), root...)
		}

		_, err = c.OutOrStdout().Write(root)
		return cli.OutputFailed(err)
	}
	return c
}

func caIssueCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "issue",
		Short: "Issue a new issuing authority for the adapters' hosts",
		Args:  cobra.NoArgs,
		Long: "Signs a new issuing authority for exactly the hosts that the adapters name. The server does this automatically while it\n" +
			"has the root's key; this command is for a root whose key was moved offline. A running server uses the new authority\n" +
			"after its next reload (SIGHUP).",
		Example: "  byline ca issue --root-key /media/safe/root.key",
	}
	var rootKey string
	c.Flags().StringVar(&rootKey, "root-key", "", "file with the root's key, if it is not in certs.dir")

	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load.Config(c)
		if err != nil {
			return err
		}
		var found load.Problems
		rules := load.Rules(cfg, &found)
		if len(found) > 0 {
			return found.Report(c.ErrOrStderr())
		}

		hosts := load.Hosts(rules)
		if err := certs.Issue(cfg.Certs.Dir, rootKey, hosts); err != nil {
			return cli.Failed("ca", err, "name the root's key with --root-key")
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "issued for %s: %s\n", cli.Plural(len(hosts), "host"), strings.Join(hosts, ", "))
		return cli.OutputFailed(err)
	}
	return c
}
