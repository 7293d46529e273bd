package e2e

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// scaleSizes is the number of sizes at which everything is measured, each
	// scaleStep times the one before. The last is the full one.
	scaleSizes = 3
	scaleStep  = 4

	// maxScaleFactor is by how much an operation may take more processor time from one
	// size to the next: at most linear, with room for the garbage collector.
	maxScaleFactor = 1.6 * scaleStep
	// scaleFloor is the processor time that operations may take at any size.
	scaleFloor = 500 * time.Millisecond
	// maxScaleMemory is by how many bytes the memory of what reads the record as a
	// stream may grow from the smallest size to the largest.
	maxScaleMemory = 64 << 20
)

// scaleRow is one operation at all sizes.
type scaleRow struct {
	what    string
	streams bool // its memory may not grow with the input
	at      [scaleSizes]scaleCell
}

// scaleCell is one operation at one size.
type scaleCell struct {
	size   int
	took   time.Duration
	cpu    time.Duration // of the server or the command
	memory int64         // bytes resident at most, or of the server afterwards
}

// scaleTest collects rows.
type scaleTest struct {
	t    *testing.T
	rows []*scaleRow
}

// row returns the row of an operation.
func (s *scaleTest) row(what string) *scaleRow {
	for _, r := range s.rows {
		if r.what == what {
			return r
		}
	}
	s.rows = append(s.rows, &scaleRow{what: what})
	return s.rows[len(s.rows)-1]
}

// note adds the figures of one size. index says which.
func (s *scaleTest) note(index int, what string, size int, used usage, memory int64) {
	s.row(what).at[index] = scaleCell{size, used.took, used.cpu, memory}
	s.t.Logf("%s: %d: %.2f s, CPU %.2f s, %d MB", what, size, used.took.Seconds(), used.cpu.Seconds(), memory>>20)
}

// TestScale measures living tasks, ended tasks, adapters and records at three sizes, and
// fails if processor time grows faster than the input, or memory at all where the record
// is read as a stream. BYLINE_SCALE is a percentage of the full sizes: 10,000 living and
// 100,000 ended tasks, 1,000 adapters, 5 million records. BYLINE_SCALE_PARTS names what
// is measured, if not everything. The table is put into BYLINE_SCALE_RESULTS, if that
// names a file; rows of what was not measured stay there.
func TestScale(t *testing.T) {
	percent, err := strconv.Atoi(os.Getenv("BYLINE_SCALE"))
	if err != nil {
		t.Skip("BYLINE_SCALE is a percentage of the full sizes, like 100; see make scale")
	}
	parts := []struct {
		name    string
		full    int
		measure func(s *scaleTest, t *testing.T, index, n int)
	}{
		{"living", 10_000, (*scaleTest).livingTasks},
		{"ended", 100_000, (*scaleTest).endedTasks},
		{"adapters", 1_000, (*scaleTest).adapters},
		{"records", 5_000_000, (*scaleTest).records},
	}

	s := &scaleTest{t: t}
	only := os.Getenv("BYLINE_SCALE_PARTS")
	for _, p := range parts {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		divisor := 1
		for range scaleSizes - 1 {
			divisor *= scaleStep
		}
		for index := range scaleSizes {
			n := max(1, p.full*percent/100/divisor)
			divisor /= scaleStep
			t.Run(fmt.Sprintf("%s/%d", p.name, n), func(t *testing.T) { p.measure(s, t, index, n) })
		}
	}

	file := os.Getenv("BYLINE_SCALE_RESULTS")
	table := s.table(keptScaleRows(file, s.rows))
	t.Log("\n" + table)
	if file != "" {
		if err := replaceSection(file, scaleHeading, table); err != nil {
			t.Error(err)
		}
	}
	for _, r := range s.rows {
		r.check(t)
	}
}

