package adapters

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
	"unicode/utf8"
)

// mediaType is the type without parameters, lower case; false when the header can be read in two ways.
func (r *reading) mediaType() (string, bool) {
	if strings.IndexByte(r.q.ContentType, ',') >= 0 {
		return "", false
	}
	media, params, err := mime.ParseMediaType(r.q.ContentType)
	if err != nil {
		return "", false
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return "", false
	}
	return media, true
}

// readForm parses the body as a form, once. No body is an empty form.
func (r *reading) readForm() bool {
	if r.formState == 0 {
		r.formState = 2
		if r.parseForm() {
			r.formState = 1
		}
	}
	return r.formState == 1
}

func (r *reading) parseForm() (ok bool) {
	if r.q.Truncated || r.coded && len(r.q.Body) > 0 {
		return false // a later field of the same name would win in some applications
	}
	if len(r.q.Body) == 0 {
		return true
	}
	media, ok := r.mediaType()
	switch {
	case ok && media == "application/x-www-form-urlencoded":
		r.form, ok = r.x.parsePairs(nil, string(r.q.Body), r.x.semicolon)
		return ok
	case ok && media == "multipart/form-data":
		return r.parseMultipart()
	}
	return false
}

func (r *reading) parseMultipart() bool {
	_, params, err := mime.ParseMediaType(r.q.ContentType)
	if err != nil || params["boundary"] == "" || !plainParts(r.q.Body, params["boundary"]) {
		return false
	}
	parts := multipart.NewReader(bytes.NewReader(r.q.Body), params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return true
		}
		if err != nil || len(p.Header["Content-Disposition"]) != 1 || p.FormName() == "" {
			return false
		}
		if strings.Contains(p.Header.Get("Content-Disposition"), "*=") || p.Header.Get("Content-Transfer-Encoding") != "" {
			return false // RFC 2231 names and encodings are read by some and not by others
		}
		name := p.FormName()
		if !r.x.declared[name] {
			if r.x.mistakes(name) || len(r.form) == maxPairs {
				return false
			}
			r.form = append(r.form, pair{key: name})
			continue
		}
		text, err := io.ReadAll(p)
		if err != nil || len(r.form) == maxPairs {
			return false
		}
		r.form = append(r.form, pair{name, string(text)})
	}
}

// isJSON reports a JSON media type; the last two are those of JSON-RPC over HTTP.
func (r *reading) isJSON() bool {
	media, ok := r.mediaType()
	return ok && (media == "application/json" || strings.HasSuffix(media, "+json") || media == "application/json-rpc" || media == "application/jsonrequest")
}

// readJSON parses the body as JSON, once; an object key that comes twice makes it unreadable. No body is no value.
func (r *reading) readJSON() bool {
	if r.jsonState == 0 {
		r.jsonState = 2
		if r.parseJSON() {
			r.jsonState = 1
		}
	}
	return r.jsonState == 1
}

func (r *reading) parseJSON() (ok bool) {
	if r.q.Truncated || r.coded && len(r.q.Body) > 0 {
		return false
	}
	if len(r.q.Body) == 0 {
		return true
	}
	if !r.isJSON() || !utf8.Valid(r.q.Body) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(r.q.Body))
	dec.UseNumber()
	if r.json, ok = strictJSON(dec, 0); !ok {
		return false
	}
	_, err := dec.Token()
	return err == io.EOF
}

// strictJSON reads one value and refuses duplicate keys, also those that differ only in case.
func strictJSON(dec *json.Decoder, depth int) (any, bool) {
	token, err := dec.Token()
	if err != nil || depth > 64 {
		return nil, false
	}
	switch token {
	case json.Delim('{'):
		object, seen := map[string]any{}, map[string]bool{}
		for dec.More() {
			key, err := dec.Token()
			name, isText := key.(string)
			if err != nil || !isText || seen[strings.ToLower(name)] {
				return nil, false
			}
			seen[strings.ToLower(name)] = true
			var ok bool
			if object[name], ok = strictJSON(dec, depth+1); !ok {
				return nil, false
			}
		}
		_, err := dec.Token()
		return object, err == nil
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, ok := strictJSON(dec, depth+1)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err == nil
	}
	return token, true
}

// calls are the members of a batch, or the one body. An empty list is one call that has nothing.
func (r *reading) calls(batch bool) []any {
	if list, ok := r.json.([]any); ok && batch && len(list) > 0 {
		return list
	}
	return []any{r.json}
}

// jsonAt follows a dotted pointer.
func jsonAt(v any, pointer string) field {
	for key := range strings.SplitSeq(pointer, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return field{}
			}
			v = at[i]
		default:
			return field{}
		}
	}
	switch v := v.(type) {
	case nil:
		return field{}
	case string:
		if !clearText(v) {
			return field{state: doubtful}
		}
		return field{text: v, state: present}
	case json.Number:
		return field{text: v.String(), state: present}
	case bool:
		return field{text: strconv.FormatBool(v), state: present}
	}
	return field{state: doubtful} // an object or list where one value is meant
}
