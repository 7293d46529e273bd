package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/audit/internal/merkle"
	"github.com/byline-proxy/byline/proxy/audit/internal/segment"
)

// formatLine writes r as line seq of a log.
func formatLine(r *Record, seq, taskSeq uint64, prev merkle.Hash) []byte {
	return AppendLine(nil, seq, taskSeq, prev, 5, AppendBody(nil, r))
}

func sampleRecord() *Record {
	return &Record{
		Kind: "intent", Agent: "spiffe://acme.example/agent/triage", Task: "t_5", Action: "page.edit", Method: "POST",
		Stripped: []Stripped{{In: "cookie", Name: "wikiUserID", Fingerprint: "hmac-sha256:" + strings.Repeat("0", 32)}},
		Decision: Decision{Effect: "permit", Policies: []string{"grant.0"}},
	}
}

// fullRecord returns a record with a value in every field. It uses reflection,
// so that the tests notice fields that were added to Record alone.
func fullRecord() *Record {
	var r Record
	fillValue(reflect.ValueOf(&r).Elem())
	r.V = version
	r.Prev = strings.Repeat("0", 64)
	r.Time, r.Wall = time.UnixMicro(5).UTC(), time.UnixMicro(4).UTC()
	return &r
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
			if v.Type() != reflect.TypeFor[time.Time]() {
				fillValue(v.Field(i))
			}
		}
	}
}

func TestEveryFieldIsWrittenAndRead(t *testing.T) {
	r := fullRecord()
	line := r.Line()
	back, err := ParseRecord(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if !reflect.DeepEqual(back, *r) {
		t.Errorf("wrote %+v\nread  %+v", *r, back)
	}

	var names map[string]any
	if err := json.Unmarshal(line, &names); err != nil {
		t.Fatal(err)
	}
	for field := range reflect.TypeFor[Record]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if _, ok := names[name]; !ok {
			t.Errorf("the line has no member %q: %s", name, line)
		}
	}
}

func TestZeroRecordHasOnlyRequiredMembers(t *testing.T) {
	got := string(AppendLine(nil, 0, 0, merkle.Hash{}, 1, AppendBody(nil, &Record{})))
	want := `{"v":1,"seq":0,"prev":"` + strings.Repeat("0", 64) + `","time":"1970-01-01T00:00:00.000001Z","id":"","kind":""}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestMembersAreInOrder compares the table of members, which the parser uses,
// with what AppendBody writes.
func TestMembersAreInOrder(t *testing.T) {
	body := AppendBody(nil, fullRecord())
	at := 0
	for _, m := range members {
		i := bytes.Index(body[at:], []byte(m.key))
		if i < 0 {
			t.Errorf("%s is not in the body after offset %d: %s", m.key, at, body)
			continue
		}
		at += i
	}
}

func TestParseRecordIsStrict(t *testing.T) {
	good := string(formatLine(sampleRecord(), 3, 2, merkle.Hash{1}))
	if _, err := ParseRecord([]byte(good)); err != nil {
		t.Fatalf("%s: %v", good, err)
	}

	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for name, bad := range map[string]string{
		"empty":              "",
		"not an object":      "[]",
		"unknown member":     replace(`"kind"`, `"extra":1,"kind"`),
		"repeated member":    replace(`"kind"`, `"kind":"x","kind"`),
		"white space":        replace(`,"kind"`, `, "kind"`),
		"unknown version":    replace(`"v":1`, `"v":2`),
		"upper-case member":  replace(`"kind"`, `"Kind"`),
		"empty value":        replace(`"method"`, `"account":"","method"`),
		"needless escape":    replace(`"intent"`, `"\u0069ntent"`),
		"short prev":         replace(`"prev":"01`, `"prev":"`),
		"upper-case prev":    replace(`"prev":"01`, `"prev":"0A`),
		"time with offset":   replace("000005Z", "000005+00:00"),
		"nanoseconds":        replace("000005Z", "000005001Z"),
		"impossible date":    replace("1970-01-01", "1970-02-30"),
		"float seq":          replace(`"seq":3`, `"seq":3.0`),
		"task_seq 0":         replace(`"task_seq":2`, `"task_seq":0`),
		"text after it":      good + "{}",
		"longer than a line": `{"v":1,"detail":"` + strings.Repeat("x", segment.MaxLine) + `"}`,
	} {
		if bad == good {
			t.Errorf("%s: the test does not change the line", name)
		}
		if r, err := ParseRecord([]byte(bad)); err == nil {
			t.Errorf("%s: accepted as %+v", name, r)
		}
	}
}

// parseWithEncodingJSON is what ParseRecord must amount to: strict JSON that
// gives the same bytes when it is written again.
func parseWithEncodingJSON(line []byte) (r Record, err error) {
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
	f.Add(formatLine(sampleRecord(), 3, 2, merkle.Hash{1}))
	f.Add([]byte(`{"v":1,"seq":0,"stripped":[null],"decision":null}`))
	full := fullRecord()
	full.Detail = "a\x00\xff\u2028\"\\\n\u0085\x7f é世🙂"
	f.Add(full.Line())

	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRecord(line)
		want, wantErr := parseWithEncodingJSON(line)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: ParseRecord returned %v, encoding/json %v", line, err, wantErr)
		}
		if err != nil {
			return
		}

		if !reflect.DeepEqual(r, want) {
			t.Errorf("%q: ParseRecord read %+v, encoding/json %+v", line, r, want)
		}
		if !bytes.Equal(r.Line(), line) || bytes.ContainsAny(line, "\n\x00") {
			t.Errorf("%q was accepted and is written %q", line, r.Line())
		}
	})
}
