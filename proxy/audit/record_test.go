package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// TestEveryFieldIsWritten fills a Record by reflection, so that a field that the
// encoder forgets is noticed.
func TestEveryFieldIsWritten(t *testing.T) {
	var r Record
	fillValue(reflect.ValueOf(&r).Elem())
	r.V, r.Prev, r.Time = version, strings.Repeat("0", 64), time.UnixMicro(1).UTC()
	line := AppendLine(nil, r.Seq, r.TaskSeq, merkle.Hash{}, 1, AppendBody(nil, &r))
	back, err := ParseRecord(line)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, r) {
		t.Errorf("wrote %+v\nread  %+v", r, back)
	}
	for _, name := range strings.Fields("v seq id time kind instance agent sponsor task grant adapter adapter_digest policy_digest action resource method host path stripped account lease decision intent status bytes_up bytes_down messages_up messages_down duration_us code detail prev task_seq count key tasks checkpoint frontier cut") {
		if !bytes.Contains(line, []byte(`"`+name+`":`)) {
			t.Errorf("the line has no %s", name)
		}
	}
	if zero := string(AppendLine(nil, 0, 0, merkle.Hash{}, 1, AppendBody(nil, &Record{}))); zero !=
		`{"v":1,"seq":0,"prev":"`+strings.Repeat("0", 64)+`","time":"1970-01-01T00:00:00.000001Z","id":"","kind":""}` {
		t.Errorf("zero record: %s", zero)
	}
}

func fillValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x" + v.Type().String())
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint64:
		v.SetUint(8)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(v.Index(0))
		fillValue(v.Index(1))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				fillValue(v.Field(i))
			}
		}
	}
}

// TestMembersStandInOrder holds the table that reads to the code that writes.
func TestMembersStandInOrder(t *testing.T) {
	var r Record
	fillValue(reflect.ValueOf(&r).Elem())
	body, at := AppendBody(nil, &r), 0
	for _, m := range members {
		i := bytes.Index(body[at:], []byte(m.key))
		if i < 0 {
			t.Errorf("%s is not written, or stands elsewhere", m.key)
		}
		at += max(i, 0)
	}
}

func TestStringsAreEscapedInOneWay(t *testing.T) {
	for in, want := range map[string]string{
		"plain":          `"plain"`,
		"a\"b\\c":        `"a\"b\\c"`,
		"\n\r\t\b\f\x00": `"\n\r\t\b\f\u0000"`,
		"\x7f\u0085\x1b": `"\u007f\u0085\u001b"`,
		"\u2028é世🙂":      `"\u2028é世🙂"`,
		"bad \xff\xc3":   "\"bad \uFFFD\uFFFD\"",
		"<&>":            `"<&>"`,
	} {
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q is written %s, want %s", in, got, want)
		}
	}
}

func TestParseRecordIsStrict(t *testing.T) {
	good := string(AppendLine(nil, 3, 2, merkle.Hash{1}, 5, AppendBody(nil, sampleRecord())))
	if _, err := ParseRecord([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty":           "",
		"unknown name":    strings.Replace(good, `"kind"`, `"extra":1,"kind"`, 1),
		"repeated name":   strings.Replace(good, `"kind"`, `"kind":"x","kind"`, 1),
		"white space":     strings.Replace(good, `,"kind"`, `, "kind"`, 1),
		"other version":   strings.Replace(good, `"v":1`, `"v":2`, 1),
		"other case":      strings.Replace(good, `"kind"`, `"Kind"`, 1),
		"explicit zero":   strings.Replace(good, `"method"`, `"account":"","method"`, 1),
		"other escape":    strings.Replace(good, `"intent"`, `"\u0069ntent"`, 1),
		"short prev":      strings.Replace(good, `"prev":"01`, `"prev":"`, 1),
		"upper prev":      strings.Replace(good, `"prev":"01`, `"prev":"0A`, 1),
		"local time":      strings.Replace(good, "000005Z", "000005+00:00", 1),
		"more after it":   good + "{}",
		"not an object":   "[]",
		"nanoseconds":     strings.Replace(good, "000005Z", "000005001Z", 1),
		"float seq":       strings.Replace(good, `"seq":3`, `"seq":3.0`, 1),
		"beyond the size": `{"v":1,"detail":"` + strings.Repeat("x", segment.MaxLine) + `"}`,
	} {
		if _, err := ParseRecord([]byte(bad)); err == nil || bad == good {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestIDsSortByTime(t *testing.T) {
	var ids []string
	seen := map[string]bool{}
	for range 5 {
		for range 1000 {
			id := NewID()
			if len(id) != 28 || id[:2] != "r_" || seen[id] || strings.Trim(id[2:], base32Digits) != "" {
				t.Fatalf("id %q", id)
			}
			seen[id] = true
		}
		ids = append(ids, NewID())
		time.Sleep(2 * time.Millisecond)
	}
	if !slices.IsSorted(ids) {
		t.Errorf("not in order: %v", ids)
	}
}

func TestFingerprintNamesWithoutShowing(t *testing.T) {
	// RFC 4231 section 4.3, cut to 16 bytes.
	if got := Fingerprint([]byte("Jefe"), "what do ya want for nothing?"); got != "hmac-sha256:5bdcc146bf60754e6a042426089575c7" {
		t.Errorf("got %s", got)
	}
}

// slowParse is what ParseRecord must amount to: strict JSON that, written
// again, gives the same bytes.
func slowParse(line []byte) (r Record, err error) {
	if len(line) > segment.MaxLine {
		return r, segment.ErrLongLine
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, err
	}
	if r.V != version || !bytes.Equal(r.Line(), line) {
		return r, errForm
	}
	return r, nil
}

func FuzzParseRecord(f *testing.F) {
	f.Add(AppendLine(nil, 3, 2, merkle.Hash{1}, 5, AppendBody(nil, sampleRecord())))
	f.Add([]byte(`{"v":1,"seq":0,"stripped":[null],"decision":null}`))
	var full Record
	fillValue(reflect.ValueOf(&full).Elem())
	full.Detail = "a\x00\xff\u2028\"\\\n\u0085\x7f é世🙂"
	f.Add(full.Line())
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRecord(line)
		want, slow := slowParse(line)
		if (err == nil) != (slow == nil) {
			t.Fatalf("%q: %v, by way of encoding/json %v", line, err, slow)
		}
		if err != nil {
			return
		}
		if !reflect.DeepEqual(r, want) || !bytes.Equal(r.Line(), line) || bytes.ContainsAny(line, "\n\x00") {
			t.Errorf("%q was read as %+v, by way of encoding/json %+v", line, r, want)
		}
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\x00\xff\u2028\"")
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil || !utf8.Valid(b) {
			t.Fatalf("%q is written %q: %v", s, b, err)
		}
		if back != strings.ToValidUTF8(s, "\uFFFD") && utf8.ValidString(s) {
			t.Errorf("%q comes back as %q", s, back)
		}
		if again := appendString(nil, back); !bytes.Equal(again, b) {
			t.Errorf("%q is written %q, then %q", s, b, again)
		}
	})
}

func sampleRecord() *Record {
	return &Record{Kind: "intent", Agent: "spiffe://acme.example/agent/triage", Task: "t_5", Action: "page.edit", Method: "POST",
		Stripped: []Stripped{{In: "cookie", Name: "wikiUserID", Fingerprint: "hmac-sha256:" + strings.Repeat("0", 32)}},
		Decision: Decision{Effect: "permit", Policies: []string{"grant.0"}}}
}
