package evidence

import (
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

// Coverage says how much of a practice Byline can carry. None of it makes an organization
// compliant: that is the assessor's finding about the whole system.
type Coverage string

// The degrees of coverage.
const (
	Supports Coverage = "supports" // a technical part of it, for traffic through the proxy
	Partly   Coverage = "partly"   // it helps, and something else must do the rest
	None     Coverage = "none"     // listed so that nobody assumes that this folder covers it
)

// The frameworks, as headings. CMMC Level 2 practices are those of NIST SP 800-171
// Rev. 2, under ids like AC.L2-3.1.1.
const (
	sp800171 = "NIST SP 800-171 Rev. 2 / CMMC Level 2"
	nhi      = "OWASP Non-Human Identities Top 10 (2025)"
	agentic  = "OWASP Top 10 for Agentic Applications (2026)"
	rmf      = "NIST AI RMF 1.0"
)

// Practice is one practice, risk or function of a framework.
type Practice struct {
	Framework string
	ID        string
	Title     string
	Coverage  Coverage
	Does      string // what Byline does about it
	figure    string // a template over Figures; see Figure
	Proof     string // where in this folder to look
	Limits    string // what it does not cover
}

// Practices returns the map from practices to figures, in the order of the report.
func Practices() []Practice {
	return slices.Concat(
		accessControl(),
		auditAndAccountability(),
		identification(),
		nonHumanIdentities(),
		agenticRisks(),
		aiRiskManagement(),
	)
}

// Figure returns the practice's figure for the period, or "" if it has none.
func (p *Practice) Figure(f *Figures) (string, error) {
	if p.figure == "" {
		return "", nil
	}

	t, err := template.New(p.ID).Funcs(template.FuncMap{
		"n":    count,
		"code": func(code string) int { return f.Refused[code] },
	}).Parse(p.figure)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, f); err != nil {
		return "", err
	}
	return b.String(), nil
}

// count is a template function: "1 request", "2 requests". For a list it counts the
// members.
func count(v any, noun string) string {
	switch v := v.(type) {
	case int:
		return cli.Plural(v, noun)
	case []string:
		return cli.Plural(len(v), noun)
	}
	return fmt.Sprint(v)
}
