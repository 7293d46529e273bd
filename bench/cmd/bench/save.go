package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/byline-proxy/byline/bench/report"
)

// save writes the page with its charts, and the raw figures.
func save(r *report.Run, s *settings) error {
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.out, "results.json"), append(raw, '\n'), 0o644); err != nil {
		return err
	}

	var page strings.Builder
	r.Scale = keptSection(s.results)
	if err := r.Write(&page); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.results), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(s.results, []byte(page.String()), 0o644); err != nil {
		return err
	}

	charts := filepath.Join(filepath.Dir(s.results), report.ChartDir)
	if err := os.MkdirAll(charts, 0o755); err != nil {
		return err
	}
	for name, svg := range r.Charts() {
		if err := os.WriteFile(filepath.Join(charts, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stderr, "written:", s.results)
	return nil
}

// keptSection returns the section of the page at path that make scale has written, or
// the empty string.
func keptSection(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	_, section, found := strings.Cut(string(text), report.ScaleHeading)
	if !found {
		return ""
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return report.ScaleHeading + section + "\n"
}
