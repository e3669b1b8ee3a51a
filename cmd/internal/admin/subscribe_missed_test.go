package admin

import (
	"context"
	"testing"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// The response that told a client of a loss may never have arrived: it is told again as long as it
// renews with a cursor from before, and not after it has the cursor that came with it.
//
// Mutation of subscribe_missed.go: a client whose response was lost is not told again of what it
// missed.
func TestALossIsToldAgain(t *testing.T) {
	t.Parallel()
	r, _ := subscribers(t)
	r.arrive("message.received", 3)
	with := func(cursor string) func(*api.Subscribe) { return func(in *api.Subscribe) { in.Cursor = cursor } }
	foreign := outbox.Position("of another log", 2)
	out := r.subscribe(with(foreign))
	if out.Renewed || !out.Truncated {
		t.Fatalf("subscribed with a foreign cursor: %+v", out)
	}
	for range 2 {
		if again := r.subscribe(with(foreign)); !again.Renewed || !again.Truncated {
			t.Errorf("renewed with it: %+v", again)
		}
	}
	for range 2 { // and null says nothing
		for _, cursor := range []string{out.Cursor, ""} {
			if again := r.subscribe(with(cursor)); !again.Renewed || again.Truncated {
				t.Errorf("renewed with %q: %+v", cursor, again)
			}
		}
	}
	cfg := r.stored(r.leased()[0].ID)
	if cfg.Lease.Asked != askedUnknown {
		t.Errorf("it is stored as asked for from %d on", cfg.Lease.Asked)
	}
}

// logless is an engine whose log cannot be read, as on a disk that stands still.
type logless struct{ Engine }

func (logless) Events(context.Context, outbox.EventQuery) (outbox.EventPage, error) {
	return outbox.EventPage{}, context.DeadlineExceeded
}

// A renewal that cannot read the log stores nothing and tells of no loss: before, it was renewed
// and told its client that events may be missing, of which none was.
//
// Mutation of subscribe_missed.go: a renewal whose log cannot be read tells of a loss that never
// was.
func TestARenewalThatCannotBeRead(t *testing.T) {
	t.Parallel()
	r, _ := subscribers(t)
	first := r.subscribe()
	in := wants(func(in *api.Subscribe) { in.Cursor, in.Secret = first.Cursor, otherSecret })
	r.o.Engine = logless{r.box}
	if out, err := r.Subscribe(t.Context(), in); err == nil {
		t.Errorf("renewed: %+v", out)
	}
	r.o.Engine = r.box
	if cfg := r.stored(r.leased()[0].ID); len(cfg.PreviousSecret) > 0 {
		t.Error("a renewal that failed has replaced the secret")
	}
	if out, err := r.Subscribe(t.Context(), in); err != nil || !out.Renewed || out.Truncated {
		t.Errorf("renewed: %+v, %v", out, err)
	}
}
