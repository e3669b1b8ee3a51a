package connection

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow/store"

	"waoutbox/connection/decryptions"
	"waoutbox/connection/sessions"
	"waoutbox/connection/synced"
)

// The library reads a message in one transaction of its device store. When that transaction cannot
// be written, because the disk is full or broken, it takes the message for one that cannot be
// decrypted: it acknowledges it and asks the sender to send it again. So a full disk would turn
// whole messages into requests to phones that may be off. The one error it leaves unacknowledged is
// a cancelled context: storeError passes for one.

// storeError says that the device store, and not the message, is at fault.
type storeError struct{ err error }

func (e *storeError) Error() string        { return "the device store failed: " + e.err.Error() }
func (e *storeError) Unwrap() error        { return e.err }
func (e *storeError) Is(target error) bool { return target == context.Canceled }

// guardedBuffer is the part of the device store that reading a message goes through. Safe for
// concurrent use if what it wraps is.
type guardedBuffer struct {
	store.EventBuffer
	onFailure func(error) // called before the library goes on; must not block on the library
	plain     plaintextWatch
}

// plaintextWatch is told what the library decrypted, under its name of the ciphertext.
type plaintextWatch interface {
	Decrypted(hash [32]byte, plain []byte)
	DecryptedBefore(hash [32]byte) // and told an event of
}

func (s *guardedBuffer) GetBufferedEvent(ctx context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	ev, err := s.EventBuffer.GetBufferedEvent(ctx, hash)
	switch {
	case err != nil || ev == nil:
	case ev.Plaintext == nil:
		s.plain.DecryptedBefore(hash)
	default:
		s.plain.Decrypted(hash, ev.Plaintext)
	}
	return ev, s.markStoreError(ctx, err, err != nil)
}

func (s *guardedBuffer) PutBufferedEvent(ctx context.Context, hash [32]byte, plain []byte, at time.Time) error {
	s.plain.Decrypted(hash, plain)
	return s.EventBuffer.PutBufferedEvent(ctx, hash, plain, at)
}

func (s *guardedBuffer) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	var read error // of the message; nil also when it was not tried
	err := s.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		read = fn(ctx)
		return read
	})
	if errors.Is(err, decryptions.ErrDropped) {
		return &storeError{err} // that is no fault
	}
	return s.markStoreError(ctx, err, read == nil || isStoreError(read) || errors.Is(err, decryptions.ErrNotCommitted))
}

// markStoreError marks an error of the store, and leaves alone those of the message and of a
// context that ended.
func (s *guardedBuffer) markStoreError(ctx context.Context, err error, store bool) error {
	if err == nil || !store || ctx.Err() != nil {
		return err
	}
	s.onFailure(err)
	return &storeError{err}
}

// isStoreError reports whether an error comes from the database: every driver's error has a code,
// and none of libsignal's has.
func isStoreError(err error) bool {
	_, coded := errors.AsType[interface {
		error
		Code() int
	}](err)
	return coded || errors.Is(err, driver.ErrBadConn)
}

// guardedContainer keeps a device's guardedBuffer in place: the library replaces the stores of a
// device when it is first saved, and when it is deleted.
type guardedContainer struct {
	store.DeviceContainer
	guard  func(dev *store.Device)
	forget func()      // called before a device is deleted
	linked atomic.Bool // since then anything may read of it at any time
}

// errLeftToLink is no failure: a device that was linked is forgotten by the link, once nothing
// reads of it any more. The library would put other stores in place of its own at once, without a
// lock, while messages are being read.
var errLeftToLink = errors.New("the device is forgotten when its link is over")

func (g *guardedContainer) DeleteDevice(ctx context.Context, dev *store.Device) error {
	if g.linked.Load() {
		return errLeftToLink
	}
	g.forget()
	return g.DeviceContainer.DeleteDevice(ctx, dev)
}

// noteLinked says that the device is linked from now on.
func noteLinked(dev *store.Device) {
	if g, ok := dev.Container.(*guardedContainer); ok {
		g.linked.Store(true)
	}
}

func (g *guardedContainer) PutDevice(ctx context.Context, dev *store.Device) error {
	err := g.DeviceContainer.PutDevice(ctx, dev)
	if err == nil {
		g.guard(dev)
	}
	return err
}

// guardDevice makes the device say when its store fails, store synced settings whole, and keep
// sessions that come while one is used. Call it before any client of the library has the device.
func (c *Client) guardDevice(dev *store.Device) *store.Device {
	c.useDecrypted(nil) // of another device
	container := &guardedContainer{DeviceContainer: dev.Container, forget: func() { c.useDecrypted(nil) }}
	container.guard = func(dev *store.Device) {
		if dev.Container != container {
			dev.Container = container
		}
		// before the buffer is replaced: its transactions are the whole store's
		if dev.AppState != nil && dev.EventBuffer != nil && !synced.IsWhole(dev.AppState) {
			dev.AppState = synced.Whole(dev.AppState, dev.EventBuffer.DoDecryptionTxn)
		}
		// all the others are replaced together, and wrapped once: a device is saved again with each
		// new name of the account, and in one another a write of sessions would wait for itself
		if _, done := dev.EventBuffer.(*guardedBuffer); !done && dev.EventBuffer != nil {
			if dev.Sessions != nil && !sessions.IsKept(dev.Sessions) {
				dev.Sessions = sessions.Kept(dev.Sessions, dev.EventBuffer.DoDecryptionTxn)
			}
			decrypted := decryptions.NewBuffer(decryptions.Stores{
				Events: dev.EventBuffer, Sessions: dev.Sessions, Identities: dev.Identities,
				PreKeys: dev.PreKeys, SenderKeys: dev.SenderKeys, Secrets: dev.MsgSecrets,
			}, c.timings.clear, c.messageCommitted)
			c.useDecrypted(decrypted)
			w := decrypted.Wrapped()
			dev.Sessions, dev.Identities, dev.PreKeys = sessions.Restored(w.Sessions), w.Identities, w.PreKeys
			dev.SenderKeys, dev.MsgSecrets = w.SenderKeys, w.Secrets
			dev.EventBuffer = &guardedBuffer{
				EventBuffer: w.Events,
				onFailure:   c.deviceStoreFailed,
				plain:       c.arrivals,
			}
		}
	}
	container.guard(dev)
	container.linked.Store(dev.ID != nil)
	return dev
}

// deviceStoreFailed has the connection made again, as when the outbox refuses: only then WhatsApp
// sends the message again.
func (c *Client) deviceStoreFailed(err error) {
	text := fmt.Sprintf("The store of the WhatsApp session, whatsapp.db, cannot be used (%s), so messages are not acknowledged and WhatsApp keeps them. Make room on its disk or mend it; it goes on by itself.", masked(err.Error()))
	if c.alarms.raise(alarmSessionStore, text) {
		c.log.Error("device store failed: WhatsApp is not acknowledged", "error", masked(err.Error()))
	}
	if from := c.source.Load(); from != nil {
		c.in.stopSource(from)
	}
}
