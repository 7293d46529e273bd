package measure

import "testing"

func TestTheReferenceJobGrowsWithItsTurns(t *testing.T) {
	few, err := RunReferenceJob(0, 500)
	if err != nil {
		t.Fatal(err)
	}
	many, err := RunReferenceJob(0, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if few <= 0 || many < 3*few {
		t.Errorf("500 turns took %v and 5000 took %v, want about ten times as long", few, many)
	}
}
