package audit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

const (
	// MaxTaskBytes is the greatest length of a task's name in bytes.
	MaxTaskBytes = 1 << 10

	// maxCountsRecord bounds the names of tasks in one counts record in bytes, so
	// that the record fits a line.
	maxCountsRecord = 32 << 10

	// taskExpiryUS is the time in microseconds after which a task without records
	// is over.
	taskExpiryUS = 32 * 24 * 3600 * 1_000_000
)

// TaskCounts numbers the records of each task. It does not grow with the log: at
// the start of a segment, counts records list the tasks that continue, and the
// others are forgotten. A task that returns after that begins at 1 again.
//
// The zero value knows no task. TaskCounts must not be used concurrently.
type TaskCounts struct {
	tasks map[string]*taskCount

	// previous holds the counts of the last segment at the start of a segment;
	// counts records must agree with them.
	previous map[string]*taskCount

	segmentStart bool // the lines so far are the segment's first checkpoint and its counts
	resumed      bool // the chain began at this segment, so previous is not known
}

type taskCount struct {
	seq   uint64 // records so far
	us    int64  // time of the last record
	ended bool
}

var errTaskSeq = errors.New("task_seq does not count the task's records: one is missing, repeated or out of order")

// Next counts a record of a task and returns its number, or 0 if task is empty.
// ended says that the record ends the task. us is the record's time in
// microseconds since 1970.
func (c *TaskCounts) Next(task string, us int64, ended bool) uint64 {
	if task == "" {
		return 0
	}

	t := c.tasks[task]
	if t == nil {
		t = c.addTask(task)
	}
	t.seq++
	t.us = us
	t.ended = t.ended || ended

	return t.seq
}

func (c *TaskCounts) addTask(task string) *taskCount {
	if c.tasks == nil {
		c.tasks = map[string]*taskCount{}
	}

	t := &taskCount{}
	c.tasks[task] = t

	return t
}

// StartSegment forgets the tasks that are over and returns the counts records
// that list the others. The writer calls it after the first checkpoint of a
// segment.
func (c *TaskCounts) StartSegment(us int64) (records []*Record) {
	maps.DeleteFunc(c.tasks, func(_ string, t *taskCount) bool {
		return t.ended || us-t.us > taskExpiryUS
	})

	const perTask = 40 // bytes of a task in a record besides its name, at most
	room := 0
	for _, task := range slices.Sorted(maps.Keys(c.tasks)) {
		if room < len(task) {
			records = append(records, &Record{Kind: KindCounts})
			room = maxCountsRecord
		}
		room -= len(task) + perTask
		last := records[len(records)-1]
		last.Tasks = append(last.Tasks, TaskCount{task, c.tasks[task].seq})
	}

	return records
}

// check checks the task_seq of the next line.
func (c *TaskCounts) check(p *parsedLine) error {
	if len(p.task) == 0 {
		return c.checkWithoutTask(p)
	}

	c.segmentStart = false
	c.previous = nil

	// The name in the line may have escapes; names without any, as most are, are
	// found without an allocation.
	t := c.tasks[string(p.task)]
	if t == nil {
		task := unescape(p.task)
		t = c.tasks[task]
		if t == nil {
			t = c.addTask(task)
		}
	}

	t.seq++
	if p.taskSeq != t.seq {
		return fmt.Errorf("%w: it is %d, want %d", errTaskSeq, p.taskSeq, t.seq)
	}
	t.us = p.us
	t.ended = t.ended || string(p.kind) == "task" && string(p.code) == CodeEnded

	return nil
}

// checkWithoutTask checks a line that belongs to no task.
func (c *TaskCounts) checkWithoutTask(p *parsedLine) error {
	if p.taskSeq != 0 {
		return errTaskSeq
	}

	switch string(p.kind) {
	case KindCheckpoint:
		c.segmentStart = false
		if code := string(p.code); code == CodeSegment || code == CodeKey {
			c.previous = c.tasks
			c.tasks = nil
			c.segmentStart = true
		}
	case KindCounts:
		if !c.segmentStart {
			return errors.New("counts records may only stand at the start of a segment")
		}
		return c.checkCounts(p)
	default:
		c.segmentStart = false
		c.previous = nil
	}

	return nil
}

// checkCounts takes over the tasks that a counts record lists. Their counts must
// be those of the last segment, if that is known.
func (c *TaskCounts) checkCounts(p *parsedLine) error {
	r, err := ParseRecord(p.line)
	if err != nil {
		return err
	}

	for _, listed := range r.Tasks {
		before := c.previous[listed.Task]
		if !c.resumed && (before == nil || before.seq != listed.Seq) {
			return fmt.Errorf("counts: task %s has not counted to %d", listed.Task, listed.Seq)
		}

		t := c.addTask(listed.Task)
		t.seq = listed.Seq
		t.us = p.us
		if before != nil {
			t.us = before.us
		}
	}

	return nil
}
