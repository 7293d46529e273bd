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

// maxBody is the greatest length of the body of a record in bytes. It leaves room
// in the line for the members that the committer puts before the body.
const maxBody = segment.MaxLine - 256

// Limits of a record that was too long for a line.
const (
	maxTextBytes   = 1 << 10 // of a text
	maxNameBytes   = 128     // of the name of a borrowed credential
	maxCredentials = 64      // borrowed credentials
)

// truncateRecord returns a copy of r with its long texts cut and at most
// maxCredentials borrowed credentials. IDs, digests and what the policy decided
// are never cut.
func truncateRecord(r *audit.Record) *audit.Record {
	short := *r
	for _, text := range []*string{&short.Action, &short.Resource, &short.Method, &short.Host, &short.Path, &short.Detail} {
		*text = truncateText(*text, maxTextBytes)
	}

	short.Stripped = slices.Clone(short.Stripped)
	for i := range short.Stripped {
		short.Stripped[i].Name = truncateText(short.Stripped[i].Name, maxNameBytes)
	}
	if n := len(short.Stripped); n > maxCredentials {
		rest := audit.Stripped{In: "more", Name: fmt.Sprintf("%d more", n-maxCredentials)}
		short.Stripped = append(short.Stripped[:maxCredentials], rest)
	}

	return &short
}

// truncateText cuts s to n bytes if it is longer, and appends the SHA-256 of the
// whole text, so that different texts with the same beginning stay different.
func truncateText(s string, n int) string {
	if len(s) <= n {
		return s
	}

	sum := sha256.Sum256([]byte(s))

	return strings.ToValidUTF8(s[:n], "") + "… sha256:" + hex.EncodeToString(sum[:])
}
