package outboxtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"waoutbox/outbox"
)

func appendCases() []testCase {
	return []testCase{
		{"append rises and round-trips", appendRoundTrip},
		{"a seen key appends nothing", appendSeen},
		{"a key twice in one call", appendTwiceInOneCall},
		{"random keys are never duplicates", appendRandom},
		{"append is all or none", appendAllOrNone},
		{"append limits", appendLimits},
		{"concurrent appends", appendConcurrent},
		{"cancelled context", cancelled},
		{"a context's end says whether something was written", cutWrites},
		{"a subscription that is cut and repeated is one", cutPutSub},
		{"sequences are never reused", neverReused},
		{"trim keeps what is needed", trimKeeps},
	}
}

func appendRoundTrip(b *bench) {
	in := msg("a", "chat")
	seqs := b.append(in, msg("b", "chat"))
	if seqs[0] == 0 || seqs[1] <= seqs[0] {
		b.Fatalf("sequences %v do not rise", seqs)
	}
	keep := string(in.Body)
	in.Body[0] = 'X' // the engine must have its own copy
	got, err := b.e.Event(b.ctx, seqs[0])
	if err != nil {
		b.Fatal(err)
	}
	if got.Seq != seqs[0] || got.Key != in.Key || got.Stamp != in.Stamp || got.Random || !got.Time.Equal(in.Time) ||
		got.Name != in.Name || got.Chat != in.Chat || got.Account != in.Account || string(got.Body) != keep {
		b.Fatalf("event came back as %+v", got)
	}
	_, err = b.e.Event(b.ctx, seqs[1]+1)
	b.wantErr("Event of a sequence never given", err, outbox.ErrNotFound)
	if st, err := b.e.Stats(b.ctx); err != nil || st.Events != 2 || st.Last != seqs[1] {
		b.Fatalf("Stats = %+v, %v", st, err)
	}
}

func appendSeen(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	first := b.append(msg("a", "c"), msg("b", "c"))
	again := b.append(msg("b", "c"), msg("new", "c"), msg("a", "c"))
	b.equal("sequences of seen keys", []outbox.Seq{again[0], again[2]}, []outbox.Seq{first[1], first[0]})
	got, _ := b.read("wh_a", 0)
	b.equal("events after a repeated append", got, []outbox.Seq{first[0], first[1], again[1]})
	// a sender's resend, or the receipt of a second device
	later, without := msg("a", "c"), msg("b", "c")
	later.Stamp += 40
	without.Stamp = 0
	b.equal("sequences of seen keys with another time", b.append(later, without), first)
	zero := msg("joined", "c")
	zero.Stamp = 0
	timed := zero
	timed.Stamp = 5
	b.equal("a key without a time, and then with one", b.append(zero), b.append(timed))
	b.equal("a key without a time, repeated", b.append(zero), b.append(zero))
}

func appendTwiceInOneCall(b *bench) {
	seqs := b.append(msg("a", "c"), msg("b", "c"), msg("a", "c"))
	if seqs[0] != seqs[2] || seqs[0] == seqs[1] {
		b.Fatalf("sequences %v: the third is the first event again", seqs)
	}
	if st, err := b.e.Stats(b.ctx); err != nil || st.Events != 2 {
		b.Fatalf("Stats = %+v, %v; want two events", st, err)
	}
}

func appendRandom(b *bench) {
	e := msg("r", "connection")
	e.Random, e.Stamp = true, 0
	seqs := b.append(e, e)
	if seqs[0] == seqs[1] {
		b.Fatal("an event with a random key was taken for a duplicate")
	}
}

func appendAllOrNone(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	bad := msg("big", "c")
	bad.Body = make([]byte, outbox.MaxBody+1)
	_, err := b.e.Append(b.ctx, msg("a", "c"), bad)
	b.wantErr("Append with a body too large", err, outbox.ErrTooLarge)
	if got, _ := b.read("wh_a", 0); len(got) != 0 {
		b.Fatalf("a refused append left %v behind", got)
	}
}

