package wasim

import (
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

func TestTextArrivesAndIsAcknowledged(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	id, err := bob.SendText(testContext(t), "hello")
	must(t, err)
	got := c.waitText(t, "hello")
	if got.Info.ID != id || got.Info.PushName != "Bob" || got.Info.Chat.String() != bob.LID() || got.Info.SenderAlt.ToNonAD().String() != bob.PN() {
		t.Errorf("message info is %+v", got.Info)
	}
	must(t, a.WaitDrained(testContext(t)))
	if acked := a.Acked(); len(acked) != 1 || acked[0].ID != id || acked[0].Class != "message" || acked[0].Chat != bob.LID() {
		t.Errorf("acknowledged: %+v", acked)
	}
}

func TestTextAddressedByPhoneNumber(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	bob.SetAddressing(ByPN)
	_, err := bob.SendText(testContext(t), "by number")
	must(t, err)
	if got := c.waitText(t, "by number"); got.Info.Chat.String() != bob.PN() || got.Info.SenderAlt.ToNonAD().String() != bob.LID() {
		t.Errorf("message info is %+v", got.Info)
	}
	bob.SetAddressing(ByLID) // the same session serves both
	_, err = bob.SendText(testContext(t), "by lid")
	must(t, err)
	c.waitText(t, "by lid")
}

func TestUnacknowledgedComesAgain(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	c.mu.Lock()
	failing, refused := true, make(chan struct{}, 10)
	c.verdict = func(e any) bool {
		if _, is := e.(*events.Message); !is || !failing {
			return true
		}
		refused <- struct{}{}
		return false
	}
	c.mu.Unlock()
	var want []string
	for i := range 5 {
		text := fmt.Sprintf("text %d", i)
		want = append(want, text)
		_, err := bob.SendText(testContext(t), text)
		must(t, err)
	}
	for range want {
		receive(t, refused)
	}
	if got := len(a.Pending()); got != len(want) {
		t.Fatalf("%d pending although the client acknowledged nothing, want %d", got, len(want))
	}
	c.mu.Lock()
	failing = false // before the drop: what is refused again would come only after another one
	c.mu.Unlock()
	a.Drop()
	must(t, a.WaitDrained(testContext(t)))
	if got := c.texts(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("client emitted %q, want %q", got, want)
	}
	if n := len(a.Acked()); n != len(want) {
		t.Errorf("%d stanzas acknowledged, want %d", n, len(want))
	}
	c.wait(t, "the announcement of the redelivered backlog", func(e any) bool {
		p, ok := e.(*events.OfflineSyncPreview)
		return ok && p.Messages > 0
	})
	c.wait(t, "the end of the backlog", func(e any) bool {
		p, ok := e.(*events.OfflineSyncCompleted)
		return ok && p.Count > 0
	})
}

func TestQueuedWhileOfflineInOrder(t *testing.T) {
	_, a, c := linked(t)
	bob, eve := a.NewContact("Bob", "15550100123"), a.NewContact("Eve", "15550100456")
	c.Disconnect()
	must(t, a.until(testContext(t), func() (bool, error) { return !a.online(), nil }))
	const n = 2000
	for i := range n {
		from := bob
		if i%2 == 1 {
			from = eve
		}
		_, err := from.SendText(testContext(t), fmt.Sprintf("text %d", i))
		must(t, err)
	}
	if got := len(a.Pending()); got != n {
		t.Fatalf("%d pending, want %d", got, n)
	}
	must(t, c.Connect())
	must(t, a.WaitDrained(testContext(t)))
	texts := c.texts()
	if len(texts) != n {
		t.Fatalf("client emitted %d messages, want %d", len(texts), n)
	}
	for i, got := range texts {
		if want := fmt.Sprintf("text %d", i); got != want {
			t.Fatalf("message %d is %q, want %q", i, got, want)
		}
	}
}

func TestDropsLoseNothing(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	ctx := testContext(t)
	const n, every = 300, 60
	for i := range n {
		_, err := bob.SendText(ctx, fmt.Sprintf("text %d", i))
		must(t, err)
		if i%every == every/2 {
			must(t, a.WaitOnline(ctx))
			a.Drop()
		}
	}
	must(t, a.WaitDrained(ctx))
	seen := make(map[string]bool)
	for _, got := range c.texts() {
		seen[got] = true
	}
	if len(seen) != n || len(a.Acked()) != n {
		t.Errorf("%d different messages emitted and %d stanzas acknowledged, want %d", len(seen), len(a.Acked()), n)
	}
}
