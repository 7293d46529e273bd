package adapters

import "testing"

func FuzzLoad(f *testing.F) {
	for _, s := range LibrarySources() {
		f.Add(s.Text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := Load([]Source{{Name: "f", Text: text}})
		if (set == nil) == (err == nil) {
			t.Fatal("neither or both of a set and problems")
		}
	})
}
