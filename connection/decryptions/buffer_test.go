package decryptions

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// Mutation of buffer.go: a message that was stored, and whose plaintext is not cleared yet, is told
// again.
func TestAMessageIsWrittenOnce(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d.stores(), time.Hour, nil)
	for i := range 10 {
		read(t, b, byte(i))
	}
	if d.written() != 10 || d.uncleared() != 1 {
		t.Errorf("10 messages: %d writes, %d plaintexts left; want 10 and the last", d.written(), d.uncleared())
	}
	for i := range 10 {
		if ev, err := b.GetBufferedEvent(t.Context(), [32]byte{byte(i)}); err != nil || ev == nil || ev.Plaintext != nil {
			t.Errorf("message %d: %+v, %v; want no plaintext, as its event is stored", i, ev, err)
		}
	}
	if err := errors.Join(b.Flush(), b.Flush()); err != nil || d.uncleared() != 0 || d.written() != 11 {
		t.Errorf("flushed twice: %v, %d plaintexts left, %d writes; want one write more", err, d.uncleared(), d.written())
	}
}

// A plaintext whose event is stored before it is committed never comes to the disk.
func TestAStoredPlaintextIsNotWritten(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d.stores(), time.Hour, nil)
	if err := put(b, t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if ev, err := b.GetBufferedEvent(t.Context(), [32]byte{1}); err != nil || ev == nil || string(ev.Plaintext) != "text" {
		t.Errorf("before its event is stored: %+v, %v", ev, err)
	}
	if err := errors.Join(b.ClearBufferedEventPlaintext(t.Context(), [32]byte{1}), b.Committed()); err != nil {
		t.Fatal(err)
	}
	if plain, ok := d.now().plain[[32]byte{1}]; !ok || plain != "" || d.written() != 1 {
		t.Errorf("on the disk: %q (%v) after %d writes, want its hash after 1", plain, ok, d.written())
	}
}

func TestPlaintextsGoWhenNothingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		b := NewBuffer(d.stores(), time.Second, nil)
		for i := range 3 {
			read(t, b, byte(i))
			<-time.After(900 * time.Millisecond)
		}
		if err := b.Committed(); err != nil || d.written() != 3 {
			t.Errorf("%d writes while messages come, %v; want 3", d.written(), err)
		}
		d.setBroken(errors.New("the disk is full"))
		<-time.After(time.Second)
		if d.uncleared() != 1 {
			t.Errorf("%d plaintexts left on a full disk, want 1", d.uncleared())
		}
		d.setBroken(nil)
		<-time.After(flushLimit + time.Second)
		if d.uncleared() != 0 || d.written() != 4 {
			t.Errorf("%d plaintexts left after %d writes; want 0 after 4", d.uncleared(), d.written())
		}
		if err := put(b, t.Context(), 9); err != nil { // nobody asks for its commit
			t.Fatal(err)
		}
		<-time.After(2 * time.Second)
		if d.written() != 5 {
			t.Errorf("%d writes, want 5", d.written())
		}
	})
}

func TestAFailedDecryptionChangesNothing(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d.stores(), time.Hour, nil)
	s := b.Wrapped()
	unreadable := errors.New("bad MAC")
	err := b.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
		return errors.Join(s.Sessions.PutSession(ctx, "bob", []byte("1")), s.Identities.PutIdentity(ctx, "bob", [32]byte{1}),
			s.PreKeys.RemovePreKey(ctx, 1), s.SenderKeys.PutSenderKey(ctx, "g", "bob", []byte("1")),
			b.PutBufferedEvent(ctx, [32]byte{1}, []byte("text"), time.Time{}), unreadable)
	})
	if !errors.Is(err, unreadable) {
		t.Errorf("error %v", err)
	}
	if err := b.Flush(); err != nil || d.written() != 0 {
		t.Errorf("%d writes, %v; want none", d.written(), err)
	}
	if ev, err := b.GetBufferedEvent(t.Context(), [32]byte{1}); ev != nil || err != nil {
		t.Errorf("%+v, %v; want nothing", ev, err)
	}
}

