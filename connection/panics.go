package connection

import (
	"errors"
	"fmt"
	"runtime/debug"

	"waoutbox/connection/guard"
	"waoutbox/outbox"
)

// libraryPanicked tells of something from WhatsApp that the library could not handle.
func (c *Client) libraryPanicked(p guard.Panic) {
	c.log.Error("the WhatsApp library panicked", "at", p.Where, "panic", outbox.PanicText(p.Value), "stack", p.Stack)
	c.alarms.happened(alarmPanic, fmt.Sprintf("WhatsApp sent something (%s) that this version cannot handle; it was refused, and the service goes on. This is a bug: please report it with the log line \"the WhatsApp library panicked\".", p.Where))
}

// panicked tells of a panic that was contained in what the link does by itself.
func (c *Client) panicked(doing string, p any) {
	c.log.Error("the link panicked", "doing", doing, "panic", outbox.PanicText(p), "stack", string(debug.Stack()))
	c.alarms.happened(alarmPanic, fmt.Sprintf("Something went wrong inside waoutbox (%s), and the service goes on. This is a bug: please report it with the log line \"the link panicked\".", doing))
}

// contained runs f, which the library does for this session. A panic is its error, and is told.
func (s *session) contained(doing string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.hooks.Panic(guard.Panic{Where: doing, Value: p, Stack: string(debug.Stack())})
			err = errPanicked
		}
	}()
	return f()
}

// errPanicked is the error of what panicked.
var errPanicked = errors.New("the WhatsApp library panicked; the log has more")

// contained runs f, which the link does by itself. A panic ends f alone, and is told.
func (c *Client) contained(doing string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			c.panicked(doing, p)
		}
	}()
	f()
}

// beside runs f in a goroutine that Run waits for. A panic ends f alone.
func (c *Client) beside(doing string, f func()) {
	c.sending.Go(func() { c.contained(doing, f) })
}
