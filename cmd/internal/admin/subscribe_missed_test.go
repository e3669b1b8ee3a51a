package admin

import (
	"testing"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// The response that told a client of a loss may never have arrived: it is told again as long as it
// renews with a cursor from before, and not after it has the cursor that came with it.
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
