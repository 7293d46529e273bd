package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
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

// Bounds of one reading: an application whose pages never end must not keep the
// command forever.
const (
	maxPages = 10_000
	maxPage  = 64 << 20 // bytes
)

// readApplication reads the application's history through the proxy, in a task that
// may do just that. The requests are decided and recorded like any other.
func (f *reconcileFlags) readApplication(c *cobra.Command, cfg *configs.Config, a *adapters.Adapter, p reports.Period, into *reports.History) error {
	log := a.History()
	if len(log.Read) == 0 {
		return cli.Failed("reconcile", fmt.Errorf("the adapter %s does not say how to ask for the history", f.adapter), "give an export with --export")
	}
	host := f.host
	if host == "" {
		host = a.Hosts()[0]
	}
	if strings.Contains(host, "*") {
		return cli.Failed("reconcile", fmt.Errorf("the adapter's first host is the pattern %s", host), "name a host with --host")
	}

	control, _, err := client.Connect(c)
	if err != nil {
		return err
	}
	scope, err := historyScope(a, &log, p)
	if err != nil {
		return cli.Failed("reconcile", err, "name an action for it in the adapter")
	}
	task, err := control.CreateTask(c.Context(), admin.TaskSpec{
		Agent:   "byline/reconcile",
		Sponsor: f.sponsor,
		Purpose: "reconcile " + f.adapter,
		TTL:     "1h",
		Scope:   scope,
	})
	if err != nil {
		return err
	}
	defer func() {
		// The task must not outlive an interrupted command. If this fails, it expires.
		_ = control.FinishTask(context.WithoutCancel(c.Context()), task.ID)
	}()

	httpClient, err := clientInTask(cfg, &task)
	if err != nil {
		return cli.Failed("reconcile", err, "")
	}
	defer httpClient.CloseIdleConnections()

	step, remove := cli.Progress(c.ErrOrStderr(), "reading the history of "+cli.Printable(host))
	defer remove()
	h := &historyReader{
		ctx:    c.Context(),
		client: httpClient,
		base:   "https://" + host,
		into:   into,
		step:   step,
		period: reports.Period{From: p.From.Add(-reports.Margin), To: p.To.Add(reports.Margin)},
	}
	for i := range log.Read {
		if err := h.read(&log.Read[i]); err != nil {
			return cli.Failed("reconcile", err, "byline explain shows how the adapter classifies the request")
		}
	}
	return nil
}