func appendLimits(b *bench) {
	var evs []outbox.Event
	for i := range outbox.MaxBatch + 1 {
		evs = append(evs, msg(fmt.Sprint(i), "c"))
	}
	_, err := b.e.Append(b.ctx, evs...)
	b.wantErr("Append of more than MaxBatch", err, outbox.ErrTooLarge)
	b.append(evs[:outbox.MaxBatch]...)
	if got, err := b.e.Append(b.ctx); err != nil || len(got) != 0 {
		b.Fatalf("Append of nothing = %v, %v", got, err)
	}
	if _, err := b.e.Append(b.ctx, outbox.Event{Name: "x"}); err == nil {
		b.Fatal("an event without a key was taken")
	}
	long := strings.Repeat("x", outbox.MaxField+1)
	for what, set := range map[string]func(e *outbox.Event){
		"key":           func(e *outbox.Event) { e.Key = long },
		"name":          func(e *outbox.Event) { e.Name = long },
		"chat":          func(e *outbox.Event) { e.Chat = long },
		"other address": func(e *outbox.Event) { e.ChatAlt = long },
		"account":       func(e *outbox.Event) { e.Account = long },
		"message id":    func(e *outbox.Event) { e.Message = long },
	} {
		e := msg("long", "c")
		set(&e)
		_, err := b.e.Append(b.ctx, e)
		b.wantErr("Append of an event with a long "+what, err, outbox.ErrTooLarge)
	}
	b.subscribe("wh_a", outbox.Any)
	set := make([]outbox.Record, outbox.MaxChange+1)
	for i := range set {
		set[i] = doneRec(outbox.Seq(i + 1))
	}
	b.wantErr("Commit of more than MaxChange", b.e.Commit(b.ctx, outbox.Change{Sub: "wh_a", Set: set}), outbox.ErrTooLarge)
}

func appendConcurrent(b *bench) {
	const writers, each = 8, 20
	var mu sync.Mutex
	var all []outbox.Seq
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				seqs, err := b.e.Append(b.ctx, msg(fmt.Sprintf("%d-%d", w, i), fmt.Sprint(w)), msg("same", "c"))
				if err != nil {
					b.Errorf("Append: %v", err)
					return
				}
				mu.Lock()
				all = append(all, seqs[0])
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != writers*each {
		b.Fatalf("%d different sequences, want %d", n, writers*each)
	}
	if st, err := b.e.Stats(b.ctx); err != nil || st.Events != writers*each+1 {
		b.Fatalf("Stats = %+v, %v; want %d events", st, err, writers*each+1)
	}
}

func cancelled(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	_, err := b.e.Append(ctx, msg("a", "c"))
	b.wantErr("Append", err, context.Canceled)
	b.wantErr("Commit", b.e.Commit(ctx, outbox.Change{Sub: "wh_a"}), context.Canceled)
	b.wantErr("Wait", b.e.Wait(ctx, 1), context.Canceled)
	_, _, err = b.e.Read(ctx, "wh_a", 0, 1)
	b.wantErr("Read", err, context.Canceled)
	if st, err := b.e.Stats(b.ctx); err != nil || st.Events != 0 {
		b.Fatalf("a cancelled append left %d events, %v", st.Events, err)
	}
}

func neverReused(b *bench) {
	seqs := b.append(msg("a", "c"), msg("b", "c"))
	if n, _, err := b.e.Trim(b.ctx, time.Now().Add(time.Hour), 256); n != 2 || err != nil {
		b.Fatalf("Trim = %d, %v; want 2", n, err)
	}
	_, err := b.e.Event(b.ctx, seqs[1])
	b.wantErr("Event after Trim", err, outbox.ErrNotFound)
	if again := b.append(msg("c", "c")); again[0] <= seqs[1] {
		b.Fatalf("sequence %d was given again after %v", again[0], seqs)
	}
	b.equal("a trimmed key is still seen", b.append(msg("a", "c")), seqs[:1])
}

