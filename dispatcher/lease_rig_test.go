package dispatcher

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"waoutbox/outbox"
)

// leaseOf is the configuration of a lease for the rig's events.
func leaseOf(change ...func(*outbox.Lease)) outbox.Webhook {
	l := outbox.Lease{ID: "sub_1", Principal: "local", Name: "message.received", Ends: time.Now().Add(outbox.MaxLease), Generation: 1}
	for _, c := range change {
		c(&l)
	}
	return outbox.Webhook{Lease: &l}
}

// leaseReceiver is the receiver of a lease: it knows what was appended, and checks what each
// request says is behind it.
type leaseReceiver struct {
	reply func(r Request) Result // nil: 2xx

	mu       sync.Mutex
	appended []outbox.Seq
	ended    map[outbox.Seq]bool // delivered, or refused for good
	got      []outbox.Seq        // delivered, in order
	chats    map[outbox.Seq]string
	attempts int
	gaps     []outbox.Seq
	ahead    []string
}

func (e *leaseReceiver) send(_ context.Context, r Request) Result {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.attempts++
	for _, seq := range e.appended {
		if seq < r.Watermark && !e.ended[seq] {
			e.ahead = append(e.ahead, fmt.Sprintf("the request of %d says that %d is behind it", r.Event.Seq, seq))
		}
	}
	if r.Watermark > r.Event.Seq || r.Watermark == 0 {
		e.ahead = append(e.ahead, fmt.Sprintf("the request of %d has the watermark %d", r.Event.Seq, r.Watermark))
	}
	res := Result{Class: outbox.ClassOK, Status: 204}
	if e.reply != nil {
		res = e.reply(r)
	}
	if res.Class == outbox.ClassOK {
		e.got = append(e.got, r.Event.Seq)
		e.ended[r.Event.Seq] = true
	}
	if refused(res) {
		e.ended[r.Event.Seq] = true
	}
	return res
}

func (e *leaseReceiver) said() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.attempts
}

func (e *leaseReceiver) arrived() []outbox.Seq {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got)
}

// leaseSender has the half of a Sender that leases need.
type leaseSender struct {
	*endpoint
	e *leaseReceiver
	// what a gap envelope comes to
	gap func() Result
}

func (s leaseSender) Gap(_ context.Context, r Request) Result {
	s.e.mu.Lock()
	s.e.gaps = append(s.e.gaps, r.Watermark)
	s.e.mu.Unlock()
	if s.gap != nil {
		return s.gap()
	}
	return Result{Class: outbox.ClassOK, Status: 200}
}

// newLeaseRig is a rig whose subscription is a lease.
func newLeaseRig(t *testing.T, reply func(Request) Result, w outbox.Webhook, change ...func(*Options)) (*rig, *leaseReceiver) {
	t.Helper()
	e := &leaseReceiver{reply: reply, ended: map[outbox.Seq]bool{}, chats: map[outbox.Seq]string{}}
	r := newRig(t, e.send, append([]func(*Options){func(o *Options) { o.Sender = leaseSender{endpoint: o.Sender.(*endpoint), e: e} }}, change...)...)
	r.hookSub(w)
	t.Cleanup(func() {
		for _, s := range e.ahead {
			t.Error(s)
		}
	})
	return r, e
}

// bring appends events that the receiver then knows of.
func (e *leaseReceiver) bring(r *rig, chats ...string) []outbox.Seq {
	seqs := r.append(chats...)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.appended = append(e.appended, seqs...)
	for i, s := range seqs {
		e.chats[s] = chats[i]
	}
	return seqs
}

// want fails the test unless everything arrived, in order in each chat; again may be repeats.
func (e *leaseReceiver) want(t *testing.T, all []outbox.Seq) {
	t.Helper()
	got, last, seen := e.arrived(), map[string]outbox.Seq{}, map[outbox.Seq]bool{}
	for _, s := range got {
		if !seen[s] && s < last[e.chats[s]] {
			t.Errorf("%d arrived after %d of its chat", s, last[e.chats[s]])
		}
		seen[s] = true
		last[e.chats[s]] = max(last[e.chats[s]], s)
	}
	for _, s := range all {
		if !seen[s] {
			t.Errorf("%d never arrived", s)
		}
	}
}
