package text

import (
	"fmt"
	"slices"
	"strings"
)

// maxTypos is how many letters a misspelt word may differ by from the word that is suggested for it.
const maxTypos = 2

// Nearest returns a hint for an unknown word: the known word that is most like it, or all known words
// if none is like it. Known words are in lower case.
func Nearest(word string, known []string) string {
	nearest := ""
	least := maxTypos + 1
	for _, k := range known {
		if n := distance(strings.ToLower(word), k); n < least {
			nearest, least = k, n
		}
	}
	if nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}

	sorted := slices.Sorted(slices.Values(known))
	return "known: " + strings.Join(sorted, ", ")
}

// distance returns the Levenshtein distance of two words, in bytes.
func distance(a, b string) int {
	// row[j] is the distance of the part of a that has been read and b[:j].
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}

	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
