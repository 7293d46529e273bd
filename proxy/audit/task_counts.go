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

	// endedMemoryUS is how long in microseconds the writer remembers that a task
	// ended, after the segment of its end. Logouts and check-ins follow the end.
	endedMemoryUS = 3600 * 1_000_000
)

// TaskEvent says what a record tells about the life of its task.
type TaskEvent int

// The events of a task. The zero value is any record between the other two.
const (
	TaskActs TaskEvent = iota
	TaskBegins
	TaskEnds
)

// TaskEventOf returns the event of a record with that kind and code.
func TaskEventOf(kind, code string) TaskEvent {
	switch {
	case kind != "task":
		return TaskActs
	case code == "":
		return TaskBegins
	case code == CodeEnded:
		return TaskEnds
	}
	return TaskActs
}

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

	// ended holds the tasks that StartSegment forgot because they had ended, with
	// the time of that in microseconds since 1970. Records that follow a task's end
	// would otherwise look like those of a living task.
	ended map[string]int64

	segmentStart bool // the lines so far are the segment's first checkpoint and its counts

	resumed         bool // the chain begins at the segment that comes next
	previousUnknown bool // the chain began at this segment
}

type taskCount struct {
	seq   uint64 // records so far
	us    int64  // time of the last record
	begun bool   // the record of its beginning was read, or a counts record lists it
	ended bool
	known bool // its records were read rather than written by this process
}

var errTaskSeq = errors.New("task_seq does not count the task's records: one is missing, repeated or out of order")

// Next counts a record of a task and returns its number, or 0 if task is empty.
// us is the record's time in microseconds since 1970.
func (c *TaskCounts) Next(task string, us int64, event TaskEvent) uint64 {
	if task == "" {
		return 0
	}

	t := c.tasks[task]
	if t == nil {
		t = c.addTask(task)
	}
	t.note(us, event)

	return t.seq
}

// note counts a record of the task.
func (t *taskCount) note(us int64, event TaskEvent) {
	t.seq++
	t.us = us
	t.begun = t.begun || t.seq == 1 && event == TaskBegins
	t.ended = t.ended || event == TaskEnds
}

func (c *TaskCounts) addTask(task string) *taskCount {
	if c.tasks == nil {
		c.tasks = map[string]*taskCount{}
	}

	t := &taskCount{}
	_, t.ended = c.ended[task]
	c.tasks[task] = t

	return t
}

// Living returns the tasks whose beginning is on record and whose end is not. A
// task that wrote no record for 32 days is not among them.
func (c *TaskCounts) Living() map[string]bool {
	living := map[string]bool{}
	for task, t := range c.tasks {
		if t.begun && !t.ended {
			living[task] = true
		}
	}

	return living
}

// KeepEnded takes over which tasks another TaskCounts of the same log knows to
// have ended. The writer calls it when it has read a segment again.
func (c *TaskCounts) KeepEnded(from *TaskCounts) { c.ended = from.ended }

// StartSegment forgets the tasks that are over and returns the counts records
// that list the others. The writer calls it after the first checkpoint of a
// segment.
func (c *TaskCounts) StartSegment(us int64) (records []*Record) {
	maps.DeleteFunc(c.ended, func(_ string, at int64) bool { return us-at > endedMemoryUS })
	maps.DeleteFunc(c.tasks, func(task string, t *taskCount) bool {
		if t.ended {
			c.rememberEnded(task, us)
		}
		isRemnant := t.known && !t.begun // its end is in an earlier segment
		return t.ended || isRemnant || us-t.us > taskExpiryUS
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

func (c *TaskCounts) rememberEnded(task string, us int64) {
	if c.ended == nil {
		c.ended = map[string]int64{}
	}
	c.ended[task] = us
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

	t.note(p.us, TaskEventOf(string(p.kind), string(p.code)))
	t.known = c.previousUnknown
	if p.taskSeq != t.seq {
		return fmt.Errorf("%w: it is %d, want %d", errTaskSeq, p.taskSeq, t.seq)
	}

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
			c.previousUnknown = c.resumed
			c.resumed = false
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
		if !c.previousUnknown && (before == nil || before.seq != listed.Seq) {
			return fmt.Errorf("counts: task %s has not counted to %d", listed.Task, listed.Seq)
		}

		t := c.addTask(listed.Task)
		t.seq = listed.Seq
		t.begun = true
		t.us = p.us
		if before != nil {
			t.us = before.us
		}
	}

	return nil
}
