package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
	"github.com/byline-proxy/byline/cmd/byline/internal/client"
	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/configs"
	"github.com/byline-proxy/byline/proxy/admin"
)

// Bounds of one reading: an application that never ends its pages must not
// keep us for ever.
const (
	maxPages = 10_000
	maxPage  = 64 << 20 // bytes
)

// readApplication asks the application for its history through the proxy: in a
// task of its own that may do exactly that, decided and on record like any
// other.
func (f *reconcileFlags) readApplication(c *cobra.Command, cfg *configs.Config, a *adapters.Adapter, p reports.Period) ([]adapters.HistoryEntry, error) {
	host := f.host
	if host == "" {
		host = a.Hosts()[0]
	}
	log := a.History()
	if len(log.Read) == 0 {
		return nil, cli.Failed("reconcile", fmt.Errorf("the adapter %s says nowhere how the history is asked for", f.adapter), "give an export with --export")
	}
	if strings.Contains(host, "*") {
		return nil, cli.Failed("reconcile", fmt.Errorf("the adapter's first host is the pattern %s", host), "name a host with --host")
	}
	control, _, err := client.Reach(c)
	if err != nil {
		return nil, err
	}
	spec := admin.TaskSpec{Agent: "byline/reconcile", Sponsor: f.sponsor, Purpose: "reconcile " + f.adapter, TTL: "1h"}
	if spec.Scope, err = readScope(a, &log, p); err != nil {
		return nil, cli.Failed("reconcile", err, "name an action for it in the adapter")
	}
	ctx := cli.Background(c)
	out, err := control.Ask(ctx, http.MethodPost, "/v1/tasks", &spec)
	if err != nil {
		return nil, err
	}
	var made admin.Task
	if err := json.Unmarshal(out, &made); err != nil {
		return nil, cli.Failed("reconcile", err, "")
	}
	defer func() {
		_, _ = control.Ask(context.WithoutCancel(ctx), http.MethodDelete, "/v1/tasks/"+url.PathEscape(made.ID), nil)
	}()
	client, err := throughProxy(cfg, &made)
	if err != nil {
		return nil, cli.Failed("reconcile", err, "")
	}
	defer client.CloseIdleConnections()
	p.From, p.To = p.From.Add(-reports.Margin), p.To.Add(reports.Margin)
	reading := &reading{ctx, client, "https://" + host, &log, p}
	var entries []adapters.HistoryEntry
	for i := range log.Read {
		more, err := reading.history(&log.Read[i])
		if err != nil {
			return nil, cli.Failed("reconcile", err, "byline explain shows what the adapter makes of the request")
		}
		entries = append(entries, more...)
	}
	return entries, nil
}

// readScope is what the adapter calls its own requests for the history.
func readScope(a *adapters.Adapter, log *adapters.HistorySpec, p reports.Period) (scope []admin.ScopeEntry, err error) {
	for i := range log.Read {
		r := &log.Read[i]
		target, err := r.SamplePath(p.From, p.To)
		if err != nil {
			return nil, err
		}
		targets := []string{target}
		if r.Each.Get != "" {
			targets = append(targets, r.Each.Path(""))
		}
		for _, target := range targets {
			path, query, _ := strings.Cut(target, "?")
			action, why := a.Classify(adapters.Query{Method: http.MethodGet, Path: path, RawQuery: query})
			if why != nil || action.Login {
				return nil, fmt.Errorf("no action of the adapter is GET %s", path)
			}
			scope = append(scope, admin.ScopeEntry{Adapter: a.Name(), Actions: []string{action.Name}})
		}
	}
	return scope, nil
}

// throughProxy is a client that works in a task, as byline run would have it.
func throughProxy(cfg *configs.Config, task *admin.Task) (*http.Client, error) {
	root, err := os.ReadFile(filepath.Join(cfg.Certs.Dir, "root.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return nil, errors.New("root.crt holds no certificate in PEM form")
	}
	proxy := &url.URL{Scheme: "http", Host: cli.Dialable(cfg.Listen), User: url.UserPassword(task.ID, task.Token)}
	if cfg.TLS.Cert != "" {
		proxy.Scheme = "https"
		if more, err := os.ReadFile(cfg.TLS.Cert); err == nil {
			roots.AppendCertsFromPEM(more)
		}
	}
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &http.Client{Transport: tr, Timeout: 2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// reading is an application's history while it is read.
type reading struct {
	ctx    context.Context
	client *http.Client
	at     string // scheme and host
	log    *adapters.HistorySpec
	p      reports.Period // with its margins
}

// history is what one of the adapter's requests gives, over all of its pages,
// and over all things that have a history of their own.
func (h *reading) history(r *adapters.HistoryRead) ([]adapters.HistoryEntry, error) {
	if r.Each.Get == "" {
		return h.one(r, nil)
	}
	var all []map[string]string
	err := h.pages(func(next string) (string, error) { return r.Each.Path(next), nil }, r.Each.Page, func(items []map[string]string) (bool, error) {
		all = append(all, items...)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	var entries []adapters.HistoryEntry
	for _, item := range all {
		more, err := h.one(r, item)
		if err != nil {
			return nil, err
		}
		entries = append(entries, more...)
	}
	return entries, nil
}

// one is the history of one item. An entry that stands on two pages, because
// others came while they were read, counts once.
func (h *reading) one(r *adapters.HistoryRead, item map[string]string) (entries []adapters.HistoryEntry, err error) {
	seen := map[string]bool{}
	path := func(next string) (string, error) { return r.Path(h.p.From, h.p.To, item, next) }
	err = h.pages(path, r.Page, func(items []map[string]string) (more bool, err error) {
		for _, item := range items {
			e, ours, err := h.log.Interpret(item)
			if err != nil {
				return false, err
			}
			if ours && (e.ID == "" || !seen[e.ID]) {
				seen[e.ID] = true
				entries = append(entries, e)
			}
		}
		if r.NewestFirst && len(items) > 0 {
			over, err := h.log.Before(items[len(items)-1], h.p.From)
			return !over, err
		}
		return true, nil
	})
	return entries, err
}

// pages asks for page after page, until there is none or take wants no more.
func (h *reading) pages(path func(next string) (string, error), read func([]byte, int) ([]map[string]string, string, error), take func([]map[string]string) (bool, error)) error {
	next := ""
	for page := 1; page <= maxPages; page++ {
		target, err := path(next)
		if err != nil {
			return err
		}
		body, err := readPage(h.ctx, h.client, h.at+target)
		if err != nil {
			return err
		}
		var items []map[string]string
		if items, next, err = read(body, page); err != nil {
			return err
		}
		if more, err := take(items); err != nil || !more || next == "" {
			return err
		}
	}
	return fmt.Errorf("the history has more than %d pages; name a shorter period", maxPages)
}

func readPage(ctx context.Context, client *http.Client, target string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		var p struct{ Code, Detail string }
		_ = json.Unmarshal(body, &p) // an answer of the application's has neither
		return nil, fmt.Errorf("%s answered %s %s %s", req.URL.Path, res.Status, p.Code, p.Detail)
	}
	return body, nil
}
