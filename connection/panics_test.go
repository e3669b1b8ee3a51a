package connection

import (
	"errors"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"

	"waoutbox/connection/guard"
)

// A panic of the library while it connects, or is asked whether it lives, is a failure of that: it
// ended the process before. A client that nobody made panics for sure.
//
// Mutation of panics.go: a panic of the library while it connects ends the process.
func TestALibraryThatPanicsIsNoConnection(t *testing.T) {
	told := make(chan guard.Panic, 2)
	s := &session{cli: &whatsmeow.Client{}, life: newLifetime(t.Context()), hooks: guard.Hooks{Panic: func(p guard.Panic) { told <- p }}}
	if err := s.connect(t.Context()); !errors.Is(err, errPanicked) {
		t.Errorf("connecting: %v", err)
	}
	if <-s.ping(t.Context(), time.Minute) {
		t.Error("it lives")
	}
	for range len(told) {
		p := <-told
		if p.Where == "" || p.Stack == "" {
			t.Errorf("told %+v", p)
		}
	}
}