func trimKeeps(b *bench) {
	b.subscribe("wh_a", "message.received")
	seqs := b.append(msg("done", "c"), msg("pending", "c"), msg("dead", "c"), named("other", "presence.update"), msg("run1", "c"), named("inside", "presence.update"), msg("run2", "c"), msg("unread", "c"))
	b.commit(outbox.Change{Sub: "wh_a", Next: seqs[7], Set: []outbox.Record{pendingRec(seqs[1]), deadRec(seqs[2]),
		{Seq: seqs[4], Last: seqs[6], Count: 2, State: outbox.Dead, Reason: "unregistered", At: time.Now()}}})
	if n, _, err := b.e.Trim(b.ctx, time.Now().Add(time.Hour), 1); n != 1 || err != nil {
		b.Fatalf("Trim of at most 1 = %d, %v", n, err)
	}
	if n, _, err := b.e.Trim(b.ctx, time.Unix(1, 0), 256); n != 0 || err != nil {
		b.Fatalf("Trim before the first event = %d, %v", n, err)
	}
	if n, _, err := b.e.Trim(b.ctx, time.Now().Add(time.Hour), 256); n != 2 || err != nil {
		b.Fatalf("Trim = %d, %v; want the other two nobody needs", n, err)
	}
	for i, s := range seqs {
		_, err := b.e.Event(b.ctx, s)
		if gone := i == 0 || i == 3 || i == 5; gone != (err != nil) {
			b.Fatalf("event %d of %d after Trim: %v", i, len(seqs), err)
		}
	}
	got, _ := b.read("wh_a", seqs[0])
	b.equal("read over the gaps", got, []outbox.Seq{seqs[1], seqs[2], seqs[4], seqs[6], seqs[7]})
}

// cutSoon is a context that ends at some moment of a write that begins now: before it is queued,
// while it waits, or while it is written.
func (b *bench) cutSoon(i int) context.Context {
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range i * i * 20 {
			runtime.Gosched()
		}
		cancel()
	}()
	b.Cleanup(func() { <-done })
	return ctx
}

// nilOrCtx fails the test unless err is nil or the context's, and nothing else: an outcome that is
// not known never comes of a caller that left.
func (b *bench) nilOrCtx(what string, err error) (written bool) {
	b.Helper()
	if err != nil && (!errors.Is(err, context.Canceled) || errors.Is(err, outbox.ErrUnknown)) {
		b.Fatalf("%s, cut: %v; want nil or the context's error alone", what, err)
	}
	return err == nil
}

func cutWrites(b *bench) {
	b.subscribe("wh_a", outbox.Any)
	for i := range 40 {
		key := fmt.Sprint("cut", i)
		before, err := b.e.Stats(b.ctx)
		if err != nil {
			b.Fatal(err)
		}
		seqs, err := b.e.Append(b.cutSoon(i), msg(key, "c"))
		written := b.nilOrCtx("Append", err)
		after, err := b.e.Stats(b.ctx)
		if err != nil || after.Events != before.Events+int64(len(seqs)) || written != (len(seqs) == 1) {
			b.Fatalf("Append, cut: written %v, %v; events %d and then %d", written, seqs, before.Events, after.Events)
		}
		if !written {
			continue
		}
		written = b.nilOrCtx("Commit", b.e.Commit(b.cutSoon(i), outbox.Change{Sub: "wh_a", Next: seqs[0] + 1, Set: []outbox.Record{pendingRec(seqs[0])}}))
		next, pending := b.load("wh_a")
		if written != (next == seqs[0]+1) || written != slices.Contains(keySeqs(pending), seqs[0]) {
			b.Fatalf("Commit, cut: written %v, but next is %d and %v are pending (event %d)", written, next, keySeqs(pending), seqs[0])
		}
	}
}

// Before, a call that was cut while it was written was told an unknown outcome, and who repeated it
// under a new id had two.
func cutPutSub(b *bench) {
	b.append(msg("x", "c"))
	for i := range 40 {
		id := outbox.SubID(fmt.Sprint("wh_", i))
		s := outbox.Subscription{ID: id, Epochs: []outbox.Epoch{{Filter: outbox.Filter{Events: []string{outbox.Any}}}}}
		_, err := b.e.PutSub(b.cutSoon(i), s)
		written := b.nilOrCtx("PutSub", err)
		_, err = b.e.Sub(b.ctx, id)
		if written != (err == nil) {
			b.Fatalf("PutSub, cut: written %v, but Sub gives %v", written, err)
		}
		if !written { // repeated, under another id as a caller may choose one
			s.ID += "b"
			b.put(s)
		}
	}
	subs, err := b.e.Subs(b.ctx)
	if err != nil || len(subs) != 40 {
		b.Fatalf("40 subscriptions, cut and repeated, are %d, %v", len(subs), err)
	}
}
