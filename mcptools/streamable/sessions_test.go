package streamable

import (
	"testing"
)

// A session ends when its client says so, and with nothing else: neither with the service, nor when
// it is forgotten because there are too many.
func TestSessionsEndWithTheirClients(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	list := `{"jsonrpc":"2.0","id":3,"method":"tools/list"}`
	is := func(on *rig, session string, want int) {
		t.Helper()
		if status, body := on.send("POST", session, list); status != want {
			t.Errorf("%s: %d %s, want %d", session, status, body, want)
		}
	}
	first, second := r.begin(), r.begin()
	is(r, first, 200)
	if status, _ := r.send("DELETE", first, ""); status != 200 {
		t.Errorf("its end: %d", status)
	}
	is(r, first, 404)
	if status, _ := r.send("GET", first, ""); status != 404 {
		t.Errorf("a stream of an ended session: %d", status)
	}
	if status, _ := r.send("DELETE", first, ""); status != 404 {
		t.Errorf("its end again: %d", status)
	}
	is(r, second, 200)
	is(newRig(t), second, 200) // after a restart
}

// What is remembered of sessions is bounded, though no client ends its own.
func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.h.sessions.most = 3
	var forgotten []string
	forget := r.h.sessions.forget
	r.h.sessions.forget = func(id string) { forgotten = append(forgotten, id); forget(id) }
	var all []string
	for range 5 {
		all = append(all, r.begin())
		r.h.sessions.known(all[0]) // the first is in use all the while
	}
	if len(forgotten) != 2 || forgotten[0] != all[1] || forgotten[1] != all[2] {
		t.Errorf("forgotten %q of %q", forgotten, all)
	}
	if len(r.h.sessions.at) != 3 || r.h.sessions.order.Len() != 3 || len(r.h.sessions.leaving) != 0 {
		t.Errorf("%d sessions are remembered", len(r.h.sessions.at))
	}
	for _, id := range all {
		if !r.h.sessions.known(id) {
			t.Errorf("%s ended", id)
		}
	}
	s := newSessions(1, func(string) {})
	for range maxEnded + 10 {
		if _, err := s.Terminate(s.Generate()); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.ended) != maxEnded || len(s.old) != maxEnded || len(s.at) != 0 {
		t.Errorf("%d ended sessions are remembered", len(s.ended))
	}
}
