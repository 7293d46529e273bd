package evidence

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/byline-proxy/byline/adapters"
	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/audit"
)

// Export is everything from which a folder of evidence is written.
type Export struct {
	Instance string
	Version  string // of the program
	Made     time.Time

	Figures  *Figures
	Review   *reports.Review
	Borrowed []reports.Sighting
	Adapters []Adapter

	Log      audit.Folders           // folders of the log
	Keys     map[string][]byte       // the log's public keys, by file name
	WholeLog bool                    // copy the log; otherwise only proofs show its records
	Proofs   int                     // up to this number of records each gets a proof; above it only those of note
	Progress func(done, total int64) // of the proofs; may be nil

	Report   audit.Report // of the verification
	Verified string       // why the log did not verify; "" if it did

	checkpoints []string // of the period; set by writeRecords
}

// Adapter is the interim statement of an adapter in force.
type Adapter struct {
	Name     string   `json:"name"`
	Digest   string   `json:"digest"`
	Hosts    []string `json:"hosts"`
	Reason   string   `json:"reason"`
	Owner    string   `json:"owner"`
	ReviewBy string   `json:"review_by"`
	Overdue  bool     `json:"overdue"`
	Actions  []Action `json:"actions"`

	// Exceptions are what is allowed the application and refused by default.
	Exceptions []adapters.Exception `json:"exceptions,omitempty"`
}

// Action is one action that an adapter names.
type Action struct {
	Name       string `json:"name"`
	Privileged bool   `json:"privileged,omitempty"`
	Login      bool   `json:"login,omitempty"`
}

// start is the beginning of the period, or of the log if the period has none.
func (e *Export) start() time.Time {
	switch {
	case !e.Figures.Period.From.IsZero():
		return e.Figures.Period.From.UTC()
	case !e.Report.From.IsZero():
		return e.Report.From.UTC()
	}
	return e.Made.UTC() // the log is empty
}

// end is the end of the period, or now if it has none.
func (e *Export) end() time.Time {
	if e.Figures.Period.To.IsZero() {
		return e.Made.UTC()
	}
	return e.Figures.Period.To.UTC()
}

// Write writes the folder, which must be empty or not exist, and returns its files. It
// contains no secrets of Byline, but names of agents, sponsors, resources and paths, so only
// its owner can read it.
func (e *Export) Write(dir string, records reports.Records) ([]File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty", dir)
	}

	files, err := e.writeFiles(dir, records)
	if err != nil { // half of the evidence is not evidence
		return nil, errors.Join(err, removeContents(dir))
	}
	return files, nil
}

