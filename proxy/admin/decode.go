package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// decode reads exactly one JSON value into v. An unknown field, a wrong type or
// anything after the value is a [Problem] with status 400 and the given remedy.
func decode(body []byte, v any, remedy string) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()

	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the JSON value")
		}
	}
	if err != nil {
		return &Problem{
			Status: http.StatusBadRequest,
			Code:   "bad_request",
			Detail: "the body cannot be read: " + err.Error(),
			Remedy: remedy,
		}
	}
	return nil
}
