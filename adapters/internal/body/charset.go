package body

import (
	"strconv"
	"strings"
)

// Charset is what a charset parameter means for how this package reads bytes.
type Charset uint8

// The charsets. The zero value is the absence of a charset parameter.
const (
	CharsetUnstated Charset = iota // no parameter: UTF-8, or bytes as they are
	CharsetUTF8
	CharsetASCII   // a charset that agrees with UTF-8 on ASCII alone: fine as long as all bytes are ASCII
	charsetUnknown // one in which ASCII bytes can mean something else, or that is not known
)

// charsetOf looks a label up. Charsets in which ASCII bytes can mean something
// else (UTF-7, UTF-16, ISO-2022, EBCDIC, Shift_JIS with its yen sign in place of the
// backslash) are charsetUnknown.
func charsetOf(label string) Charset {
	label = strings.ToLower(label)
	switch label {
	case "utf-8", "utf8":
		return CharsetUTF8
	case "us-ascii", "ascii", "latin1", "koi8-r", "koi8-u", "gbk", "gb2312", "gb18030", "big5", "euc-jp", "euc-kr":
		return CharsetASCII
	}

	for _, prefix := range [...]string{"iso-8859-", "iso8859-", "iso_8859-"} {
		if number, ok := strings.CutPrefix(label, prefix); ok && isNumberUpTo(number, 16) {
			return CharsetASCII
		}
	}
	for _, prefix := range [...]string{"windows-", "cp"} {
		if number, ok := strings.CutPrefix(label, prefix); ok && len(number) == 4 && number >= "1250" && number <= "1258" {
			return CharsetASCII
		}
	}
	return charsetUnknown
}

func isNumberUpTo(s string, limit int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && 1 <= n && n <= limit && s[0] >= '1'
}

var errCharsetOfBytes = fail(WrongCharset, "the body has bytes outside ASCII under a charset that is not UTF-8: send it as UTF-8")

// checkCharset returns an error if text means under c something else than this package
// takes it for.
func checkCharset[T string | []byte](c Charset, text T) error {
	if c == CharsetASCII && !isASCII(text) {
		return errCharsetOfBytes
	}
	return nil
}

func isASCII[T string | []byte](text T) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