// check fails the test if the operation grows faster than its input.
func (r *scaleRow) check(t *testing.T) {
	t.Helper()
	for i := range scaleSizes - 1 {
		small, large := r.at[i], r.at[i+1]
		growth := float64(large.size) / float64(small.size) / scaleStep
		if large.cpu > scaleFloor && float64(large.cpu) > maxScaleFactor*growth*float64(max(small.cpu, scaleFloor/scaleStep)) {
			t.Errorf("%s: %d take %v of processor time, %d take %v, want at most linear", r.what, small.size, small.cpu, large.size, large.cpu)
		}
	}
	if least, most := r.at[0].memory, r.at[scaleSizes-1].memory; r.streams && most > least+maxScaleMemory {
		t.Errorf("%s: %d take %d MB of memory, %d take %d MB, want no growth with the input", r.what, r.at[0].size, least>>20, r.at[scaleSizes-1].size, most>>20)
	}
}

const scaleHeading = "## Scale\n"

// table returns the section for bench/RESULTS.md, with rows that an earlier run has
// written.
func (s *scaleTest) table(kept []string) string {
	rows := kept
	for _, r := range s.rows {
		rows = append(rows, r.line())
	}
	order := []string{"| living", "| ended", "| adapters", "| records"}
	rank := func(row string) int {
		return slices.IndexFunc(order, func(prefix string) bool { return strings.HasPrefix(row, prefix) })
	}
	slices.SortStableFunc(rows, func(a, b string) int { return rank(a) - rank(b) })

	return scaleHeading + "\nEach operation at three sizes (`make scale`). CPU is the processor time, user and system, of the server or of the command. Memory is what a command had " +
		"resident at most, or what the server has afterwards. Both include the start of a process where there is one. " +
		"The time is that of the largest size, and depends on what else the machine does. " +
		"`make scale` fails if processor time grows faster than the input, or memory at all where the record is read as a stream.\n\n" +
		"The newest rows were measured on " + describeMachine() + ".\n\n" +
		"| operation | size | CPU | memory | size | CPU | memory | size | CPU | memory | time | CPU for each, in µs |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n" +
		strings.Join(rows, "") + "\n"
}

// line returns the row of the table.
func (r *scaleRow) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |", r.what)
	for _, c := range r.at {
		memory := fmt.Sprintf("%d MB", c.memory>>20)
		if c.memory == 0 {
			memory = "–" // not measured
		}
		fmt.Fprintf(&b, " %d | %.2f s | %s |", c.size, c.cpu.Seconds(), memory)
	}
	fmt.Fprintf(&b, " %.2f s |", r.at[scaleSizes-1].took.Seconds())
	for i, c := range r.at {
		separator := ""
		if i > 0 {
			separator = " →"
		}
		fmt.Fprintf(&b, "%s %.1f", separator, float64(c.cpu.Microseconds())/float64(max(1, c.size)))
	}
	b.WriteString(" |\n")
	return b.String()
}

// keptScaleRows returns the rows in the section of the file, which may be "", of
// operations that are not in rows.
func keptScaleRows(file string, rows []*scaleRow) (kept []string) {
	text, _ := os.ReadFile(file)
	_, section, _ := strings.Cut(string(text), scaleHeading)
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		what, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		isRow := strings.HasPrefix(line, "| ") && strings.Contains(what, ": ")
		if isRow && !slices.ContainsFunc(rows, func(r *scaleRow) bool { return r.what == what }) {
			kept = append(kept, line)
		}
	}
	return kept
}

// describeMachine returns the cores, the kernel and how busy the machine is.
func describeMachine() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	busy := strings.Fields(string(load) + " 0 0 0")[2]
	return fmt.Sprintf("%d cores, Linux %s, %s, with a load average of %s over the last quarter of an hour",
		runtime.NumCPU(), strings.TrimSpace(string(kernel)), runtime.Version(), busy)
}

// replaceSection puts a section in the place of the one with that heading, or before
// the last section of the file.
func replaceSection(path, heading, section string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), heading)
	if found {
		_, after, more := strings.Cut(rest, "\n## ")
		if more {
			section += "## " + after
		}
		return os.WriteFile(path, []byte(before+section), 0o644)
	}

	last := strings.LastIndex(before, "\n## ") + 1
	return os.WriteFile(path, []byte(before[:last]+section+before[last:]), 0o644)
}
