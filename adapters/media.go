package adapters

import "strings"

// Maskable reports whether an answer of that content type is text in which a secret could come back. Unknown and
// missing types are text; only types that are certainly not (images, audio, video, fonts, archives, PDF) are not.
func Maskable(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	for _, prefix := range [...]string{"image/", "audio/", "video/", "font/"} {
		if len(media) > len(prefix) && strings.EqualFold(media[:len(prefix)], prefix) {
			return strings.EqualFold(media, "image/svg+xml")
		}
	}
	for _, binary := range [...]string{"application/octet-stream", "application/zip", "application/gzip", "application/x-gzip", "application/pdf",
		"application/x-tar", "application/vnd.ms-excel", "application/msword", "application/wasm", "application/x-7z-compressed"} {
		if strings.EqualFold(media, binary) {
			return false
		}
	}
	return true
}
