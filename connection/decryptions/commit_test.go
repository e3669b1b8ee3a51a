package decryptions

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// While a commit runs, what is decrypted waits for the next, and shares it.
func TestMessagesShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.commit = func() { <-time.After(time.Second) }
		var told []error
		b := NewBuffer(d.stores(), time.Hour, func(err error) { told = append(told, err) })
		s := b.Wrapped()
		receive := func(message byte) {
			err := b.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
				session, err := s.Sessions.GetSession(ctx, "bob")
				return errors.Join(err, s.Sessions.PutSession(ctx, "bob", append(session, message)),
					b.PutBufferedEvent(ctx, [32]byte{message}, []byte("text"), time.Time{}))
			})
			if err != nil {
				t.Error(err)
			}
		}
		receive('a')
		first := b.Begin()
		for m := byte('b'); m <= 'k'; m++ {
			receive(m)
		}
		last := b.Begin()
		began := time.Now()
		if err := first(); err != nil || time.Since(began) != time.Second || d.now().sessions["bob"] != "a" {
			t.Errorf("the first after %v, %v; the disk has %v", time.Since(began), err, d.now().sessions)
		}
		if err := last(); err != nil || time.Since(began) != 2*time.Second || d.now().sessions["bob"] != "abcdefghijk" {
			t.Errorf("the last after %v, %v; the disk has %v", time.Since(began), err, d.now().sessions)
		}
		synctest.Wait()
		if d.written() != 2 || len(d.now().plain) != 11 || len(told) != 2 || errors.Join(told...) != nil {
			t.Errorf("%d writes of %d messages, told %v; want 2 of 11", d.written(), len(d.now().plain), told)
		}
		receive('l')
		if d.reads != 1 {
			t.Errorf("the session was read %d times, want once", d.reads)
		}
	})
}

// Who is not a message waits for the commit, reads what it left, and is heard by the next message.
//
// Mutation of stores.go: a message that is sent is encrypted with a session as it was before one
// that is being committed.
// Mutation of stores.go: the next message is decrypted with a session as it was before one that was
// sent.
func TestOthersWaitForTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.commit = func() { <-time.After(time.Second) }
		d.holds.preKeys[1] = true
		b := NewBuffer(d.stores(), time.Hour, nil)
		s := b.Wrapped()
		ctx, messages := t.Context(), 0
		message := func() (session, key string, trusted bool) {
			err := b.DoDecryptionTxn(ctx, func(ctx context.Context) error {
				got, err := s.Sessions.GetSession(ctx, "bob")
				group, err2 := s.SenderKeys.GetSenderKey(ctx, "g", "bob")
				session, key = string(got), string(group)
				var err3 error
				trusted, err3 = s.Identities.IsTrustedIdentity(ctx, "bob", [32]byte{1})
				pre, err4 := s.PreKeys.GetPreKey(ctx, 1)
				if messages++; messages > 1 && pre != nil {
					t.Error("a prekey is there that was used")
				}
				return errors.Join(err, err2, err3, err4, s.Sessions.PutSession(ctx, "bob", []byte("message")), s.PreKeys.RemovePreKey(ctx, 1),
					s.SenderKeys.PutSenderKey(ctx, "g", "bob", []byte("message")), s.Identities.PutIdentity(ctx, "bob", [32]byte{1}))
			})
			if err != nil {
				t.Error(err)
			}
			return session, key, trusted
		}
		for name, other := range map[string]func() error{
			"Committed": b.Committed, "Flush": b.Flush,
			"GetSession":        func() error { _, err := s.Sessions.GetSession(ctx, "bob"); return err },
			"HasSession":        func() error { _, err := s.Sessions.HasSession(ctx, "bob"); return err },
			"GetManySessions":   func() error { _, err := s.Sessions.GetManySessions(ctx, []string{"bob"}); return err },
			"IsTrustedIdentity": func() error { _, err := s.Identities.IsTrustedIdentity(ctx, "bob", [32]byte{}); return err },
			"GetSenderKey":      func() error { _, err := s.SenderKeys.GetSenderKey(ctx, "g", "bob"); return err },
			"GetPreKey":         func() error { _, err := s.PreKeys.GetPreKey(ctx, 1); return err },
			"RemovePreKey":      func() error { return s.PreKeys.RemovePreKey(ctx, 2) },
			"PutSession":        func() error { return s.Sessions.PutSession(ctx, "eve", []byte("other")) },
		} {
			began := time.Now()
			message()
			if err := other(); err != nil || time.Since(began) != time.Second || d.now().sessions["bob"] != "message" {
				t.Errorf("%s: returned after %v, %v; want when it is committed", name, time.Since(began), err)
			}
		}
		for name, other := range map[string]func() error{
			"PutSession":      func() error { return s.Sessions.PutSession(ctx, "bob", []byte("other")) },
			"PutManySessions": func() error { return s.Sessions.PutManySessions(ctx, map[string][]byte{"bob": []byte("other")}) },
		} {
			message()
			if err := other(); err != nil {
				t.Error(err)
			}
			if got, _, _ := message(); got != "other" {
				t.Errorf("after %s the next message reads %q", name, got)
			}
		}
		if err := s.SenderKeys.PutSenderKey(ctx, "g", "bob", []byte("other")); err != nil {
			t.Error(err)
		}
		if err := s.Identities.PutIdentity(ctx, "bob", [32]byte{2}); err != nil {
			t.Error(err)
		}
		if _, key, trusted := message(); key != "other" || trusted {
			t.Errorf("the next message reads the sender key %q, trusted %v", key, trusted)
		}
		for name, other := range map[string]func() error{
			"DeleteSession":     func() error { return s.Sessions.DeleteSession(ctx, "bob") },
			"DeleteAllSessions": func() error { return s.Sessions.DeleteAllSessions(ctx, "bob") },
		} {
			message()
			if err := other(); err != nil {
				t.Error(err)
			}
			if got, _, _ := message(); got != "" {
				t.Errorf("after %s the next message reads %q", name, got)
			}
		}
		if err := s.Identities.DeleteIdentity(ctx, "bob"); err != nil {
			t.Error(err)
		}
		if _, _, trusted := message(); !trusted {
			t.Error("an identity that was deleted is not trusted")
		}
	})
}

func TestAFailedCommitHoldsWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		full := errors.New("the disk is full")
		d.setBroken(full)
		d.commit = func() { <-time.After(time.Second) }
		told := 0
		b := NewBuffer(d.stores(), time.Hour, func(err error) {
			if errors.Is(err, full) {
				told++
			}
		})
		var waits []func() error
		for m := range byte(3) { // the first is being committed, the others wait for the next
			if err := put(b, t.Context(), m); err != nil {
				t.Fatal(err)
			}
			waits = append(waits, b.Begin())
		}
		for m, wait := range waits {
			if err := wait(); !errors.Is(err, full) {
				t.Errorf("message %d: %v", m, err)
			}
		}
		if err := b.Committed(); !errors.Is(err, full) {
			t.Errorf("committed: %v", err)
		}
		synctest.Wait()
		d.setBroken(nil)
		if err := put(b, t.Context(), 4); !errors.Is(err, full) || len(d.now().plain) != 0 {
			t.Errorf("the next message: %v, stored %v; it must wait for a new connection", err, d.now().plain)
		}
		b.Renew()
		if ev, err := b.GetBufferedEvent(t.Context(), [32]byte{0}); ev != nil || err != nil {
			t.Errorf("after Renew: %+v, %v; it was not stored", ev, err)
		}
		if err := errors.Join(put(b, t.Context(), 0), b.Committed()); err != nil || told != 1 {
			t.Errorf("after Renew: %v; told of %d failures, want 1", err, told)
		}
	})
}

// A commit fails while a message is decrypted with what it would have stored: the message fails
// too.
//
// Mutation of buffer.go: a message that rests on a commit that failed is called unreadable, which
// the library acknowledges.
func TestACommitThatFailsUnderAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.commit = func() { <-time.After(time.Second) }
		full := errors.New("the disk is full")
		d.setBroken(full)
		b := NewBuffer(d.stores(), time.Hour, nil)
		if err := put(b, t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		wait := b.Begin()
		// the latter for want of what the first one made
		for _, outcome := range []error{nil, errors.New("no session")} {
			err := b.DoDecryptionTxn(t.Context(), func(context.Context) error {
				_ = wait() // it fails
				return outcome
			})
			if !errors.Is(err, full) || !errors.Is(err, ErrNotCommitted) {
				t.Errorf("error %v", err)
			}
			b.Renew()
			if outcome == nil {
				if err := put(b, t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				wait = b.Begin()
			}
		}
		if err := b.Flush(); err != nil || d.written() != 0 {
			t.Errorf("%d writes, %v; want none", d.written(), err)
		}
	})
}

func TestPanicsReachTheLibrary(t *testing.T) {
	b := NewBuffer(newDisk().stores(), time.Hour, nil)
	func() {
		defer func() {
			if p, ok := recover().(string); !ok || !strings.Contains(p, "bad ciphertext") {
				t.Errorf("recovered %v", p)
			}
		}()
		_ = b.DoDecryptionTxn(t.Context(), func(context.Context) error { panic("bad ciphertext") })
	}()
	if err := errors.Join(put(b, t.Context(), 1), b.Committed()); err != nil {
		t.Errorf("the next message: %v", err)
	}
}

// A panic of the store is an error of the commit, without what it quotes.
func TestAPanickingStore(t *testing.T) {
	d := newDisk()
	d.commit = func() { panic("torn page of Alice") }
	b := NewBuffer(d.stores(), time.Hour, nil)
	if err := errors.Join(put(b, t.Context(), 1), b.Committed()); err == nil || !strings.Contains(err.Error(), "panic: string") || strings.Contains(err.Error(), "Alice") {
		t.Errorf("error %v", err)
	}
}