// historyScope returns the scope of a task that may make the adapter's own requests for
// the history: their actions, as the adapter classifies them.
func historyScope(a *adapters.Adapter, log *adapters.HistorySpec, p reports.Period) ([]admin.ScopeEntry, error) {
	var scope []admin.ScopeEntry
	for i := range log.Read {
		r := &log.Read[i]
		sample, err := r.SamplePath(p.From, p.To)
		if err != nil {
			return nil, err
		}
		targets := []string{sample}
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

// clientInTask returns a client that sends its requests through the proxy in the task,
// as a program of byline run would. It follows no redirect.
func clientInTask(cfg *configs.Config, task *admin.Task) (*http.Client, error) {
	roots := x509.NewCertPool()
	root, err := os.ReadFile(filepath.Join(cfg.Certs.Dir, "root.crt"))
	if err != nil {
		return nil, err
	}
	if !roots.AppendCertsFromPEM(root) {
		return nil, errors.New("root.crt holds no certificate in PEM form")
	}

	proxy := &url.URL{Scheme: "http", Host: cli.DialAddress(cfg.Listen), User: url.UserPassword(task.ID, task.Token)}
	if cfg.TLS.Cert != "" {
		proxy.Scheme = "https"
		if chain, err := os.ReadFile(cfg.TLS.Cert); err == nil {
			roots.AppendCertsFromPEM(chain) // the proxy's own certificate may be self-signed
		}
	}

	return &http.Client{
		Transport: &http.Transport{
			Proxy:           http.ProxyURL(proxy),
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		},
		Timeout:       2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// historyReader reads an application's history page by page.
type historyReader struct {
	ctx    context.Context
	client *http.Client
	base   string // scheme and host
	into   *reports.History
	period reports.Period // with its margins
	step   func(done, total int64)
	bytes  int64 // that were read
}

// read reads one of the adapter's requests, over all of its pages. If the request is made
// for each item of a list, it reads those of all items.
func (h *historyReader) read(r *adapters.HistoryRead) error {
	if r.Each.Get == "" {
		return h.readItem(r, nil)
	}

	var items []map[string]string
	listPath := func(next string) (string, error) { return r.Each.Path(next), nil }
	err := h.readPages(listPath, r.Each.Page, func(page []map[string]string) (bool, error) {
		items = append(items, page...)
		return true, nil
	})
	if err != nil {
		return err
	}

	for _, item := range items {
		if err := h.readItem(r, item); err != nil {
			return err
		}
	}
	return nil
}

// readItem reads the entries of one item; a nil item stands for the whole application. An
// entry that is on two pages, because others were added while they were read, counts
// once: it has the same id, or it is among the same items at the end of a page and the
// beginning of the next one.
func (h *historyReader) readItem(r *adapters.HistoryRead, item map[string]string) error {
	seen := map[string]bool{} // ids
	var before []string       // items of the last page
	page := 0
	path := func(next string) (string, error) { return r.Path(h.period.From, h.period.To, item, next) }
	return h.readPages(path, r.Page, func(items []map[string]string) (more bool, err error) {
		page++
		now := make([]string, len(items))
		for i, fields := range items {
			now[i] = itemKey(fields)
		}
		for i := repeated(before, now); i < len(items); i++ {
			id := h.into.Reader().ID(items[i])
			if id == "" || !seen[id] {
				h.into.Add(items[i], fmt.Sprintf("page %d item %d", page, i+1))
			}
			seen[id] = true
		}
		before = now

		if r.NewestFirst && len(items) > 0 {
			past, err := h.into.Reader().Before(items[len(items)-1], h.period.From)
			return err != nil || !past, nil // Add has noted a time that cannot be read
		}
		return true, nil
	})
}

// repeated returns how many items at the start of a page are those at the end of the page
// before it.
func repeated(before, now []string) int {
	for n := min(len(before), len(now)); n > 0; n-- {
		if slices.Equal(before[len(before)-n:], now[:n]) {
			return n
		}
	}
	return 0
}

// itemKey is the whole of an item.
func itemKey(fields map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, "%q=%q ", name, fields[name])
	}
	return b.String()
}

// readPages asks for one page after the other, until there is no further one or take
// returns false. path returns the target of a page; parse returns its items and what
// names the next page, "" for none.
func (h *historyReader) readPages(
	path func(next string) (string, error),
	parse func(body []byte, page int) ([]map[string]string, string, error),
	take func(items []map[string]string) (more bool, err error),
) error {
	next := ""
	for page := 1; page <= maxPages; page++ {
		target, err := path(next)
		if err != nil {
			return err
		}
		body, err := h.get(h.base + target)
		if err != nil {
			return err
		}

		var items []map[string]string
		items, next, err = parse(body, page)
		if err != nil {
			return err
		}
		more, err := take(items)
		if err != nil || !more || next == "" {
			return err
		}
	}
	return fmt.Errorf("the history has more than %d pages; name a shorter period", maxPages)
}

// get returns the body of an answer with status 200.
func (h *historyReader) get(target string) ([]byte, error) {
	req, err := http.NewRequestWithContext(h.ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	res, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return nil, err
	}

	h.bytes += int64(len(body))
	if h.step != nil {
		h.step(h.bytes, -1)
	}

	if res.StatusCode != http.StatusOK {
		var refusal struct{ Code, Detail string }
		_ = json.Unmarshal(body, &refusal) // an answer of the application has neither
		return nil, fmt.Errorf("%s answered %s %s %s", req.URL.Path, res.Status, refusal.Code, refusal.Detail)
	}
	return body, nil
}
