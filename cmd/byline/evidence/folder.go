package evidence

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
)

// File is one file of the folder.
type File struct {
	Name   string `json:"name"` // relative path, with slashes
	Title  string `json:"title"`
	Media  string `json:"media_type"`
	SHA256 string `json:"sha256"`
}

// folderWriter writes files into a folder. It keeps the first error and writes nothing
// after it.
type folderWriter struct {
	dir   string
	files []File
	err   error
}

// write writes a file with what fill writes.
func (w *folderWriter) write(name, title, media string, fill func(io.Writer) error) {
	if w.err != nil {
		return
	}
	digest, err := writeFile(filepath.Join(w.dir, name), fill)
	if err != nil {
		w.err = fmt.Errorf("%s: %w", name, err)
		return
	}
	w.files = append(w.files, File{Name: filepath.ToSlash(name), Title: title, Media: media, SHA256: digest})
}

// writeFile writes a new file, and its folder, and returns the SHA-256 of its content.
func writeFile(path string, fill func(io.Writer) error) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}

	sum := sha256.New()
	err = errors.Join(fill(io.MultiWriter(f, sum)), f.Close())
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}

func (w *folderWriter) writeText(name, title, text string) {
	w.write(name, title, "text/plain", func(out io.Writer) error {
		_, err := io.WriteString(out, text)
		return err
	})
}

func (w *folderWriter) writeJSON(name, title string, v any) {
	w.write(name, title, "application/json", func(out io.Writer) error {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}

// copyLog copies the segments of a log, without the zeros at the end of the open one.
func (w *folderWriter) copyLog(log audit.Folders) {
	err := log.CopySegments(func(name string, in io.Reader) error {
		w.write(filepath.Join("log", name), "Segment of the log", "application/jsonl", func(out io.Writer) error {
			_, err := io.Copy(out, in)
			return err
		})
		return w.err
	})
	if w.err == nil {
		w.err = err
	}
}

// checksums lists the files written so far in the format of sha256sum.
func (w *folderWriter) checksums() string {
	var b strings.Builder
	for _, f := range w.files {
		fmt.Fprintf(&b, "%s  %s\n", f.SHA256, f.Name)
	}
	return b.String()
}
