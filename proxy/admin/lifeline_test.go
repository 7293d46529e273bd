package admin

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestARefusedLifelineIsAnsweredAtOnce sends a lifeline whose body goes on, as that of
// byline run does, for a task that is over.
func TestARefusedLifelineIsAnsweredAtOnce(t *testing.T) {
	token := newToken(strings.Repeat("k", 32))
	api := httptest.NewServer(New(Config{Token: token}, Verbs{
		HoldTask: func(context.Context, string) (Lifeline, error) {
			return nil, &Problem{Status: http.StatusConflict, Code: "task_ended", Detail: "the task is over"}
		},
	}))
	defer api.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	body, beats := io.Pipe()
	defer beats.Close()
	go func() { _, _ = beats.Write([]byte{'\n'}) }()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, api.URL+"/v1/tasks/t_1/lifeline", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("a lifeline of a task that is over got no answer: %v", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusConflict {
		t.Errorf("a lifeline of a task that is over got status %d, want 409", resp.StatusCode)
	}
}
