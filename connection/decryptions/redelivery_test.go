package decryptions

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// TestRedeliveryNeverMeetsAUsedKey: messages of three people are decrypted, in groups of any size,
// on a disk that fails now and then; what is not acknowledged comes again. No message finds its
// session beyond it without being known, and the disk holds as many messages as its sessions say.
//
// Mutation of commit.go: what was decrypted after a commit that failed is committed without it.
func TestRedeliveryNeverMeetsAUsedKey(t *testing.T) {
	d := newDisk()
	b := NewBuffer(d.stores(), time.Hour, nil)
	s, people := b.Wrapped(), []string{"a", "b", "c"}
	hash := func(i int) [32]byte { return [32]byte{byte(i), byte(i >> 8)} }
	// as the library does: false when the message cannot be read for a fault of the store
	receive := func(i int) bool {
		if ev, err := b.GetBufferedEvent(t.Context(), hash(i)); ev != nil || err != nil {
			return err == nil
		}
		usedKey := errors.New("the session has read another number of messages")
		err := b.DoDecryptionTxn(t.Context(), func(ctx context.Context) error {
			person := people[i%len(people)]
			session, err := s.Sessions.GetSession(ctx, person)
			if used, _ := strconv.Atoi(string(session)); used != i/len(people) {
				return usedKey
			}
			return errors.Join(err, s.Sessions.PutSession(ctx, person, strconv.AppendInt(nil, int64(i/len(people)+1), 10)),
				b.PutBufferedEvent(ctx, hash(i), []byte("text"), time.Time{}))
		})
		if err != nil && !errors.Is(err, ErrNotCommitted) {
			t.Fatalf("message %d: %v", i, err)
		}
		return err == nil
	}
	const messages = 3000
	failed := 0
	for acked := 0; acked < messages; {
		d.setBroken(nil)
		if rand.IntN(4) == 0 {
			d.setBroken(errors.New("the disk is full"))
		}
		b.Renew()
		var waits []func() error // of each message
		for i := acked; i < min(messages, acked+rand.IntN(60)); i++ {
			if !receive(i) {
				break
			}
			if waits = append(waits, b.Committed); rand.IntN(5) == 0 {
				waits[len(waits)-1] = b.Begin()
			}
			if rand.IntN(50) == 0 {
				_, _ = s.Sessions.GetManySessions(t.Context(), people)
			}
		}
		for _, wait := range waits {
			if wait() != nil {
				failed++
				break
			}
			if rand.IntN(2) == 0 {
				_ = b.ClearBufferedEventPlaintext(t.Context(), hash(acked)) // it cannot fail
			}
			acked++
		}
		now := d.now()
		sum := 0
		for _, session := range now.sessions {
			n, _ := strconv.Atoi(session)
			sum += n
		}
		if sum != len(now.plain) {
			t.Fatalf("the sessions have read %d messages, and %d are there", sum, len(now.plain))
		}
	}
	if failed == 0 {
		t.Error("no commit failed")
	}
}
