package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

const secret = "whsec_bWZrc2Rmamtsc2Rma2xzamRma2xzZGo="

// TestKillStorm: 200 messages from several chats, the daemon killed at 10 random moments. Every message the simulator counts as
// acknowledged arrives, within its chat in the order of first append; none is lost.
func TestKillStorm(t *testing.T) {
	t.Parallel()
	const messages, kills, chats = 200, 10, 8
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret, Latency: 5 * time.Millisecond})
	r.addWebhook(recv.URL(), secret, "message.received")

	var senders []func(context.Context, string) (string, error)
	group := []*wasim.Contact{}
	for i := range chats {
		c := r.phone.NewContact(fmt.Sprintf("Contact %d", i), fmt.Sprintf("4915155502%02d", i))
		senders = append(senders, c.SendText)
		group = append(group, c)
	}
	g := r.phone.NewGroup("Team", group...)
	for _, c := range group[:2] {
		senders = append(senders, func(ctx context.Context, text string) (string, error) { return c.SendGroupText(ctx, g, text) })
	}

	ctx := r.within(2 * time.Minute)
	var wg sync.WaitGroup
	sent := make([][]string, len(senders))
	for i, send := range senders {
		wg.Go(func() {
			for n := range messages / len(senders) {
				id, err := send(ctx, fmt.Sprintf("message %d of %d", n, i))
				if err != nil {
					t.Errorf("send: %v", err)
					return
				}
				sent[i] = append(sent[i], id)
				select {
				case <-time.After(time.Duration(rand.IntN(200)) * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	for range kills {
		select {
		case <-time.After(time.Duration(rand.IntN(500)) * time.Millisecond):
		case <-ctx.Done():
		}
		r.kill()
		r.serve()
	}
	wg.Wait()
	if err := r.phone.WaitDrained(ctx); err != nil {
		t.Fatalf("the simulator still holds %d stanzas: %v", len(r.phone.Pending()), err)
	}
	total := 0
	for _, ids := range sent {
		total += len(ids)
	}
	if err := recv.WaitFor(ctx, func(c receiver.Counts) bool { return c.Events >= total }); err != nil {
		t.Error(err)
	}
	r.until("nothing is pending", func() bool { return r.status().Pending == 0 })

	arrived := map[string][]string{} // chat → message ids, in order of first arrival
	seen := map[string]bool{}
	seqs := map[string]uint64{}
	for _, d := range recv.Deliveries() {
		id := messageIDs(t, d.Body)[0]
		if !d.Accepted() || seen[id] {
			continue
		}
		seen[id] = true
		arrived[d.Chat] = append(arrived[d.Chat], id)
		if d.Seq <= seqs[d.Chat] {
			t.Errorf("chat %s: sequence %d arrived after %d", d.Chat, d.Seq, seqs[d.Chat])
		}
		seqs[d.Chat] = d.Seq
		if d.Signature != receiver.SignatureValid {
			t.Errorf("message %s: signature %s", id, d.Signature)
		}
	}
	acked := 0
	for _, a := range r.phone.Acked() {
		if a.Class != "message" {
			continue
		}
		acked++
		if !seen[a.ID] {
			t.Errorf("message %s was acknowledged and never arrived: LOST", a.ID)
		}
	}
	for i, ids := range sent {
		for _, id := range ids {
			if !seen[id] {
				t.Errorf("message %s of sender %d never arrived", id, i)
			}
		}
	}
	c := recv.Counts()
	t.Logf("%d sent, %d acknowledged, %d kills: %d events arrived, %d repeats, %d out of order", total, acked, kills, c.Events, c.Duplicates, c.OutOfOrder)
	if c.OutOfOrder > 0 {
		t.Errorf("%d deliveries out of order", c.OutOfOrder)
	}
}

// messageIDs reads the message ids out of a message body.
func messageIDs(t *testing.T, body []byte) []string {
	t.Helper()
	var b struct {
		Data struct {
			Messages []struct {
				Key struct{ ID string }
			}
		}
	}
	if err := json.Unmarshal(body, &b); err != nil || len(b.Data.Messages) == 0 {
		t.Fatalf("no message in %s (%v)", body, err)
	}
	var ids []string
	for _, m := range b.Data.Messages {
		ids = append(ids, m.Key.ID)
	}
	return ids
}
