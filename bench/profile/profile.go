// Package profile shows where a process spends its CPU time. It samples the
// process from outside with perf(1), so that the kernel, the standard library and
// Byline's own code are measured alike.
package profile

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Share is the share of the samples that belong to a name.
type Share struct {
	Name    string  `json:"name"`
	Percent float64 `json:"percent"`
}

// Profile says where the samples were taken. Both lists are sorted by share, and
// do not contain small shares.
type Profile struct {
	Samples int64 `json:"samples"`
	// Places counts each sample once: for the package of its innermost function,
	// or for the system call in which the kernel was.
	Places []Share `json:"places"`
	// Functions counts each sample for every function of Byline on its stack.
	Functions []Share `json:"steps"`
}

// module is the prefix of the names of Byline's functions.
const module = "github.com/byline-proxy/byline/"

// Record samples a process for the given duration. It needs perf and the
// permission to use it; the error says what is missing. perf writes its file to
// dir.
func Record(ctx context.Context, pid int, duration time.Duration, dir string) (*Profile, error) {
	if _, err := exec.LookPath("perf"); err != nil {
		return nil, errors.New("perf is not installed (Debian: linux-perf)")
	}
	file := filepath.Join(dir, "byline.perf")
	ctx, cancel := context.WithTimeout(ctx, duration+time.Minute)
	defer cancel()
	record := exec.CommandContext(ctx, "perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-g",
		"-p", strconv.Itoa(pid), "-o", file, "--", "sleep", strconv.FormatFloat(duration.Seconds(), 'f', 1, 64))
	if out, err := record.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("perf record: %w: %s", err, bytes.TrimSpace(out))
	}

	script := exec.CommandContext(ctx, "perf", "script", "-i", file, "-F", "comm,ip,sym")
	out, err := script.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("perf script: %w", err)
	}
	if err := script.Start(); err != nil {
		return nil, fmt.Errorf("perf script: %w", err)
	}
	p, err := parseScript(out)
	return p, errors.Join(err, script.Wait())
}

// parseScript parses the output of perf script: per sample one line, then an
// indented line for each stack frame, innermost first, then an empty line.
func parseScript(r io.Reader) (*Profile, error) {
	p := &Profile{}
	places, functions := map[string]int64{}, map[string]int64{}
	var stack []string
	countSample := func() {
		if len(stack) == 0 {
			return
		}
		p.Samples++
		places[placeOf(stack)]++
		slices.Sort(stack)
		for _, symbol := range slices.Compact(stack) { // a recursive function counts once
			if name, ok := strings.CutPrefix(symbol, module); ok {
				functions[name]++
			}
		}
		stack = stack[:0]
	}

	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.TrimSpace(line) == "":
			countSample()
		case line[0] == ' ' || line[0] == '\t':
			if _, symbol, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				stack = append(stack, symbol)
			}
		}
	}
	countSample()
	if p.Samples == 0 {
		return nil, errors.Join(errors.New("perf took no samples"), lines.Err())
	}
	p.Places = p.shares(places, 0.5)
	p.Functions = p.shares(functions, 2)
	return p, lines.Err()
}

// shares converts counts to shares, sorts them, and omits those below minPercent.
func (p *Profile) shares(counts map[string]int64, minPercent float64) []Share {
	var shares []Share
	for name, n := range counts {
		percent := 100 * float64(n) / float64(p.Samples)
		if percent >= minPercent {
			shares = append(shares, Share{name, percent})
		}
	}
	slices.SortFunc(shares, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Percent, a.Percent), cmp.Compare(a.Name, b.Name))
	})
	return shares
}

// placeOf returns the package of the innermost function of a stack. The names of
// kernel functions contain neither a slash nor a dot; for these it returns the
// system call if the stack contains one.
func placeOf(stack []string) string {
	symbol := stack[0]
	slash := strings.LastIndexByte(symbol, '/')
	name, _, hasDot := strings.Cut(symbol[slash+1:], ".")
	if slash < 0 && !hasDot {
		for _, s := range stack {
			if call, ok := strings.CutPrefix(s, "__x64_sys_"); ok {
				return "kernel: " + call
			}
		}
		return "kernel: other"
	}
	return strings.TrimPrefix(symbol[:slash+1]+name, module)
}
