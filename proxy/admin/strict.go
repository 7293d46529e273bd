package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// decode reads exactly one JSON value into v. An unknown field, a wrong type
// or anything after the value is a [Problem] with the remedy form that answers 400.
func decode(body []byte, v any, form string) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the JSON value")
		}
	}
	if err != nil {
		return &Problem{http.StatusBadRequest, "bad_request", "the body cannot be read: " + err.Error(), form}
	}
	return nil
}
