package adapters

import (
	"strings"
	"unicode/utf8"
)

// Maskable reports whether an answer of a content type is text, which may repeat a secret, or can hold
// text as it is. It returns false only for types that are themselves compressed or recorded (pictures,
// sound, film, fonts, archives, PDF): an unknown or missing type counts as text.
func Maskable(contentType string) bool {
	media := strings.ToLower(mediaType(contentType))
	kind, sub, _ := strings.Cut(media, "/")
	if strings.HasSuffix(sub, "+xml") || strings.HasSuffix(sub, "+json") || strings.Contains(sub, "mpegurl") {
		return true
	}

	switch kind {
	case "image":
		return !compressedImages[sub]
	case "audio", "video", "font":
		return sub == ""
	case "application":
		return !compressedTypes[sub] && !strings.HasSuffix(sub, "+zip") && !strings.HasPrefix(sub, "vnd.openxmlformats-") &&
			!strings.HasPrefix(sub, "vnd.oasis.opendocument.")
	}
	return true
}

// compressedImages and compressedTypes list types whose text nobody reads without undoing a compression.
var (
	compressedImages = map[string]bool{
		"png": true, "apng": true, "jpeg": true, "jpg": true, "pjpeg": true, "gif": true, "webp": true, "avif": true, "heic": true, "heif": true,
		"jxl": true, "jp2": true, "tiff": true, "x-icon": true, "vnd.microsoft.icon": true, "*": true,
	}
	compressedTypes = map[string]bool{
		"zip": true, "x-zip-compressed": true, "gzip": true, "x-gzip": true, "zstd": true, "x-xz": true, "x-bzip": true, "x-bzip2": true,
		"x-7z-compressed": true, "vnd.rar": true, "x-rar-compressed": true, "java-archive": true, "pdf": true, "font-woff": true,
	}
)

// LooksBinary reports whether the beginning of a body, or of a part of it, is not text: it has bytes that
// text in UTF-8 does not have.
func LooksBinary(beginning []byte) bool {
	beginning = beginning[:min(len(beginning), 64)]
	for n := 0; n < utf8.UTFMax-1 && len(beginning) > 0 && !utf8.RuneStart(beginning[0]); n++ {
		beginning = beginning[1:] // of a code point that was cut
	}
	for i := 0; i < len(beginning); i++ {
		c := beginning[i]
		if c == 0x7F || c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' {
			return true
		}
		if c < utf8.RuneSelf {
			continue
		}

		r, n := utf8.DecodeRune(beginning[i:])
		if r == utf8.RuneError && n == 1 {
			return utf8.FullRune(beginning[i:]) // or it is cut off there
		}
		i += n - 1
	}
	return false
}

// ReadableCharset reports whether text of a content type is in a character set of which every ASCII
// character is its own byte, so that secrets can be found in it. If not it returns the name of the set.
func ReadableCharset(contentType string) (name string, ok bool) {
	_, parameters, _ := strings.Cut(contentType, ";")
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, value, _ := strings.Cut(parameter, "=")
		if !strings.EqualFold(strings.TrimSpace(key), "charset") {
			continue
		}
		name = strings.ToLower(strings.Trim(strings.TrimSpace(value), `"'`))
		if !isASCIICharset(name) {
			return name, false
		}
	}
	return name, true
}

// isASCIICharset reports whether a character set contains ASCII as it is. An unknown one may be any.
func isASCIICharset(name string) bool {
	switch name {
	case "", "utf-8", "utf8", "unicode-1-1-utf-8", "us-ascii", "ascii", "ansi_x3.4-1968", "latin1", "latin-1", "l1", "binary", "none", "unknown",
		"macintosh", "x-mac-roman", "x-mac-cyrillic", "gbk", "x-gbk", "gb2312", "gb18030", "gb_2312-80", "big5", "big5-hkscs", "x-x-big5",
		"euc-jp", "x-euc-jp", "euc-kr", "euc-tw", "ks_c_5601-1987", "shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "tis-620", "viscii":
		return true
	}
	for _, family := range [...]string{"iso-8859-", "iso8859-", "iso_8859-", "iso88591", "windows-125", "windows-874", "windows-31j", "windows-936", "windows-949", "cp125", "cp437", "cp850", "cp852", "cp866", "cp932", "cp936", "ibm437", "ibm850", "ibm852", "ibm866", "koi8-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return false
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
