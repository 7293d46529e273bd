package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/certs"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/load"
)

func caCommand() *cobra.Command {
	ca := &cobra.Command{Use: "ca", Short: "Show and hand out the interception authority", Example: "  byline ca show", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return errors.New("ca: name one of show, export and issue") }}
	ca.AddCommand(caShow(), caExport(), caIssue())
	return ca
}

// authorityView is a certificate of the authority as ca show lists it.
type authorityView struct {
	Name        string    `json:"name"`
	Fingerprint string    `json:"sha256"`
	Expires     time.Time `json:"expires"`
	Signs       []string  `json:"signs"` // names that it is constrained to; empty: authorities alone
}

func caShow() *cobra.Command {
	c := &cobra.Command{Use: "show", Short: "Show the root, the issuing authority and the names it may sign", Args: cobra.NoArgs,
		Example: "  byline ca show\n  byline ca show --json"}
	asJSON := cli.JSONFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load.Settings(c)
		if err != nil {
			return err
		}
		var all []authorityView
		for _, file := range []string{"root.crt", "issuing.crt"} {
			v, err := viewCert(filepath.Join(cfg.Certs.Dir, file))
			if err != nil {
				return cli.Failed("ca", err, "byline init makes the authority")
			}
			all = append(all, v)
		}
		if *asJSON {
			return cli.WriteJSON(c.OutOrStdout(), all)
		}
		var rows [][]string
		for _, v := range all {
			rows = append(rows, []string{v.Name, cli.When(v.Expires, time.Now()), strings.Join(v.Signs, ", "), v.Fingerprint})
		}
		return cli.Table(c.OutOrStdout(), []string{"AUTHORITY", "EXPIRES", "SIGNS", "SHA-256"}, rows)
	}
	return c
}

func viewCert(path string) (v authorityView, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return v, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return v, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return v, fmt.Errorf("%s: %w", path, err)
	}
	v = authorityView{Name: cert.Subject.CommonName, Fingerprint: fmt.Sprintf("%x", sha256.Sum256(cert.Raw)), Expires: cert.NotAfter, Signs: cert.PermittedDNSDomains}
	for _, n := range cert.PermittedIPRanges {
		v.Signs = append(v.Signs, n.String())
	}
	return v, nil
}

func caExport() *cobra.Command {
	var bundle bool
	c := &cobra.Command{Use: "export", Short: "Write the root certificate for agents to trust", Args: cobra.NoArgs,
		Long: "Writes the root certificate in PEM form. Variables like SSL_CERT_FILE, REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE replace a\n" +
			"program's trust store: give them --bundle, which has the system's roots as well. NODE_EXTRA_CA_CERTS takes the root alone.",
		Example: "  byline ca export > byline-root.pem\n  byline ca export --bundle > bundle.pem"}
	c.Flags().BoolVar(&bundle, "bundle", false, "put the system's roots in front")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load.Settings(c)
		if err != nil {
			return err
		}
		root, err := os.ReadFile(filepath.Join(cfg.Certs.Dir, "root.crt"))
		if err != nil {
			return cli.Failed("ca", err, "byline init makes the authority")
		}
		if bundle {
			system := systemRoots()
			if system == nil {
				return cli.Failed("ca", errors.New("no file of system roots was found"), "install the package ca-certificates, or leave out --bundle")
			}
			root = append(append(system, '\n'), root...)
		}
		if _, err := c.OutOrStdout().Write(root); err != nil {
			return cli.Failed("output", err, "")
		}
		return nil
	}
	return c
}

func caIssue() *cobra.Command {
	var rootKey string
	c := &cobra.Command{Use: "issue", Short: "Make the issuing authority anew for the adapters' hosts", Args: cobra.NoArgs,
		Long: "Signs a new issuing authority for exactly the hosts that the adapters name. The server does this by itself while it has\n" +
			"the root's key; this is for a root whose key was moved offline. A running server takes it up at its next reload (SIGHUP).",
		Example: "  byline ca issue --root-key /media/safe/root.key"}
	c.Flags().StringVar(&rootKey, "root-key", "", "file with the root's key, when it is not in certs.dir")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load.Settings(c)
		if err != nil {
			return err
		}
		var found load.Problems
		rules := load.Rules(cfg, &found)
		if len(found) > 0 {
			return load.Refused(c, found)
		}
		hosts := load.Hosts(rules)
		if err := certs.Issue(cfg.Certs.Dir, rootKey, hosts); err != nil {
			return cli.Failed("ca", err, "name the root's key with --root-key")
		}
		fmt.Fprintf(c.OutOrStdout(), "issued for %s: %s\n", cli.Counted(len(hosts), "host"), strings.Join(hosts, ", "))
		return nil
	}
	return c
}
