package connection

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox/api"
)

// stormSends names the environment variable with the number of texts of TestSendStorm.
const stormSends = "WAOUTBOX_STORM_SENDS"

// TestSendStorm: whatever is garbled, lost, refused, doubled or cut on either side, a text that is
// said to be sent is read by its recipient, under one id, and one message.sent tells of it.
func TestSendStorm(t *testing.T) {
	texts := 24
	if v := os.Getenv(stormSends); v != "" {
		n, err := strconv.Atoi(v)
		must(t, err)
		texts = n
	}
	const seed = 9
	random := rand.New(rand.NewPCG(seed, uint64(texts)))
	r := linkedRig(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit+time.Duration(texts)*time.Second)
	t.Cleanup(cancel)
	// with new ones all the time, keys are asked for
	people := make([]*wasim.Contact, max(2, texts/4))
	for i := range people {
		people[i] = r.acc.NewContact(fmt.Sprint("Person ", i), strconv.Itoa(15550200000+i))
		people[i].AutoReceipt("")
	}
	trouble := []fault.Fault{
		{From: fault.Server, Tag: "iq", Effect: fault.Garble},
		{From: fault.Server, Tag: "iq", Effect: fault.Damage},
		{From: fault.Server, Tag: "ack", Effect: fault.Garble},
		{From: fault.Server, Tag: "ack", Effect: fault.Damage},
		{From: fault.Server, Tag: "receipt", Effect: fault.Garble},
		{From: fault.Server, Tag: "receipt", Effect: fault.Damage},
		{From: fault.Server, Effect: fault.CutBefore},
		{From: fault.Server, Effect: fault.CutAfter},
		{From: fault.Server, Effect: fault.Twice},
		{From: fault.Companion, Tag: "iq", Effect: fault.Refuse},
		{From: fault.Companion, Tag: "iq", Attrs: map[string]string{"xmlns": "encrypt"}, Effect: fault.Refuse},
		{From: fault.Companion, Tag: "message", Effect: fault.Refuse},
		{From: fault.Companion, Tag: "message", Effect: fault.CutBefore},
		{From: fault.Companion, Tag: "message", Effect: fault.CutAfter},
		{From: fault.Companion, Tag: "message", Effect: fault.Twice},
		{From: fault.Companion, Effect: fault.CutBefore},
	}
	r.timings.unread = func() backoff.BackOff { return doubling(10*time.Millisecond, 100*time.Millisecond, 0) }
	sent := make([]string, texts)
	tickets := make(chan int)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for n := range tickets {
				in := api.Send{To: people[n%len(people)].LID(), Text: fmt.Sprint("text ", n), IdempotencyKey: fmt.Sprint("key ", n)}
				sent[n] = r.sendUntil(ctx, in)
			}
		})
	}
	for n := range texts {
		if n%2 == 0 {
			f := trouble[random.IntN(len(trouble))]
			f.Skip = random.IntN(6)
			must(t, r.acc.Fault(f))
		}
		tickets <- n
	}
	close(tickets)
	senders.Wait()
	r.acc.ClearFaults()
	r.acc.Drop()
	must(t, r.acc.WaitDrained(ctx))
	for n, id := range sent {
		to := people[n%len(people)]
		if id == "" {
			t.Errorf("text %d was never sent", n)
			continue
		}
		ids := make(map[string]bool)
		for _, m := range to.Received() {
			if m.Text == fmt.Sprint("text ", n) {
				ids[m.ID] = true
			}
		}
		if len(ids) != 1 || !ids[id] {
			t.Errorf("text %d, sent as %s, was received as %v", n, id, ids)
		}
	}
	told := r.bodies(translate.MessageSent, 0)
	for n, id := range sent {
		if c := strings.Count(told, `"id":"`+id+`"`); c != 1 {
			t.Errorf("text %d is told in %d message.sent events", n, c)
		}
	}
}

// sendUntil repeats a send as long as its error says to, and returns the message's id.
func (r *rig) sendUntil(ctx context.Context, in api.Send) string {
	for {
		got, err := r.Send(ctx, in)
		if err == nil {
			return got.MessageID
		}
		if e, ok := errors.AsType[*api.Error](err); !ok || !e.Retryable || ctx.Err() != nil {
			r.t.Errorf("%s: %v", in.Text, err)
			return ""
		}
		pause(ctx, 5*time.Millisecond)
	}
}