// The secret of a message that arrives is committed with it, that of one that is sent at once.
func TestSecretsWaitForTheCommit(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d.stores(), time.Hour, nil)
	secrets, of := b.Wrapped().Secrets, OfMessage(t.Context())
	if err := put(b, of, 1); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"first", "again"} {
		if err := secrets.PutMessageSecret(of, types.JID{}, types.JID{}, "A", []byte(secret)); err != nil || d.written() != 0 {
			t.Errorf("%d writes, %v", d.written(), err)
		}
	}
	if got, _, err := secrets.GetMessageSecret(t.Context(), types.JID{}, types.JID{}, "A"); err != nil || string(got) != "first" || d.written() != 1 {
		t.Errorf("read %q, %v, after %d writes; want the first after 1", got, err, d.written())
	}
	if err := secrets.PutMessageSecret(t.Context(), types.JID{}, types.JID{}, "B", []byte("sent")); err != nil || d.now().secrets["B"] != "sent" {
		t.Errorf("%v; the disk has %v", err, d.now().secrets)
	}
	d.setBroken(errors.New("the disk is full"))
	if err := put(b, of, 2); err != nil || b.Committed() == nil {
		t.Errorf("%v", err)
	}
	if err := secrets.PutMessageSecret(of, types.JID{}, types.JID{}, "C", nil); err == nil {
		t.Error("kept after a commit that failed")
	}
}

// Hundreds of prekeys wait for the disk once, and are there when they are given to WhatsApp.
func TestPreKeysAreWrittenTogether(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d.stores(), time.Hour, nil)
	got, err := b.Wrapped().PreKeys.GetOrGenPreKeys(t.Context(), 812)
	if err != nil || len(got) != 812 || len(d.now().preKeys) != 812 || d.written() != 1 {
		t.Errorf("%d prekeys, %v; %d on the disk after %d writes; want 812 after 1", len(got), err, len(d.now().preKeys), d.written())
	}
}

// What is kept of the database's content is bounded.
func TestWhatIsKnownIsBounded(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d.stores(), time.Hour, nil)
	s := b.Wrapped().Sessions
	for i := range 3 * mostKnown {
		err := b.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
			return s.PutSession(ctx, fmt.Sprint(i), make([]byte, 1+i%2*largeRecord))
		})
		if i%64 == 0 {
			err = errors.Join(err, b.Committed())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := b.known.size(); n == 0 || n > mostKnown {
		t.Errorf("%d known", n)
	}
	for address, session := range b.known.sessions {
		if len(session) > largeRecord {
			t.Errorf("%s has %d bytes", address, len(session))
		}
	}
}

// The library is never told that a plaintext is cleared: it would go on with a field of its own
// that nothing guards. What it would do there is done with the commits.
//
// Mutation of stores.go: messages that are handled at the same time set one unguarded field of the
// library.
func TestOldHashesAreRemovedTwiceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		b := NewBuffer(d.stores(), time.Second, nil)
		for i := range 48 {
			if err := put(b, t.Context(), byte(i)); err != nil {
				t.Fatal(err)
			}
			if err := b.Wrapped().Events.ClearBufferedEventPlaintext(t.Context(), [32]byte{byte(i)}); !errors.Is(err, errClearedLater) {
				t.Errorf("the library is told %v", err)
			}
			<-time.After(time.Hour + time.Minute)
		}
		if d.olds != 4 || d.uncleared() != 0 {
			t.Errorf("removed %d times in two days, want 4; %d plaintexts are left", d.olds, d.uncleared())
		}
	})
}

func TestUnclearedPlaintextsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		b := NewBuffer(d.stores(), time.Hour, nil)
		for i := range 3 * mostUncleared {
			if err := b.ClearBufferedEventPlaintext(t.Context(), [32]byte{byte(i), byte(i >> 8)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if d.written() != 3 {
			t.Errorf("%d writes, want 3", d.written())
		}
	})
}

func TestADroppedBufferWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		b := NewBuffer(d.stores(), time.Second, nil)
		if err := put(b, t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		b.Drop()
		if err := put(b, t.Context(), 2); !errors.Is(err, ErrDropped) {
			t.Errorf("the next message: %v", err)
		}
		if err := errors.Join(b.ClearBufferedEventPlaintext(t.Context(), [32]byte{1}), b.Flush()); err != nil {
			t.Error(err)
		}
		<-time.After(time.Minute)
		if d.written() != 0 {
			t.Errorf("%d writes", d.written())
		}
	})
}

// A commit that runs while the device is forgotten finds nothing to write to, which is no fault.
func TestADeviceIsForgottenUnderACommit(t *testing.T) {
	d := newDisk()
	var told []error
	b := NewBuffer(d.stores(), time.Hour, func(err error) { told = append(told, err) })
	d.commit = func() {
		b.Drop()
		d.setBroken(errors.New("FOREIGN KEY constraint failed"))
	}
	synctest.Test(t, func(t *testing.T) {
		if err := errors.Join(put(b, t.Context(), 1), b.Committed()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	if len(told) != 1 || told[0] != nil {
		t.Errorf("told %v", told)
	}
}
