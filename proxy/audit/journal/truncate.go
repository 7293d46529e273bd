package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/byline-proxy/byline/proxy/audit"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// maxBody leaves room for what the committer puts in front.
const maxBody = segment.MaxLine - 256

// What is left of a record that is too long for a line.
const (
	shortText     = 1 << 10 // bytes of a text
	shortName     = 128     // bytes of the name of a borrowed credential
	shortStripped = 64      // borrowed credentials
)

// shortened is r with its long texts cut. A text that was cut ends with the
// SHA-256 of the whole, so that it can still be told from another one. Ids,
// digests and what policy decided are never cut.
func shortened(r *audit.Record) *audit.Record {
	s := *r
	for _, text := range []*string{&s.Action, &s.Resource, &s.Method, &s.Host, &s.Path, &s.Detail} {
		*text = cutText(*text, shortText)
	}
	s.Stripped = slices.Clone(s.Stripped)
	for i := range s.Stripped {
		s.Stripped[i].Name = cutText(s.Stripped[i].Name, shortName)
	}
	if n := len(s.Stripped); n > shortStripped {
		s.Stripped = append(s.Stripped[:shortStripped], audit.Stripped{In: "more", Name: fmt.Sprintf("%d more", n-shortStripped)})
	}
	return &s
}

func cutText(s string, at int) string {
	if len(s) <= at {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:at], "") + "… sha256:" + hex.EncodeToString(sum[:])
}
