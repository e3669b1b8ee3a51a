package watchdog

import (
	"testing"
	"time"
)

// What was learned holds over a restart: the same silences are odd as without one, and what is
// older or no silence at all is left out.
//
// Mutation of kept.go: after a restart a silent connection is noticed as late as on the first day.
func TestLearnedIsKept(t *testing.T) {
	before := New(Least, Most)
	if raw := before.Learned(); raw != nil {
		t.Errorf("learned of nothing: %s", raw)
	}
	before.Connected(monday.Add(8 * time.Hour))
	office(before, monday, 9)
	raw := before.Learned()
	after := New(Least, Most)
	if err := after.Restore(raw); err != nil {
		t.Fatal(err)
	}
	if string(after.Learned()) != string(raw) {
		t.Errorf("restored %s\nof %s", after.Learned(), raw)
	}
	start := monday.AddDate(0, 0, 9).Add(8 * time.Hour)
	after.Connected(start)
	var odd time.Duration
	for at := start; odd == 0 && at.Before(start.Add(Most)); at = at.Add(time.Minute) {
		if _, found := after.Look(at); found {
			odd = at.Sub(start)
		}
	}
	// the hour from 7 on is one of the night
	if unknown := New(Least, Most); odd == 0 || odd >= unknown.limit(start) {
		t.Errorf("after a restart a silence is odd after %v", odd)
	}
	if err := after.Restore([]byte(`[{"hour":24,"day":20000,"seconds":1},{"hour":-1,"day":1},{"hour":1,"day":0},{"hour":2,"day":3,"seconds":-5}]`)); err != nil || string(after.Learned()) != string(raw) {
		t.Errorf("taken over: %s, %v", after.Learned(), err)
	}
	if err := after.Restore([]byte(`{`)); err == nil || string(after.Learned()) != string(raw) {
		t.Errorf("what cannot be read: %v", err)
	}
}
