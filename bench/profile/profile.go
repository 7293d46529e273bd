// Package profile says where a process spends its CPU time, from outside, with
// perf(1): kernel, crypto and our own code on one scale.
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

// Share is a part of the whole.
type Share struct {
	Name    string  `json:"name"`
	Percent float64 `json:"percent"`
}

// Profile is where the samples fell.
type Profile struct {
	Samples int64 `json:"samples"`
	// Places has each sample once, under the package of its innermost function.
	Places []Share `json:"places"`
	// Steps has a sample under every function of ours that it was called from.
	Steps []Share `json:"steps"`
}

// module is what the names of our own functions begin with.
const module = "github.com/byline-proxy/byline/"

// Record samples a process for a while. It needs perf and the right to use it;
// the error says which is missing. dir holds perf's file.
func Record(ctx context.Context, pid int, length time.Duration, dir string) (*Profile, error) {
	if _, err := exec.LookPath("perf"); err != nil {
		return nil, errors.New("perf is not installed (Debian: linux-perf)")
	}
	file := filepath.Join(dir, "byline.perf")
	ctx, cancel := context.WithTimeout(ctx, length+time.Minute)
	defer cancel()
	record := exec.CommandContext(ctx, "perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-g", "-p", strconv.Itoa(pid),
		"-o", file, "--", "sleep", strconv.FormatFloat(length.Seconds(), 'f', 1, 64))
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
	p, err := read(out)
	return p, errors.Join(err, script.Wait())
}

// read takes perf script's text: a line for the sample, then a line for each
// frame, innermost first, then an empty line.
func read(r io.Reader) (*Profile, error) {
	p := &Profile{}
	places, steps := map[string]int64{}, map[string]int64{}
	var frames []string
	done := func() {
		if len(frames) == 0 {
			return
		}
		p.Samples++
		places[place(frames)]++
		slices.Sort(frames)
		for _, f := range slices.Compact(frames) {
			if ours, ok := strings.CutPrefix(f, module); ok {
				steps[ours]++
			}
		}
		frames = frames[:0]
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.TrimSpace(line) == "":
			done()
		case line[0] == ' ' || line[0] == '\t':
			if _, symbol, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				frames = append(frames, symbol)
			}
		}
	}
	done()
	if p.Samples == 0 {
		return nil, errors.Join(errors.New("perf took no samples"), lines.Err())
	}
	p.Places = p.shares(places, 0.5)
	p.Steps = p.shares(steps, 2)
	return p, lines.Err()
}

// shares sorts counts by size and leaves out what is below a percentage.
func (p *Profile) shares(counts map[string]int64, least float64) []Share {
	var out []Share
	for name, n := range counts {
		if percent := 100 * float64(n) / float64(p.Samples); percent >= least {
			out = append(out, Share{name, percent})
		}
	}
	slices.SortFunc(out, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Percent, a.Percent), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// place sorts a sample by its innermost function. A kernel function counts as
// kernel, under the system call if that is among the frames.
func place(frames []string) string {
	symbol := frames[0]
	slash := strings.LastIndexByte(symbol, '/')
	name, _, dotted := strings.Cut(symbol[slash+1:], ".")
	if slash < 0 && !dotted {
		for _, f := range frames {
			if call, ok := strings.CutPrefix(f, "__x64_sys_"); ok {
				return "kernel: " + call
			}
		}
		return "kernel: other"
	}
	return strings.TrimPrefix(symbol[:slash+1]+name, module)
}
