package connection

import (
	"testing"
	"time"
)

// TestAlarmsOfWhatHappenedEnd: a day after the last time, and not before; others stay until they
// are cleared, also under the same code.
func TestAlarmsOfWhatHappenedEnd(t *testing.T) {
	now := time.Unix(1735689600, 0)
	a := newAlarms(func() time.Time { return now })
	open := func() (codes string) {
		for _, al := range a.list() {
			codes += al.Code + " "
		}
		return codes
	}
	a.raise(alarmRefused, "stays")
	now = now.Add(time.Second)
	if !a.happened(alarmIncomplete, "once") {
		t.Error("the first is not new")
	}
	now = now.Add(passedAfter - time.Second)
	if a.happened(alarmIncomplete, "twice") || open() != "append_refused stanza_incomplete " {
		t.Errorf("open: %s", open())
	}
	if since := a.list()[1].Since; !since.Equal(time.Unix(1735689601, 0)) {
		t.Errorf("since %v", since)
	}
	now = now.Add(passedAfter)
	if open() != "append_refused " {
		t.Errorf("open a day after the last one: %s", open())
	}
	if !a.happened(alarmIncomplete, "again") {
		t.Error("after its end it is not new")
	}
	a.raise(alarmIncomplete, "and stays")
	now = now.Add(10 * passedAfter)
	if open() != "append_refused stanza_incomplete " {
		t.Errorf("raised for good: %s", open())
	}
	a.clear(alarmIncomplete, alarmRefused)
	if open() != "" {
		t.Errorf("cleared: %s", open())
	}
}
