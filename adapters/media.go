package adapters

import "strings"

// Maskable reports whether an answer of a content type is text, which may repeat a secret. It returns
// false only for types that are certainly binary (images, audio, video, fonts, archives, PDF): an
// unknown or missing type counts as text.
func Maskable(contentType string) bool {
	media := mediaType(contentType)

	for _, prefix := range [...]string{"image/", "audio/", "video/", "font/"} {
		if hasPrefixFold(media, prefix) && len(media) > len(prefix) {
			return strings.EqualFold(media, "image/svg+xml")
		}
	}

	for _, binary := range [...]string{
		"application/octet-stream", "application/zip", "application/gzip", "application/x-gzip", "application/pdf",
		"application/x-tar", "application/vnd.ms-excel", "application/msword", "application/wasm", "application/x-7z-compressed",
	} {
		if strings.EqualFold(media, binary) {
			return false
		}
	}
	return true
}

// isStream reports whether answers of a content type arrive in pieces for as long as the application
// likes. It does not allocate.
func isStream(contentType string) bool {
	media := mediaType(contentType)

	for _, stream := range [...]string{
		"text/event-stream", "multipart/x-mixed-replace", "application/x-ndjson", "application/jsonl", "application/json-seq",
		"application/stream+json",
	} {
		if strings.EqualFold(media, stream) {
			return true
		}
	}
	return hasPrefixFold(media, "application/grpc")
}

// mediaType returns a content type without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(media)
}

// hasPrefixFold is strings.HasPrefix without regard to case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
