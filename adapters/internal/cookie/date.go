package cookie

import (
	"strings"
	"time"
)

// months are the first three letters of each month.
const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// parseDate reads a date as leniently as section 5.1.1 asks for: its parts may come in any order, with
// any delimiters between them. The first part that may be the time, the day, the month or the year is
// it.
func parseDate(text string) (time.Time, bool) {
	day, month, year, hour, minute, second := 0, 0, -1, -1, 0, 0
	for _, token := range strings.FieldsFunc(text, isDateDelimiter) {
		number, digits := leadingNumber(token)
		switch {
		case hour < 0 && strings.Count(token, ":") == 2:
			parts := strings.Split(token, ":")
			hour, _ = leadingNumber(parts[0])
			minute, _ = leadingNumber(parts[1])
			second, _ = leadingNumber(parts[2])
		case day == 0 && (digits == 1 || digits == 2):
			day = number
		case month == 0 && digits == 0 && monthOf(token) > 0:
			month = monthOf(token)
		case year < 0 && (digits == 2 || digits == 4):
			year = number
		}
	}

	switch {
	case year >= 70 && year <= 99:
		year += 1900
	case year >= 0 && year <= 69:
		year += 2000
	}
	if day < 1 || day > 31 || month == 0 || year < 1601 || hour < 0 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC), true
}

func isDateDelimiter(r rune) bool {
	return strings.ContainsRune("\t !\"#$%&'()*+,-./;<=>?@[\\]^_`{|}~", r)
}

// monthOf returns the number of a month from 1 on, and 0 for any other word.
func monthOf(token string) int {
	if len(token) < 3 {
		return 0
	}
	i := strings.Index(months, strings.ToLower(token[:3]))
	if i < 0 || i%3 != 0 {
		return 0
	}
	return i/3 + 1
}

// leadingNumber returns the number that s begins with, and how many digits it has. It reads at most
// five digits, one more than any part of a date has.
func leadingNumber(s string) (n, digits int) {
	for digits < len(s) && digits < 5 && '0' <= s[digits] && s[digits] <= '9' {
		n = n*10 + int(s[digits]-'0')
		digits++
	}
	return n, digits
}
