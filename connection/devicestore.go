package connection

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/store"
)

// The library reads a message in one transaction of its device store. When that transaction cannot be written, because the disk is
// full or broken, it takes the message for one that cannot be decrypted: it acknowledges it and asks the sender to send it again.
// So a full disk would turn whole messages into pleas to phones that may be off. The one error it leaves unacknowledged is a
// cancelled context: storeFailed passes for one.

// storeFailed says that the device store, and not the message, is at fault.
type storeFailed struct{ err error }

func (e *storeFailed) Error() string        { return "the device store failed: " + e.err.Error() }
func (e *storeFailed) Unwrap() error        { return e.err }
func (e *storeFailed) Is(target error) bool { return target == context.Canceled }

// readStore is the part of the device store that reading a message goes through. Safe for concurrent use if what it wraps is.
type readStore struct {
	store.EventBuffer
	failed func(error) // called before the library goes on; must not block on the library
	worked func()
}

func (s *readStore) GetBufferedEvent(ctx context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	ev, err := s.EventBuffer.GetBufferedEvent(ctx, hash)
	return ev, s.judge(ctx, err, err != nil)
}

func (s *readStore) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	read := errors.New("not begun")
	err := s.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		read = fn(ctx)
		return read
	})
	if err == nil {
		s.worked()
		return nil
	}
	began := !errors.Is(err, dbutil.ErrTxnBegin)
	return s.judge(ctx, err, !began || read == nil || ofStore(read))
}

// judge marks an error of the store, and leaves alone those of the message and of a context that ended.
func (s *readStore) judge(ctx context.Context, err error, store bool) error {
	if err == nil || !store || ctx.Err() != nil {
		return err
	}
	s.failed(err)
	return &storeFailed{err}
}

// ofStore reports whether an error comes from the database: every driver's error has a code, and none of libsignal's has.
func ofStore(err error) bool {
	_, coded := errors.AsType[interface {
		error
		Code() int
	}](err)
	return coded || errors.Is(err, driver.ErrBadConn)
}

// guardedContainer keeps a device's readStore in place: the library replaces the stores of a device when it is first saved.
type guardedContainer struct {
	store.DeviceContainer
	guard func(dev *store.Device)
}

func (g *guardedContainer) PutDevice(ctx context.Context, dev *store.Device) error {
	err := g.DeviceContainer.PutDevice(ctx, dev)
	if err == nil {
		g.guard(dev)
	}
	return err
}

// guarded makes the device say when its store fails. Call it before any client of the library has the device.
func (c *Client) guarded(dev *store.Device) *store.Device {
	container := &guardedContainer{DeviceContainer: dev.Container}
	container.guard = func(dev *store.Device) {
		if dev.Container != container {
			dev.Container = container
		}
		if _, done := dev.EventBuffer.(*readStore); !done && dev.EventBuffer != nil {
			dev.EventBuffer = &readStore{
				EventBuffer: dev.EventBuffer,
				failed:      c.storeFailed,
				worked:      func() { c.alarms.clear(alarmUnread) },
			}
		}
	}
	container.guard(dev)
	return dev
}

// storeFailed has the connection made again, as when the outbox refuses: only then WhatsApp sends the message again.
func (c *Client) storeFailed(err error) {
	text := fmt.Sprintf("The store of the WhatsApp session, whatsapp.db, cannot be used (%s), so messages are not acknowledged and WhatsApp keeps them. Make room on its disk or mend it; it goes on by itself.", masked(err.Error()))
	if c.alarms.raise(alarmUnread, text) {
		c.log.Error("device store failed: WhatsApp is not acknowledged", "error", masked(err.Error()))
	}
	if from := c.origin.Load(); from != nil {
		c.in.breakOff(from)
	}
}
