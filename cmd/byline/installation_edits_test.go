package main

import (
	"os"
	"strings"
	"testing"
)

// edit changes a file of an installation.
type edit = func(*testing.T, *installation)

func remove(name string) edit {
	return func(t *testing.T, h *installation) { must(t, os.RemoveAll(h.Path(name))) }
}

func setMode(name string, mode os.FileMode) edit {
	return func(t *testing.T, h *installation) { must(t, os.Chmod(h.Path(name), mode)) }
}

func truncate(name string, size int64) edit {
	return func(t *testing.T, h *installation) { must(t, os.Truncate(h.Path(name), size)) }
}

func makeFolder(name string) edit {
	return func(t *testing.T, h *installation) { must(t, os.Mkdir(h.Path(name), 0o700)) }
}

func write(name, text string) edit {
	return func(t *testing.T, h *installation) { h.write(t, name, text) }
}

func appendTo(name, text string) edit {
	return func(t *testing.T, h *installation) { h.write(t, name, h.read(t, name)+text) }
}

// replace replaces a text that the file has exactly once.
func replace(name, from, to string) edit {
	return func(t *testing.T, h *installation) {
		t.Helper()
		text := h.read(t, name)
		if n := strings.Count(text, from); n != 1 {
			t.Fatalf("%s has %q %d times, want once", name, from, n)
		}
		h.write(t, name, strings.Replace(text, from, to, 1))
	}
}

// copyFrom replaces a file by that of another installation.
func copyFrom(other *installation, name string) edit {
	return func(t *testing.T, h *installation) { h.write(t, name, other.read(t, name)) }
}

// all makes several edits.
func all(edits ...edit) edit {
	return func(t *testing.T, h *installation) {
		for _, e := range edits {
			e(t, h)
		}
	}
}
