package reports

import (
	"net"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
)

// browserHosts are the hosts that browsers call without being told to: updates,
// blocklists, settings, telemetry, tests of the network. A name also stands for the
// names below it.
var browserHosts = []string{
	"accounts.google.com",
	"android.clients.google.com",
	"clients1.google.com",
	"clients2.google.com",
	"clients2.googleusercontent.com",
	"clients3.google.com",
	"clients4.google.com",
	"clientservices.googleapis.com",
	"connectivitycheck.gstatic.com",
	"content-autofill.googleapis.com",
	"dl.google.com",
	"edgedl.me.gvt1.com",
	"mtalk.google.com",
	"optimizationguide-pa.googleapis.com",
	"redirector.gvt1.com",
	"safebrowsing.googleapis.com",
	"sb-ssl.google.com",
	"update.googleapis.com",

	"aus5.mozilla.org",
	"content-signature-2.cdn.mozilla.net",
	"detectportal.firefox.com",
	"firefox-settings-attachments.cdn.mozilla.net",
	"contile.services.mozilla.com",
	"incoming.telemetry.mozilla.org",
	"location.services.mozilla.com",
	"push.services.mozilla.com",
	"settings.services.mozilla.com",
	"shavar.services.mozilla.com",
	"tracking-protection.cdn.mozilla.net",

	"browser.events.data.msn.com",
	"config.edge.skype.com",
	"edge.microsoft.com",
	"functional.events.data.microsoft.com",
	"msedge.api.cdp.microsoft.com",
	"nav-edge.smartscreen.microsoft.com",
	"self.events.data.microsoft.com",
	"smartscreen.microsoft.com",
}

// browserPaths are the paths that browsers ask every site for. A path that ends with *
// stands for all that begin so.
var browserPaths = []string{
	"/favicon.ico",
	"/apple-touch-icon*",
	"/browserconfig.xml",
	"/.well-known/appspecific/com.chrome.devtools.json",
	"/.well-known/change-password",
	"/.well-known/traffic-advice",
}

// preflight stands for the question that a browser asks before a page may send a request
// to another site. Programs that are not browsers hardly ever send OPTIONS.
const preflight = "OPTIONS, as before a cross-site request"

// BrowserCall returns what a refused request was for if browsers make it without being
// told to, otherwise "". A report counts such refusals apart from those of what the
// agent tried. Any program can make such a request, so they are never left out.
func BrowserCall(r *audit.Record) string {
	if r.Kind != "refusal" {
		return ""
	}

	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	isBrowsers := slices.ContainsFunc(browserHosts, func(name string) bool {
		return host == name || strings.HasSuffix(host, "."+name)
	})
	if isBrowsers {
		return host
	}

	if r.Method == "OPTIONS" {
		return preflight
	}
	if r.Method != "GET" && r.Method != "HEAD" {
		return ""
	}
	for _, path := range browserPaths {
		prefix, isPrefix := strings.CutSuffix(path, "*")
		if r.Path == path || isPrefix && strings.HasPrefix(r.Path, prefix) && !strings.Contains(r.Path[1:], "/") {
			return prefix
		}
	}

	return ""
}
