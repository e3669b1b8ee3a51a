package decryptions

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.mau.fi/whatsmeow/store"
)

// sessions is a SessionStore that has been read.
type sessions struct {
	store.SessionStore
	reads int
}

func (s *sessions) GetSession(context.Context, string) ([]byte, error) {
	s.reads++
	return nil, nil
}

func (s *sessions) HasSession(context.Context, string) (bool, error) {
	s.reads++
	return false, nil
}

func (s *sessions) GetManySessions(context.Context, []string) (map[string][]byte, error) {
	s.reads++
	return nil, nil
}

func put(b *Buffer, ctx context.Context, message byte) error {
	return b.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		return b.PutBufferedEvent(ctx, [32]byte{message}, []byte("text"), time.Time{})
	})
}

func TestCommitsBesideWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sync = time.Second // how long a commit takes
		d, s := newDisk(), &sessions{}
		d.commit = func(context.Context) { <-time.After(sync) }
		var told []error
		b := NewBuffer(d, time.Hour, func(err error) { told = append(told, err) })
		read := b.Sessions(s)
		for name, wait := range map[string]func() error{
			"Committed":        b.Committed,
			"GetBufferedEvent": func() error { _, err := b.GetBufferedEvent(t.Context(), [32]byte{1}); return err },
			"GetSession":       func() error { _, err := read.GetSession(t.Context(), ""); return err },
			"HasSession":       func() error { _, err := read.HasSession(t.Context(), ""); return err },
			"GetManySessions":  func() error { _, err := read.GetManySessions(t.Context(), nil); return err },
			"Flush":            func() error { return b.Flush(t.Context()) },
		} {
			began := time.Now()
			if err := put(b, t.Context(), 1); err != nil || time.Since(began) != 0 {
				t.Errorf("%s: written after %v, %v; want at once", name, time.Since(began), err)
			}
			if err := wait(); err != nil || time.Since(began) != sync {
				t.Errorf("%s: returned after %v, %v; want when it is committed", name, time.Since(began), err)
			}
		}
		synctest.Wait()
		if s.reads != 3 || len(told) != 6 || errors.Join(told...) != nil {
			t.Errorf("%d reads, told %v", s.reads, told)
		}
	})
}

func TestAFailedCommitHoldsWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		full := errors.New("the disk is full")
		d.broken = full
		told := 0
		b := NewBuffer(d, time.Hour, func(err error) {
			if errors.Is(err, full) {
				told++
			}
		})
		if err := put(b, t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := b.Committed(); !errors.Is(err, full) {
				t.Errorf("committed: %v", err)
			}
		}
		synctest.Wait()
		d.broken = nil
		if err := put(b, t.Context(), 2); !errors.Is(err, full) || len(d.plain) != 0 {
			t.Errorf("the next message: %v, stored %v; it must wait for a new connection", err, d.plain)
		}
		b.Renew()
		if err := errors.Join(put(b, t.Context(), 1), b.Committed()); err != nil {
			t.Errorf("after Renew: %v", err)
		}
		if told != 1 {
			t.Errorf("told of %d failures, want 1", told)
		}
		// the end of the connection is nobody's fault
		ctx, cancel := context.WithCancel(t.Context())
		d.commit = func(context.Context) { cancel() }
		d.broken = full
		if err := put(b, ctx, 3); err != nil {
			t.Fatal(err)
		}
		if err := b.Committed(); err == nil {
			t.Error("committed after its context ended")
		}
		synctest.Wait()
		if told != 1 {
			t.Error("told of a commit whose context ended")
		}
	})
}

func TestPanicsReachTheLibrary(t *testing.T) {
	b := NewBuffer(newDisk(), time.Hour, nil)
	func() {
		defer func() {
			if p, ok := recover().(error); !ok || !strings.Contains(p.Error(), "bad ciphertext") {
				t.Errorf("recovered %v", p)
			}
		}()
		_ = b.DoDecryptionTxn(t.Context(), func(context.Context) error { panic("bad ciphertext") })
	}()
	if err := errors.Join(put(b, t.Context(), 1), b.Committed()); err != nil {
		t.Errorf("the next message: %v", err)
	}
}
