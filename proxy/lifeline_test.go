package proxy

import (
	"errors"
	"testing"
	"time"

	"github.com/byline-proxy/byline/proxy/identity"
)

// TestLifelineEndsAfterSilence arms a lifeline several times and measures when it is
// lost.
func TestLifelineEndsAfterSilence(t *testing.T) {
	const timeout = 100 * time.Millisecond
	lost := make(chan time.Time, 10)
	var l lifeline
	beat := func() { l.arm(timeout, func(time.Duration) { lost <- time.Now() }) }

	var last time.Time
	for range 5 {
		last = time.Now()
		beat()
		time.Sleep(timeout / 3)
	}
	at := receive(t, "the end of the lifeline", lost)
	if silence := at.Sub(last); silence < timeout || silence > 20*timeout {
		t.Errorf("the lifeline was lost %v after the last sign of life, want about %v", silence, timeout)
	}

	beat()
	l.stop()
	time.Sleep(2 * timeout)
	if len(lost) > 0 {
		t.Error("the lifeline was lost after stop")
	}
}

// TestLifelineOfAProcessThatDidNotRun lets the timer fire late, as it does in a
// process that was stopped. Signs of life that wait to be read get some time, once.
func TestLifelineOfAProcessThatDidNotRun(t *testing.T) {
	const timeout = time.Hour
	var l lifeline
	l.arm(timeout, func(time.Duration) {})
	defer l.stop()

	l.due = time.Now().Add(-timeout / 2)
	if _, lost := l.isLost(); lost {
		t.Fatal("a timer that fires late ends the task at once, want some time for signs of life to be read")
	}
	if _, lost := l.isLost(); lost {
		t.Fatal("the task ended before that time was over")
	}
	l.due = time.Now().Add(-timeout / 2)
	if _, lost := l.isLost(); !lost {
		t.Fatal("the task goes on although nothing was heard, want its end")
	}
}

// TestI6ALifelineNeverRevivesATask holds tasks that have ended or do not exist.
func TestI6ALifelineNeverRevivesATask(t *testing.T) {
	app, dir := newLegacyApp(t), t.TempDir()
	s := startLegacyServer(t, app, dir)
	_, task := s.newAgent(t, pagesSpec)
	if _, err := s.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}

	if _, err := s.HoldTask(task.ID()); !errors.Is(err, identity.ErrEnded) {
		t.Errorf("HoldTask of an ended task returned %v, want ErrEnded", err)
	}
	if _, err := s.HoldTask("t_unknown"); !errors.Is(err, ErrNoTask) {
		t.Errorf("HoldTask of an unknown task returned %v, want ErrNoTask", err)
	}
}
