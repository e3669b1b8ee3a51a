package decryptions

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mau.fi/whatsmeow/store"
)

// disk is an EventBuffer that counts what waits for a disk.
type disk struct {
	store.EventBuffer

	mu     sync.Mutex
	plain  map[byte][]byte
	writes int   // transactions, and writes outside of one
	broken error // of the next transactions
	commit func(context.Context)
}

type inTxn struct{}

func newDisk() *disk { return &disk{plain: make(map[byte][]byte)} }

func (d *disk) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	d.mu.Lock()
	before := make(map[byte][]byte, len(d.plain))
	for k, v := range d.plain {
		before[k] = v
	}
	d.mu.Unlock()
	err := fn(context.WithValue(ctx, inTxn{}, true))
	if err == nil && d.commit != nil {
		d.commit(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		err = d.broken
	}
	if err != nil {
		d.plain = before
		return err
	}
	d.writes++
	return nil
}

func (d *disk) PutBufferedEvent(ctx context.Context, hash [32]byte, plain []byte, _ time.Time) error {
	return d.write(ctx, hash, plain)
}

func (d *disk) ClearBufferedEventPlaintext(ctx context.Context, hash [32]byte) error {
	return d.write(ctx, hash, nil)
}

func (d *disk) write(ctx context.Context, hash [32]byte, plain []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Value(inTxn{}) == nil {
		d.writes++
	}
	d.plain[hash[0]] = plain
	return nil
}

func (d *disk) GetBufferedEvent(_ context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	plain, ok := d.plain[hash[0]]
	if !ok {
		return nil, nil
	}
	return &store.BufferedEvent{Plaintext: plain}, nil
}

// uncleared is how many plaintexts are on the disk.
func (d *disk) uncleared() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, plain := range d.plain {
		if plain != nil {
			n++
		}
	}
	return n
}

// read is what the library does with a message whose event is stored.
func read(t *testing.T, b *Buffer, message byte) {
	t.Helper()
	hash := [32]byte{message}
	err := b.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
		return b.PutBufferedEvent(ctx, hash, []byte("text"), time.Time{})
	})
	if err == nil {
		err = b.Committed()
	}
	if err == nil {
		err = b.ClearBufferedEventPlaintext(t.Context(), hash)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestAMessageIsWrittenOnce(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d, time.Hour, nil)
	for i := range 10 {
		read(t, b, byte(i))
	}
	if d.writes != 10 || d.uncleared() != 1 {
		t.Errorf("10 messages: %d writes, %d plaintexts left; want 10 and the last", d.writes, d.uncleared())
	}
	for i := range 10 {
		if ev, err := b.GetBufferedEvent(t.Context(), [32]byte{byte(i)}); err != nil || ev == nil || ev.Plaintext != nil {
			t.Errorf("message %d: %+v, %v; want no plaintext, as its event is stored", i, ev, err)
		}
	}
	if err := errors.Join(b.Flush(t.Context()), b.Flush(t.Context())); err != nil || d.uncleared() != 0 || d.writes != 11 {
		t.Errorf("flushed twice: %v, %d plaintexts left, %d writes; want one write more", err, d.uncleared(), d.writes)
	}
}

func TestPlaintextsGoWhenNothingComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		b := NewBuffer(d, time.Second, nil)
		for i := range 3 {
			read(t, b, byte(i))
			<-time.After(900 * time.Millisecond)
		}
		if err := b.Committed(); err != nil || d.writes != 3 {
			t.Errorf("%d writes while messages come, %v; want 3", d.writes, err)
		}
		d.mu.Lock()
		d.broken = errors.New("the disk is full")
		d.mu.Unlock()
		<-time.After(time.Second)
		if d.uncleared() != 1 {
			t.Errorf("%d plaintexts left on a full disk, want 1", d.uncleared())
		}
		d.mu.Lock()
		d.broken = nil
		d.mu.Unlock()
		<-time.After(flushLimit + time.Second)
		if d.uncleared() != 0 || d.writes != 4 {
			t.Errorf("%d plaintexts left after %d writes; want 0 after 4", d.uncleared(), d.writes)
		}
	})
}

func TestAFailedTransactionClearsNothing(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d, time.Hour, nil)
	read(t, b, 1)
	unreadable := errors.New("bad MAC")
	if err := b.DoDecryptionTxn(t.Context(), func(context.Context) error { return unreadable }); !errors.Is(err, unreadable) {
		t.Errorf("error %v", err)
	}
	if d.uncleared() != 1 {
		t.Errorf("%d plaintexts left, want 1", d.uncleared())
	}
	if ev, err := b.GetBufferedEvent(t.Context(), [32]byte{1}); err != nil || ev.Plaintext != nil {
		t.Errorf("the message would be told again: %+v, %v", ev, err)
	}
	read(t, b, 2)
	if d.uncleared() != 1 {
		t.Errorf("%d plaintexts left, want that of the last message", d.uncleared())
	}
}

func TestUnclearedPlaintextsAreBounded(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d, time.Hour, nil)
	for i := range mostUncleared + 10 {
		if err := b.ClearBufferedEventPlaintext(t.Context(), [32]byte{0, byte(i), byte(i >> 8)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.uncleared) != mostUncleared || d.writes != 10 {
		t.Errorf("%d wait and %d are written; want %d and 10", len(b.uncleared), d.writes, mostUncleared)
	}
}
