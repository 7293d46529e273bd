package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/byline-proxy/byline/cmd/byline/internal/cli"
)

func (d *demonstration) showRecord(ctx context.Context) error {
	d.writeHeading("The record: which agent, for whom, under which approved scope")

	d.writeCommand("byline audit tail --json | (time, kind, what and with which account)")
	out, err := d.inst.Run(ctx, "", "audit", "tail", "--json", "-n", "100")
	if err != nil {
		return err
	}
	table, reply, err := tabulateRecords(out)
	if err != nil {
		return err
	}
	d.replyRecord = reply
	d.writeOutput(table, "")
	d.writeBlankLine()

	d.writeCommand("byline audit show " + reply)
	out, err = d.inst.Run(ctx, "", "audit", "show", reply)
	if err != nil {
		return err
	}
	record, _, _ := strings.Cut(out, "\n\n") // without the records that belong to it
	d.writeOutput(record, "")

	d.writeConclusion(green, "Each request is on disk, with all of this, before it leaves for the application. Of the session that\n"+
		"Alice lent, the record has a keyed fingerprint, never the value.")
	return d.inst.findSecrets(d.personCookie, d.accountCookie, d.password)
}

// tabulateRecords makes a narrow table of the records, one JSON value a line, and returns
// the id of the reply's intent.
func tabulateRecords(lines string) (table, reply string, err error) {
	var rows [][]string
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		var r struct {
			ID, Kind, Action, Resource, Account, Code string
			Time                                      time.Time
			Status                                    int
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return "", "", fmt.Errorf("audit tail: %w", err)
		}
		if r.Kind == "intent" && r.Action == "ticket.reply" {
			reply = r.ID
		}

		end := r.Code
		if r.Status != 0 {
			end = strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Code))
		}
		rows = append(rows, []string{r.Time.Format("15:04:05.000"), r.Kind, r.Action, r.Resource, r.Account, end})
	}
	if reply == "" {
		return "", "", errors.New("the record holds no intent of the reply")
	}

	var b strings.Builder
	err = cli.Table(&b, []string{"TIME", "KIND", "ACTION", "RESOURCE", "ACCOUNT", "END"}, rows)
	return b.String(), reply, err
}

func (d *demonstration) tamperWithRecord(ctx context.Context) error {
	d.writeHeading("Anyone with the public key can verify it, and finds a single changed byte")

	if err := d.inst.Stop(); err != nil {
		return err
	}
	d.writeCommand("byline audit verify")
	out, err := d.inst.Run(ctx, "", "audit", "verify")
	if err != nil {
		return err
	}
	d.writeOutput(out, green)

	d.writeParagraph("\nSomebody edits the record of the reply: it was agent-02.")
	err = replaceInRecord(d.inst.Path("data", "audit"), d.replyRecord, `"account":"agent-01"`, `"account":"agent-02"`)
	if err != nil {
		return err
	}
	d.writeCommand("byline audit verify")
	out, err = d.inst.Run(ctx, "", "audit", "verify")
	if err == nil {
		return errors.New("byline audit verify did not find the changed byte")
	}
	verdict, _, _ := strings.Cut(out, "byline:")
	d.writeOutput(verdict, red)
	return nil
}

// replaceInRecord edits the record with that id, in a log of one segment.
func replaceInRecord(dir, id, from, to string) error {
	segments, err := filepath.Glob(filepath.Join(dir, "seg-*.jsonl"))
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		return fmt.Errorf("%s has no segment of the record", dir)
	}
	text, err := os.ReadFile(segments[0])
	if err != nil {
		return err
	}

	start := bytes.Index(text, []byte(`"id":"`+id+`"`))
	if start < 0 || !bytes.Contains(text[start:], []byte(from)) {
		return fmt.Errorf("%s holds no %s in record %s", segments[0], from, id)
	}
	changed := append(bytes.Clone(text[:start]), bytes.Replace(text[start:], []byte(from), []byte(to), 1)...)
	return os.WriteFile(segments[0], changed, 0o600)
}
