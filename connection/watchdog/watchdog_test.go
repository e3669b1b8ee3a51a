package watchdog

import (
	"testing"
	"time"
)

var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// days of messages every 10 minutes from 8 to 20 o'clock.
func office(w *Watchdog, from time.Time, days int) (end time.Time) {
	for d := range days {
		for m := 8 * 60; m <= 20*60; m += 10 {
			end = from.AddDate(0, 0, d).Add(time.Duration(m) * time.Minute)
			w.Arrived(end)
		}
	}
	return end
}

func TestSilentInTheDayIsOddAndAtNightIsNot(t *testing.T) {
	w := New(Least, Most)
	w.Connected(monday.Add(8 * time.Hour))
	office(w, monday, 3)
	thursday := monday.AddDate(0, 0, 3)
	for at := thursday.Add(-4 * time.Hour); at.Before(thursday.Add(8 * time.Hour)); at = at.Add(time.Minute) {
		if s, odd := w.Look(at); odd {
			t.Fatalf("the night is found odd at %v: %+v", at, s)
		}
	}
	office(w, thursday, 1)
	noon := monday.AddDate(0, 0, 4).Add(12 * time.Hour)
	for at := noon.Add(-4 * time.Hour); !at.After(noon); at = at.Add(10 * time.Minute) {
		w.Arrived(at)
	}
	var found []time.Time
	for at := noon; at.Before(noon.Add(3 * time.Hour)); at = at.Add(time.Minute) {
		if s, odd := w.Look(at); odd {
			found = append(found, at)
			if s.Since != noon || s.Limit != Least {
				t.Errorf("%+v", s)
			}
		}
	}
	want := []time.Time{noon.Add(30 * time.Minute), noon.Add(time.Hour), noon.Add(2 * time.Hour)}
	if len(found) != 3 || found[0] != want[0] || found[1] != want[1] || found[2] != want[2] {
		t.Errorf("found odd at %v, want %v", found, want)
	}
}

// What is not known is odd only after a day; an account that is rarely written to has long limits.
func TestUnknownAndRareAccounts(t *testing.T) {
	w := New(Least, Most)
	if _, odd := w.Look(monday); odd {
		t.Error("odd before the first connection")
	}
	w.Connected(monday)
	if _, odd := w.Look(monday.Add(Most - time.Minute)); odd {
		t.Error("odd within the first day")
	}
	if _, odd := w.Look(monday.Add(Most)); !odd {
		t.Error("a day of silence is not odd")
	}
	w = New(Least, Most)
	w.Connected(monday)
	for d := 1; d < 10; d++ {
		w.Arrived(monday.Add(time.Duration(d) * 9 * time.Hour))
	}
	end := monday.Add(9 * 9 * time.Hour)
	if _, odd := w.Look(end.Add(9 * time.Hour)); odd {
		t.Error("the usual silence of a rare account is odd")
	}
}

// An outage is no silence, and a silence that was the connection's fault teaches nothing.
func TestOutagesAndFaults(t *testing.T) {
	w := New(Least, Most)
	w.Connected(monday.Add(8 * time.Hour))
	end := office(w, monday, 2)
	morning := end.Add(15 * time.Hour)
	w.Connected(morning) // after an outage
	if _, odd := w.Look(morning.Add(29 * time.Minute)); odd {
		t.Error("the outage counts as silence")
	}
	s, odd := w.Look(morning.Add(30 * time.Minute))
	if !odd || s.Since != morning {
		t.Fatalf("%+v, %v", s, odd)
	}
	again := morning.Add(31 * time.Minute)
	w.Connected(again)
	if !w.Arrived(again.Add(time.Second)) {
		t.Error("what came at once was not held back")
	}
	if w.Arrived(again.Add(2 * time.Second)) {
		t.Error("the second arrival is held back too")
	}
	at := again.Add(10 * time.Minute)
	w.Arrived(at)
	if _, odd := w.Look(at.Add(30 * time.Minute)); !odd {
		t.Error("the faulty silence was learnt")
	}
	w.Connected(at.Add(31 * time.Minute))
	if w.Arrived(at.Add(45 * time.Minute)) { // nobody wrote: learnt
		t.Error("what came later was held back")
	}
	if _, odd := w.Look(at.Add(45*time.Minute + 80*time.Minute)); odd {
		t.Error("the quiet hour was not learnt")
	}
	w.Forget()
	if _, odd := w.Look(at.AddDate(1, 0, 0)); odd {
		t.Error("something is left of the account before")
	}
}
