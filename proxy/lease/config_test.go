package lease

import "testing"

func TestConfigCheckReportsEveryProblem(t *testing.T) {
	var c Config
	c.SetDefaults()
	if problems := c.Check(); len(problems) != 0 {
		t.Errorf("the defaults have problems: %v", problems)
	}

	bad := Config{Wait: -1, TTL: 1, BackoffMin: -1, BackoffMax: -2, LoginAttempts: -1}
	if problems := bad.Check(); len(problems) != 5 {
		t.Errorf("Check returned %d problems, want 5: %v", len(problems), problems)
	}
}