// removeContents removes everything in a folder.
func removeContents(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

// writeFiles writes the files into an empty folder.
func (e *Export) writeFiles(dir string, records reports.Records) ([]File, error) {
	w := &folderWriter{dir: dir}
	w.write("records.jsonl", "The records of the period, one JSON object a line, exactly as in the log", "application/jsonl",
		func(out io.Writer) error { return e.writeRecords(out, records) })
	w.writeText("checkpoints.txt", "The signed checkpoints of the period, each a C2SP signed note; what witnesses signed is in the proofs",
		strings.Join(e.checkpoints, "\n\n"))
	w.writeJSON("figures.json", "Counts over the records", e.Figures)
	w.writeJSON("review.json", "What was approved and what was used", e.Review)
	w.writeJSON("borrowed.json", "People's sessions that agents carried", e.Borrowed)
	w.writeJSON("adapters.json", "The adapters' interim statements, with owner and review date", e.Adapters)
	w.writeJSON("practices.json", "The map from practices to figures", e.mapPractices())
	w.writeJSON("verification.json", "What the verification of the log found", e.Report)
	for name, key := range e.Keys {
		w.writeText(filepath.Join("keys", name), "Public key of the log", string(key))
	}
	e.writeProofs(w, records)
	if e.WholeLog {
		w.copyLog(e.Log)
	}
	if w.err != nil {
		return w.files, w.err
	}

	// The following files refer to those above by their digests.
	results, err := e.assessmentResults(w.files)
	if err != nil {
		return w.files, err
	}
	w.writeJSON("assessment-results.json", "OSCAL "+oscalVersion+" assessment results", results)
	w.write("report.html", "The report", "text/html", e.writeHTML)
	w.writeText("README.txt", "What this folder is", e.readme())
	w.writeText("SHA256SUMS", "Digests of all files", w.checksums())
	return w.files, w.err
}

// writeRecords writes the records of the period and keeps their checkpoints.
func (e *Export) writeRecords(out io.Writer, records reports.Records) error {
	for r, err := range records {
		if err != nil {
			return err
		}
		if !e.Figures.Period.Contains(r.Time) {
			continue
		}

		if r.Checkpoint != "" {
			e.checkpoints = append(e.checkpoints, r.Checkpoint)
		}
		if _, err := out.Write(append(r.Line(), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// writeProofs writes a proof for each record of the period, or if there are more than
// Proofs, for those of note. A log that does not verify has no proofs; that is not an
// error, because the folder says so.
func (e *Export) writeProofs(w *folderWriter, records reports.Records) {
	if w.err != nil || e.Figures.Records == 0 {
		return
	}

	all := e.Figures.Records <= e.Proofs
	wanted := func(yield func(audit.Record, error) bool) {
		for r, err := range records {
			if err == nil && (!e.Figures.Period.Contains(r.Time) || !all && !isOfNote(&r)) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}

	// Records that no checkpoint covers yet get no proof; the report counts them.
	_, err := e.Log.ProveMany(wanted, e.Figures.Last, e.Progress, func(r *audit.Record, b *audit.InclusionProof) error {
		name := filepath.Join("proofs", r.ID+".tlog-proof")
		if _, err := os.Stat(filepath.Join(w.dir, name)); err == nil {
			return nil // proved before a tile turned out to be damaged and the proofs began again
		}
		w.writeText(name, "Proof that record "+r.ID+" is in the log", string(b.Format()))
		return w.err
	})
	if err != nil && w.err == nil && e.Verified == "" {
		w.err = err
	}
}

// isOfNote reports whether somebody is likely to ask about the record.
func isOfNote(r *audit.Record) bool {
	switch r.Kind {
	case "task", "alert", "review", audit.KindRecovery, audit.KindClock:
		return true
	}
	return r.Privileged
}

// mappedPractice is a practice with its figure, as in practices.json and the report.
type mappedPractice struct {
	Framework string   `json:"framework"`
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Coverage  Coverage `json:"coverage"`
	Does      string   `json:"does"`
	Figure    string   `json:"figure"`
	Proof     string   `json:"proof"`
	Limits    string   `json:"not_covered"`
}

func (e *Export) mapPractices() []mappedPractice {
	var all []mappedPractice
	for _, p := range Practices() {
		figure, err := p.Figure(e.Figures)
		if err != nil {
			figure = "" // a test executes every template
		}
		all = append(all, mappedPractice{
			Framework: p.Framework,
			ID:        p.ID,
			Title:     p.Title,
			Coverage:  p.Coverage,
			Does:      p.Does,
			Figure:    figure,
			Proof:     p.Proof,
			Limits:    p.Limits,
		})
	}
	return all
}

// readme is the text of README.txt.
func (e *Export) readme() string {
	verify := "The log itself is not in this folder. Each record in proofs is checked separately:\n\n" +
		"    byline audit verify --key keys/audit.key.pub proofs/RECORD.tlog-proof\n\n"
	if e.WholeLog {
		verify = "Verify it offline, with any copy of byline, or with docs/verify.py of its source, which shares no code with it:\n\n" +
			"    byline audit verify --key keys/audit.key.pub log\n" +
			"    python3 verify.py --key keys/audit.key.pub log\n\n"
	}

	return fmt.Sprintf("Evidence of Byline %s, instance %s\n%s\nmade %s\n\n", e.Version, e.Instance, e.Figures.Period, e.Made.UTC().Format(time.RFC3339)) +
		"Read report.html first. assessment-results.json is for tools that read OSCAL; the\n" +
		"assessment plan that it refers to is the assessing organization's, and is not in this folder.\n" +
		verify +
		"Compare keys/audit.key.pub with a copy that you received earlier in another way.\n\n" +
		"SHA256SUMS lists every file: sha256sum -c SHA256SUMS\n"
}
