package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
)

// factEvents are the events that facts become.
var factEvents = []string{"message.received", "message.update", "group.update"}

// world is everybody who does something in the simulated WhatsApp, and what they did: of each chat
// the facts in the order in which they happened, as factOf reads them from a body.
type world struct {
	phone  *wasim.Account
	actors []actor

	mu    sync.Mutex
	chats map[string][]string // facts by chat
	total int
	extra int // copies of facts that were sent besides
}

// actor does one thing in one chat after another; a chat has one actor, so that its facts have an
// order.
type actor struct {
	chat string
	act  func(ctx context.Context, n int) (fact string, again func(context.Context) error, err error)
}

// newWorld makes direct chats and groups with several writers, named by either of their addresses.
func newWorld(phone *wasim.Account, direct, groups int) *world {
	w := &world{phone: phone, chats: make(map[string][]string)}
	var all []*wasim.Contact
	for i := range direct {
		c := phone.NewContact(fmt.Sprintf("Contact %d", i), fmt.Sprintf("4915155502%02d", i))
		all = append(all, c)
		mode := []wasim.Addressing{wasim.ByLID, wasim.ByPN, wasim.ByPNAlone}[i%3]
		c.SetAddressing(mode)
		w.actors = append(w.actors, w.directChat(c, address(c, mode)))
	}
	for i := range groups {
		g := phone.NewGroup(fmt.Sprintf("Team %d", i), all...)
		mode := []wasim.Addressing{wasim.ByLID, wasim.ByPN}[i%2]
		g.SetAddressing(mode)
		w.actors = append(w.actors, w.groupChat(g, all, mode))
	}
	return w
}

func saying(s string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(s)} }

// address is the JID that leads in what a contact sends.
func address(c *wasim.Contact, mode wasim.Addressing) string {
	if mode == wasim.ByLID {
		return c.LID()
	}
	return c.PN()
}

// directChat writes, and tells what became of messages that the account may have written.
func (w *world) directChat(c *wasim.Contact, chat string) actor {
	return actor{chat, func(ctx context.Context, n int) (string, func(context.Context) error, error) {
		if n%4 == 3 {
			id := fmt.Sprintf("3EB0%016X", rand.Uint64())
			again := func(ctx context.Context) error { return w.phone.Repeat(ctx, id, time.Now().Add(2*time.Second)) }
			return "receipt " + id, again, c.SendReceipt(ctx, "read", id)
		}
		said := saying(fmt.Sprintf("message %d", n))
		id, err := c.Send(ctx, said)
		return "message " + id, func(ctx context.Context) error {
			if n%2 == 0 { // the server's copy, the same ciphertext
				return w.phone.Repeat(ctx, id, time.Now().Add(-time.Minute))
			}
			_, err := c.SendAs(ctx, said, wasim.Form{ID: id, At: time.Now().Add(time.Minute)})
			return err
		}, err
	}}
}

// groupChat has members who write in turn, read, and change the group.
func (w *world) groupChat(g *wasim.Group, members []*wasim.Contact, mode wasim.Addressing) actor {
	return actor{g.JID(), func(ctx context.Context, n int) (string, func(context.Context) error, error) {
		by := members[n%len(members)]
		switch n % 8 {
		case 2:
			subject := fmt.Sprintf("subject %d", n)
			return "subject " + subject, nil, g.SetSubject(ctx, by, subject)
		case 4: // twice the same change within a second, and its opposite between them
			return "announce true", nil, g.Set(ctx, by, "announcement", "")
		case 5:
			return "announce false", nil, g.Set(ctx, by, "not_announcement", "")
		case 7:
			id := fmt.Sprintf("3EB0%016X", rand.Uint64())
			again := func(ctx context.Context) error { return w.phone.Repeat(ctx, id, time.Now().Add(time.Second)) }
			return "receipt " + id + " " + address(by, mode), again, by.SendGroupReceipt(ctx, g, "read", id)
		}
		said := saying(fmt.Sprintf("message %d", n))
		id, err := by.SendGroup(ctx, g, said)
		return "message " + id, func(ctx context.Context) error {
			_, err := by.SendGroupAs(ctx, g, said, wasim.Form{ID: id, At: time.Now().Add(time.Minute)})
			return err
		}, err
	}}
}

// act lets an actor do its nth thing; sometimes a copy of it is sent again, with another time.
func (w *world) act(ctx context.Context, a actor, n int, copies bool) error {
	fact, again, err := a.act(ctx, n)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.chats[a.chat] = append(w.chats[a.chat], fact)
	w.total++
	w.mu.Unlock()
	if !copies || again == nil || rand.IntN(10) > 0 {
		return nil
	}
	w.mu.Lock()
	w.extra++
	w.mu.Unlock()
	return again(ctx)
}

