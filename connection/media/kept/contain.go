package kept

import (
	"errors"
	"runtime/debug"

	"waoutbox/connection/media"
	"waoutbox/outbox"
)

// find returns the medium of an event. What a message says of it was written by its sender: one
// that cannot be read is none, and the log is read on.
func (s *Store) find(ev outbox.Event) (ref media.Ref, err error) {
	err = s.contain(func() (err error) {
		ref, err = media.Find(ev.Body)
		return err
	})
	return ref, err
}

// contain makes the error of a panic: a medium that cannot be handled is given up, and ends nothing
// else.
func (s *Store) contain(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.o.Logger.Error("keeping a medium panicked", "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return f()
}

// errPanicked is the error of what panicked.
var errPanicked = errors.New("it cannot be handled by this version")
