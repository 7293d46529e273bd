package evidence

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/reports"
	"github.com/byline-proxy/byline/proxy/audit"
)

// Export is everything that a folder of evidence is written from.
type Export struct {
	Instance string
	Version  string // of the program
	Made     time.Time
	Figures  *Figures
	Review   *reports.Review
	Borrowed []reports.Sighting
	Adapters []Adapter
	Keys     map[string][]byte // file name → public key as it lies beside the log
	Log      string            // folder of the log; it is copied
	WholeLog bool              // copy it; without it the proofs alone show the records
	Proofs   int               // how many records get a proof of their own; beyond that only those of note do
	Progress func(done, total int64)
	Report   audit.Report // of the verification
	Verified string       // "" when the log verified; otherwise why not

	checkpoints []string
	unsealed    int // records without a proof, because no checkpoint covers them yet
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
}

// Action is one action that an adapter names.
type Action struct {
	Name       string `json:"name"`
	Privileged bool   `json:"privileged,omitempty"`
	Login      bool   `json:"login,omitempty"`
}

// File is one file of the folder.
type File struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Media  string `json:"media_type"`
	SHA256 string `json:"sha256"`
}

func (e *Export) start() time.Time {
	for _, t := range []time.Time{e.Figures.Period.From, e.Report.From} {
		if !t.IsZero() {
			return t.UTC()
		}
	}
	return e.Made.UTC() // nothing is on record
}

func (e *Export) end() time.Time {
	if e.Figures.Period.To.IsZero() {
		return e.Made.UTC()
	}
	return e.Figures.Period.To.UTC()
}

// Write fills an empty or new folder. Nothing in it is a secret of Byline's;
// names of agents, sponsors, resources and paths are in it, so it is readable
// by its owner alone.
func (e *Export) Write(dir string, records reports.Records) ([]File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty", dir)
	}
	w := &folder{dir: dir}
	w.write("records.jsonl", "The records of the period, one JSON object a line, as they stand in the log", "application/jsonl", func(out io.Writer) error {
		return e.records(out, records)
	})
	w.write("checkpoints.txt", "The signed checkpoints of the period, each a C2SP signed note; what witnesses signed is in the proofs", "text/plain", func(out io.Writer) error {
		_, err := io.WriteString(out, strings.Join(e.checkpoints, "\n\n"))
		return err
	})
	w.json("figures.json", "What the records add up to", e.Figures)
	w.json("review.json", "What was approved beside what was used", e.Review)
	w.json("borrowed.json", "Sessions of persons that agents carried", e.Borrowed)
	w.json("adapters.json", "The adapters' interim statements, with owner and date of review", e.Adapters)
	w.json("practices.json", "The map from practices to figures", e.practices())
	w.json("verification.json", "What the verification of the log found", e.Report)
	for name, key := range e.Keys {
		w.write(filepath.Join("keys", name), "Public key of the log", "text/plain", func(out io.Writer) error { _, err := out.Write(key); return err })
	}
	e.prove(w, records)
	if e.WholeLog {
		w.copyLog(e.Log)
	}
	if w.err != nil {
		return w.files, w.err
	}
	results, err := e.oscal(w.files)
	if err != nil {
		return w.files, err
	}
	w.json("assessment-results.json", "OSCAL "+oscalVersion+" assessment results", results)
	w.write("report.html", "The report", "text/html", func(out io.Writer) error { return e.html(out) })
	w.write("README.txt", "What this folder is", "text/plain", func(out io.Writer) error { _, err := io.WriteString(out, e.readme()); return err })
	w.write("SHA256SUMS", "Digests of all files", "text/plain", func(out io.Writer) error {
		for _, f := range w.files {
			if _, err := fmt.Fprintf(out, "%s  %s\n", f.SHA256, f.Name); err != nil {
				return err
			}
		}
		return nil
	})
	return w.files, w.err
}

