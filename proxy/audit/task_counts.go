package audit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

const (
	perCounts = 32 << 10 // bytes of tasks in one counts record, so that its line is short enough
	// MaxTaskBytes bounds the name of a task.
	MaxTaskBytes = 1 << 10                    // bytes
	forgotten    = 32 * 24 * 3600 * 1_000_000 // a task without a record for so long, in microseconds, is over
)

// TaskCounts numbers the records of each task. It is kept bounded at the start of a
// segment: counts records list the tasks that go on, and the others are
// forgotten; should one come back, it begins at 1 again. The zero value knows no
// task and is not safe for concurrent use.
type TaskCounts struct {
	tasks   map[string]*counted
	before  map[string]*counted // at a segment's start: what its counts records must agree with
	opening bool                // the lines so far are the segment's first checkpoint and its counts
	resumed bool                // the walk began here, so there is nothing to agree with
}

type counted struct {
	seq   uint64
	us    int64
	ended bool
}

var errCount = errors.New("task_seq does not count the task's records: one is missing, repeated or out of order")

// Next is the number of the task's next record.
func (c *TaskCounts) Next(task string, us int64, ended bool) uint64 {
	if task == "" {
		return 0
	}
	t := c.tasks[task]
	if t == nil {
		t = c.add(task)
	}
	t.seq++
	t.us, t.ended = us, t.ended || ended
	return t.seq
}

func (c *TaskCounts) add(task string) *counted {
	if c.tasks == nil {
		c.tasks = map[string]*counted{}
	}
	t := &counted{}
	c.tasks[task] = t
	return t
}

// take checks a line's number.
func (c *TaskCounts) take(p *parsed) error {
	if len(p.task) == 0 {
		return c.own(p)
	}
	c.opening, c.before = false, nil
	t := c.tasks[string(p.task)]
	if t == nil {
		task := unescape(p.task)
		if t = c.tasks[task]; t == nil {
			t = c.add(task)
		}
	}
	if t.seq++; p.taskSeq != t.seq {
		return fmt.Errorf("%w: it is %d, want %d", errCount, p.taskSeq, t.seq)
	}
	t.us, t.ended = p.us, t.ended || string(p.kind) == "task" && string(p.code) == CodeEnded
	return nil
}

// own takes a line that belongs to no task.
func (c *TaskCounts) own(p *parsed) error {
	if p.taskSeq != 0 {
		return errCount
	}
	switch string(p.kind) {
	case KindCheckpoint:
		c.opening = false
		if code := string(p.code); code == CodeSegment || code == CodeKey {
			c.before, c.tasks, c.opening = c.tasks, nil, true
		}
	case KindCounts:
		if !c.opening {
			return errors.New("counts stand only at the start of a segment")
		}
		return c.read(p)
	default:
		c.opening, c.before = false, nil
	}
	return nil
}

func (c *TaskCounts) read(p *parsed) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}
	for _, n := range r.Tasks {
		if was := c.before[n.Task]; !c.resumed && (was == nil || was.seq != n.Seq) {
			return fmt.Errorf("counts: task %s has not counted to %d", n.Task, n.Seq)
		}
		t := c.add(n.Task)
		t.seq, t.us = n.Seq, p.us
		if was := c.before[n.Task]; was != nil {
			t.us = was.us
		}
	}
	return nil
}

// StartSegment forgets the tasks that are over and returns the records that list the
// others.
func (c *TaskCounts) StartSegment(us int64) (records []*Record) {
	maps.DeleteFunc(c.tasks, func(_ string, t *counted) bool { return t.ended || us-t.us > forgotten })
	room := 0
	for _, task := range slices.Sorted(maps.Keys(c.tasks)) {
		if room < len(task) {
			records, room = append(records, &Record{Kind: KindCounts}), perCounts
		}
		room -= len(task) + 40
		last := records[len(records)-1]
		last.Tasks = append(last.Tasks, TaskCount{task, c.tasks[task].seq})
	}
	return records
}
