package proxy

import (
	"net/http"
	"testing"
)

// A task that sent nothing since a restart still has a session at the
// application: the one that the process before it made.
func TestI6ATaskThatEndsAfterARestartIsLoggedOut(t *testing.T) {
	app, dir := newLegacy(t), t.TempDir()
	h := openHouse(t, app, dir)
	c, task := h.agent(t, reader)
	if status, body, _ := do(t, c, http.MethodGet, "/page/1", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	h.shut(t)
	h = openHouse(t, app, dir)
	if _, err := h.EndTask(task.ID(), "done"); err != nil {
		t.Fatal(err)
	}
	app.mu.Lock()
	defer app.mu.Unlock()
	if len(app.sessions) != 1 {
		t.Errorf("sessions left at the application besides alice's: %v", app.sessions)
	}
}
