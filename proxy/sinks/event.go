package sinks

import (
	"encoding/json"
	"fmt"
	"time"
)

// event is what sinks need to know of a record. The room of the record is
// another one: a line's JSON is all that is shared.
type event struct {
	Seq      uint64 `json:"seq"`
	Time     time.Time
	ID       string   `json:"id"`
	Kind     string   `json:"kind"`
	Instance string   `json:"instance"`
	Agent    string   `json:"agent"`
	Sponsor  string   `json:"sponsor"`
	Task     string   `json:"task"`
	Grant    string   `json:"grant"`
	Scope    []string `json:"scope"`
	Adapter  string   `json:"adapter"`
	Action   string   `json:"action"`
	Resource string   `json:"resource"`
	Method   string   `json:"method"`
	Host     string   `json:"host"`
	Path     string   `json:"path"`
	Account  string   `json:"account"`
	Lease    string   `json:"lease"`
	Decision struct {
		Effect string `json:"effect"`
	} `json:"decision"`
	Intent     string `json:"intent"`
	Status     int    `json:"status"`
	DurationUS int64  `json:"duration_us"`
	Code       string `json:"code"`
	Detail     string `json:"detail"`
}

func parse(line []byte) (*event, error) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("a line is no record: %w", err)
	}
	return &e, nil
}

// formatted is each line in the format that was asked for.
func formatted(format string, lines [][]byte) ([][]byte, error) {
	if format == "record" {
		return lines, nil
	}
	out := make([][]byte, len(lines))
	for i, line := range lines {
		e, err := parse(line)
		if err != nil {
			return nil, err
		}
		mapped, err := e.ocsf(line)
		if err != nil {
			return nil, err
		}
		if out[i], err = json.Marshal(mapped); err != nil {
			return nil, err
		}
	}
	return out, nil
}
