package outbox

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// The full matrix of states, and for each pair what replay number and attempts add to it.
func TestMoves(t *testing.T) {
	at := func(s State, replay, attempts int) Record {
		return Record{Seq: 7, State: s, Replay: replay, Attempts: attempts}
	}
	none := Record{}
	for _, c := range []struct {
		from, to Record
		legal    bool
	}{
		{none, at(Done, 0, 0), true},
		{none, at(Pending, 0, 1), true},
		{none, at(Dead, 0, 1), true},
		{at(Pending, 0, 1), at(Done, 0, 0), true},
		{at(Pending, 0, 1), at(Pending, 0, 1), true}, // repeated
		{at(Pending, 0, 1), at(Pending, 0, 2), true},
		{at(Pending, 0, 3), at(Pending, 1, 0), true}, // dead and replayed in one Change
		{at(Pending, 0, 2), at(Pending, 0, 1), false},
		{at(Pending, 1, 0), at(Pending, 0, 3), false},
		{at(Pending, 0, 3), at(Dead, 0, 4), true},
		{at(Pending, 0, 3), at(Dead, 0, 3), true}, // its webhook was removed, or its event is gone
		{at(Pending, 0, 3), at(Dead, 0, 2), false},
		{at(Pending, 1, 0), at(Dead, 0, 4), false},
		{at(Dead, 0, 4), at(Done, 0, 0), true},
		{at(Dead, 0, 4), at(Dead, 0, 4), true},
		{at(Dead, 0, 4), at(Pending, 1, 0), true},
		{at(Dead, 0, 4), at(Pending, 0, 3), false}, // not by a replay: by a lane that knows less
		{at(Dead, 1, 4), at(Pending, 1, 0), false},
		{none, at(9, 0, 0), false},
		{at(9, 0, 0), at(Done, 0, 0), false},
	} {
		err := CheckMove("wh_a", c.from, c.to)
		if (err == nil) != c.legal {
			t.Errorf("%s %d/%d to %s %d/%d: %v", c.from.State, c.from.Replay, c.from.Attempts, c.to.State, c.to.Replay, c.to.Attempts, err)
		}
		if te, ok := errors.AsType[*TransitionError](err); err != nil && (!ok || te.Sub != "wh_a" || te.Seq != 7 || te.To != c.to.State) {
			t.Errorf("%v", err)
		}
	}
}

// TestDiagramHasEveryMove: docs/STATES.md draws what may follow what on disk.
func TestDiagramHasEveryMove(t *testing.T) {
	doc, err := os.ReadFile("../docs/STATES.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "## A delivery on disk")
	section, _, _ = strings.Cut(section, "\n## ")
	names := map[State]string{Done: "none", Pending: "pending", Dead: "dead"}
	for from, name := range names {
		for to, next := range names {
			legal := CheckMove("wh_a", Record{Seq: 7, State: from}, Record{Seq: 7, State: to, Replay: 1}) == nil
			if drawn := strings.Contains(section, "\n    "+name+" --> "+next+": "); drawn != legal {
				t.Errorf("%s --> %s: drawn %v, legal %v", name, next, drawn, legal)
			}
		}
	}
}
