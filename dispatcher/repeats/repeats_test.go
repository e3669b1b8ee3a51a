package repeats

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A day of failures twice a second is some 1,440 lines that count the others; each kind is logged
// at once when it comes first, and however many kinds there are, lines and memory are bounded.
func TestRepeatedFailuresAreThinned(t *testing.T) {
	t.Parallel()
	var f Failures
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lines, counted, n := 0, 0, 0
	for end := at.Add(24 * time.Hour); at.Before(end); at = at.Add(500 * time.Millisecond) {
		n++
		if log, left := f.Failed("503", at); log {
			lines++
			counted += left + 1
		}
	}
	if lines != 24*60 || counted < n-120 {
		t.Errorf("%d failures gave %d lines that tell of %d", n, lines, counted)
	}
	if log, left := f.Failed("timeout", at); !log || left != 0 {
		t.Errorf("the first of its kind: %v, %d", log, left)
	}
	lines = 0
	for i := range 10_000 {
		if log, _ := f.Failed(fmt.Sprint("kind ", i), at); log {
			lines++
		}
	}
	if lines > kinds || len(f.seen) > kinds+1 {
		t.Errorf("10,000 kinds gave %d lines, %d are kept", lines, len(f.seen))
	}
	if log, left := f.Failed("503", at.Add(Every)); !log || left == 0 {
		t.Errorf("a minute later: %v, %d", log, left)
	}
}