// records writes those of the period and keeps their checkpoints.
func (e *Export) records(out io.Writer, records reports.Records) error {
	for r, err := range records {
		if err != nil {
			return err
		}
		if !e.Figures.Period.Holds(r.Time) {
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

// prove writes a bundle for each record of the period: for all of them, or,
// when they are too many, for those that somebody may have to stand up for.
func (e *Export) prove(w *folder, records reports.Records) {
	if w.err != nil || e.Figures.Records == 0 {
		return
	}
	wanted := func(yield func(audit.Record, error) bool) {
		for r, err := range records {
			if err == nil && (!e.Figures.Period.Holds(r.Time) || e.Figures.Records > e.Proofs && !ofNote(&r)) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
	unsealed, err := audit.ProveMany(e.Log, wanted, e.Figures.Last, e.Progress, func(r *audit.Record, b *audit.InclusionProof) error {
		name := filepath.Join("proofs", r.ID+".tlog-proof")
		if _, err := os.Stat(filepath.Join(w.dir, name)); err == nil {
			return nil // of the tiles that proved to be damaged
		}
		w.write(name, "Proof that record "+r.ID+" is in the log", "text/plain", func(out io.Writer) error { _, err := out.Write(b.Format()); return err })
		return w.err
	})
	e.unsealed = unsealed
	if err != nil && w.err == nil && e.Verified == "" { // a log that does not verify has no proofs
		w.err = err
	}
}

// ofNote are records that a period with too many of them is asked about.
func ofNote(r *audit.Record) bool {
	return r.Privileged || r.Kind == "task" || r.Kind == "alert" || r.Kind == "review" || r.Kind == audit.KindRecovery || r.Kind == audit.KindClock
}

// mapped is a practice as practices.json has it.
type mapped struct {
	Framework string   `json:"framework"`
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Coverage  Coverage `json:"coverage"`
	Does      string   `json:"does"`
	Figure    string   `json:"figure"`
	Proof     string   `json:"proof"`
	Limits    string   `json:"not_covered"`
}

func (e *Export) practices() (all []mapped) {
	for _, p := range Practices() {
		figure, err := p.Figure(e.Figures)
		if err != nil {
			figure = "" // a test holds every template
		}
		all = append(all, mapped{p.Framework, p.ID, p.Title, p.Coverage, p.Does, figure, p.Proof, p.Limits})
	}
	return all
}

func (e *Export) readme() string {
	log := "The log itself is not in this folder. Each record in proofs is checked by itself:\n\n" +
		"    byline audit verify --key keys/audit.key.pub proofs/RECORD.tlog-proof\n\n" +
		"Compare keys/audit.key.pub with a copy that you were given earlier by another way.\n"
	if e.WholeLog {
		log = "Verify it offline, with any copy of byline, or with docs/verify.py of its source, which shares no code with it:\n\n" +
			"    byline audit verify --key keys/audit.key.pub log\n    python3 verify.py --key keys/audit.key.pub log\n\n" +
			"Compare keys/audit.key.pub with a copy that you were given earlier by another way.\n"
	}
	return fmt.Sprintf("Evidence of Byline %s, instance %s\n%s\nmade %s\n\nRead report.html first. assessment-results.json is for tools that read OSCAL; the\nassessment plan that it refers to is the assessing organization's, and is not in this folder.\n%s\nSHA256SUMS lists every file: sha256sum -c SHA256SUMS\n",
		e.Version, e.Instance, e.Figures.Period, e.Made.UTC().Format(time.RFC3339), log)
}

// folder writes files and keeps the first error.
type folder struct {
	dir   string
	files []File
	err   error
}

func (w *folder) json(name, title string, v any) {
	w.write(name, title, "application/json", func(out io.Writer) error {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}

func (w *folder) write(name, title, media string, fill func(io.Writer) error) {
	if w.err != nil {
		return
	}
	path := filepath.Join(w.dir, name)
	if w.err = os.MkdirAll(filepath.Dir(path), 0o700); w.err != nil {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		w.err = err
		return
	}
	sum := sha256.New()
	err = fill(io.MultiWriter(f, sum))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		w.err = fmt.Errorf("%s: %w", name, err)
		return
	}
	w.files = append(w.files, File{filepath.ToSlash(name), title, media, fmt.Sprintf("%x", sum.Sum(nil))})
}

// copyLog copies the segments as they are.
func (w *folder) copyLog(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.err = err
		return
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "seg-") {
			continue
		}
		w.write(filepath.Join("log", entry.Name()), "Segment of the log", "application/jsonl", func(out io.Writer) error {
			f, err := os.Open(filepath.Join(dir, entry.Name()))
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(out, f)
			return err
		})
	}
}