// compare compares what was accepted with what was done: in every chat the same facts in the same
// order, each under one event id and with one body, signed. It returns a sentence for each
// difference, and how many deliveries were repeats.
func (w *world) compare(posts []receiver.Delivery) (faults []string, repeats int) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	arrived := make(map[string][]string)
	bodies := make(map[string][]byte) // by event id
	newest := make(map[string]uint64) // sequence by chat
	told := make(map[string][]byte)   // body by chat and fact
	readable := make(map[string]bool) // ids of messages that came with their content
	var placeholders []string         // ids of those that came without
	for _, d := range posts {
		if first, seen := bodies[d.EventID]; seen && !bytes.Equal(first, d.Body) {
			fault("event %s came with two bodies:\n%s\n%s", d.EventID, first, d.Body)
		}
		_, accepted := bodies[d.EventID]
		if !d.Accepted() {
			continue
		}
		if accepted {
			repeats++
			continue
		}
		bodies[d.EventID] = d.Body
		chat, fact, err := factOf(d.Body)
		switch {
		case err != nil:
			fault("%v", err)
			continue
		case d.Signature != receiver.SignatureValid:
			fault("%s: signature %s", fact, d.Signature)
		case d.Seq <= newest[chat]:
			fault("%s: sequence %d arrived after %d", fact, d.Seq, newest[chat])
		}
		newest[chat] = d.Seq
		if id, unreadable := strings.CutPrefix(fact, "placeholder "); unreadable {
			placeholders = append(placeholders, id)
			continue
		}
		if first := told[chat+fact]; first != nil && !strings.HasPrefix(fact, "announce") {
			fault("%s came under two event ids:\n%s\n%s", fact, first, d.Body)
		}
		told[chat+fact] = d.Body
		readable[strings.TrimPrefix(fact, "message ")] = true
		arrived[chat] = append(arrived[chat], fact)
	}
	// A connection that overlaps with the last one may be unable to read a copy; the sender's next
	// one is read. The placeholder says so, beside the message and not in its place.
	for _, id := range placeholders {
		if !readable[id] {
			fault("message %s came without its content only", id)
		}
	}
	for chat, facts := range w.chats {
		if !slices.Equal(arrived[chat], facts) {
			fault("%s", difference(chat, facts, arrived[chat]))
		}
	}
	for chat := range arrived {
		if w.chats[chat] == nil {
			fault("chat %s: %d events arrived and nobody did anything there", chat, len(arrived[chat]))
		}
	}
	return faults, repeats
}

// difference tells what is lost, what is too much, and where the order first differs.
func difference(chat string, did, arrived []string) string {
	left := make(map[string]int)
	for _, f := range did {
		left[f]++
	}
	var more []string
	for _, f := range arrived {
		if left[f]--; left[f] < 0 {
			more = append(more, f)
		}
	}
	var lost []string
	for _, f := range did {
		if left[f] > 0 {
			lost = append(lost, f)
			left[f]--
		}
	}
	at := 0
	for at < min(len(did), len(arrived)) && did[at] == arrived[at] {
		at++
	}
	around := func(list []string) []string { return list[min(at, len(list)):min(at+4, len(list))] }
	return fmt.Sprintf("chat %s: %d done, %d arrived; lost %q, too much %q; from %d on done %q, arrived %q",
		chat, len(did), len(arrived), lost, more, at, around(did), around(arrived))
}

// factOf reads what a body tells.
func factOf(body []byte) (chat, fact string, err error) {
	type key struct {
		RemoteJID string `json:"remoteJid"`
		ID        string `json:"id"`
	}
	var b struct {
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return "", "", fmt.Errorf("read %s: %w", body, err)
	}
	unknown := fmt.Errorf("%s is no fact", body)
	if b.Event == "message.received" {
		var data struct {
			Messages []struct {
				Key  key
				Stub int `json:"messageStubType"`
			}
		}
		if err := json.Unmarshal(b.Data, &data); err != nil || len(data.Messages) != 1 {
			return "", "", unknown
		}
		k := data.Messages[0].Key
		if data.Messages[0].Stub == 2 {
			return k.RemoteJID, "placeholder " + k.ID, nil
		}
		return k.RemoteJID, "message " + k.ID, nil
	}
	var list []struct {
		Key      key
		ID       string
		Subject  string
		Announce *bool
		Receipt  *struct {
			User string `json:"userJid"`
		}
	}
	if err := json.Unmarshal(b.Data, &list); err != nil || len(list) != 1 {
		return "", "", unknown
	}
	switch one := list[0]; {
	case b.Event == "message.update" && one.Receipt != nil:
		return one.Key.RemoteJID, "receipt " + one.Key.ID + " " + one.Receipt.User, nil
	case b.Event == "message.update":
		return one.Key.RemoteJID, "receipt " + one.Key.ID, nil
	case one.Announce != nil:
		return one.ID, fmt.Sprintf("announce %v", *one.Announce), nil
	case one.Subject != "":
		return one.ID, "subject " + one.Subject, nil
	}
	return "", "", unknown
}
