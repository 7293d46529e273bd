package sinks

import (
	"encoding/json"
	"fmt"
	"time"
)

// event is what sinks need of a record. Packages audit and sinks share no type:
// they share the JSON of a line.
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

func parseEvent(line []byte) (*event, error) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("a line is not a record: %w", err)
	}
	return &e, nil
}

// formatLines returns each line in the format. Lines in the format of records
// are returned as they are.
func formatLines(format string, lines [][]byte) ([][]byte, error) {
	if format == formatRecord {
		return lines, nil
	}

	formatted := make([][]byte, len(lines))
	for i, line := range lines {
		e, err := parseEvent(line)
		if err != nil {
			return nil, err
		}
		mapped, err := e.toOCSF(line)
		if err != nil {
			return nil, err
		}
		formatted[i], err = json.Marshal(mapped)
		if err != nil {
			return nil, err
		}
	}
	return formatted, nil
}
