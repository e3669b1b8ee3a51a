package connection

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/wasim"
	"waoutbox/outbox"
)

// missedRig is a linked rig with somebody to write with.
type missedRig struct {
	*rig
	bob   *wasim.Contact
	group *wasim.Group
	n     int
}

func newMissedRig(t *testing.T) *missedRig {
	r := &missedRig{rig: linkedRig(t)}
	r.bob = r.acc.NewContact("Bob", "15550100123")
	r.group = r.acc.NewGroup("Team", r.bob)
	ctx := bounded(t)
	sendAll(t, func() (string, error) { return r.bob.SendText(ctx, "first") }, func() (string, error) { return r.bob.SendGroupText(ctx, r.group, "first") })
	must(t, r.acc.WaitDrained(ctx))
	return r
}

// of are the events of a message.
func (r *missedRig) of(id string) (found []outbox.Event) {
	r.t.Helper()
	for _, ev := range r.events() {
		if bytes.Contains(ev.Body, []byte(`"id":"`+id+`"`)) {
			found = append(found, ev)
		}
	}
	return found
}

func bodies(evs []outbox.Event) (out []string) {
	for _, ev := range evs {
		out = append(out, string(ev.Body))
	}
	return out
}

// refused is a text that the library's parser refuses: field 36 of an extended text message has a
// message that lacks its required fields.
func refused(t *testing.T, said string) []byte {
	t.Helper()
	inner := encoded(t, &waE2E.ExtendedTextMessage{Text: proto.String(said)})
	inner = protowire.AppendBytes(protowire.AppendTag(inner, 36, protowire.BytesType), nil)
	out := protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), inner)
	if proto.Unmarshal(out, &waE2E.Message{}) == nil {
		t.Fatal("the parser takes it: look for another message that it refuses")
	}
	return out
}

// lastEnc is the message's own ciphertext.
func lastEnc(n *waBinary.Node) *waBinary.Node {
	parts := n.Content.([]waBinary.Node)
	return &parts[len(parts)-1]
}

func setEnc(name string, value any) func(*waBinary.Node) {
	return func(n *waBinary.Node) { lastEnc(n).Attrs[name] = value }
}

// TestNothingThatArrivesVanishes: whatever a sender puts together, and however the library
// acknowledges it, an event tells of it with what could be read, and an alarm where that is not
// all.
//
// Mutation of decrypted.go: what arrives and no event says so.
func TestNothingThatArrivesVanishes(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	stub := `"messageStubType":2,"messageStubParameters":["Message could not be decrypted"]`
	hello := encoded(t, &waE2E.Message{Conversation: proto.String("hello")})
	garbage := append(encoded(t, &waE2E.Message{Conversation: proto.String("before")}), 0xff, 0xff)
	for _, c := range []struct {
		what  string
		plain []byte
		alter func(*waBinary.Node)
		want  string // in the body
	}{
		{"lacks required fields", refused(t, "the text"), nil, `"extendedTextMessage":{"text":"the text","endCardTiles":[{}]}`},
		{"no protobuf after a field", garbage, nil, `"message":{"conversation":"before"}`},
		{"no protobuf", []byte{0xff, 0xff, 0xff}, nil, stub},
		{"another version", hello, setEnc("v", "9"), `"message":{"conversation":"hello"}`},
		{"no version", hello, func(n *waBinary.Node) { delete(lastEnc(n).Attrs, "v") }, `"message":{"conversation":"hello"}`},
		{"version 3, unreadable", hello, setEnc("v", "3"), stub},
		{"another encryption", hello, setEnc("type", "xmsg"), stub},
		{"no encryption named", hello, func(n *waBinary.Node) { delete(lastEnc(n).Attrs, "type") }, stub},
		{"hidden, another encryption", hello, func(n *waBinary.Node) {
			lastEnc(n).Attrs["type"], lastEnc(n).Attrs["decrypt-fail"] = "xmsg", "hide"
		}, stub},
		{"no ciphertext", hello, func(n *waBinary.Node) { n.Content = []waBinary.Node{tag("other", nil, nil)} }, `"messageStubType":2`},
		{"no time", hello, func(n *waBinary.Node) { delete(n.Attrs, "t") }, stub},
		{"a time that is none", hello, func(n *waBinary.Node) { n.Attrs["t"] = "yesterday" }, stub},
		{"named a peer's", hello, func(n *waBinary.Node) { n.Attrs["category"] = "peer" }, `"message":{"conversation":"hello"}`},
		{"machinery beside a text", encoded(t, &waE2E.Message{Conversation: proto.String("hello"), ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum()}}), nil, `"conversation":"hello"`},
	} {
		for _, in := range []*wasim.Group{nil, r.group} {
			id, err := r.bob.SendPlain(ctx, in, c.plain, c.alter)
			must(t, err)
			must(t, r.acc.WaitDrained(ctx))
			evs := r.of(id)
			if len(evs) != 1 || !strings.Contains(string(evs[0].Body), c.want) {
				t.Errorf("%s (group: %v): %s, want one with %s", c.what, in != nil, bodies(evs), c.want)
			}
		}
	}
	if !r.hasAlarm(alarmIncomplete) {
		t.Error("no alarm tells that content was lost")
	}
}

// TestChannelMessagesDoNotVanish: of a channel too; a deleted message is an update, counters are
// nothing.
func TestChannelMessagesDoNotVanish(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	channel := types.NewJID("120363171744447809", types.NewsletterServer)
	for _, c := range []struct {
		what    string
		edit    string
		content []waBinary.Node
		want    string // "" for no event
	}{
		{"a text", "", []waBinary.Node{tag("plaintext", nil, encoded(t, &waE2E.Message{Conversation: proto.String("x")}))}, `"conversation":"x"`},
		{"refused", "", []waBinary.Node{tag("plaintext", nil, refused(t, "the text"))}, `"text":"the text"`},
		{"unreadable", "", []waBinary.Node{tag("plaintext", nil, []byte{0xff})}, `"messageStubType":2`},
		{"counters", "", []waBinary.Node{tag("reactions", nil, nil)}, ""},
		{"deleted", "7", []waBinary.Node{tag("plaintext", nil, nil)}, `"update":{"message":null,"messageStubType":1,"key":`},
		{"deleted by an admin", "8", []waBinary.Node{tag("plaintext", nil, []byte{})}, `"update":{"message":null,"messageStubType":1,"key":`},
		{"deleted without plaintext", "8", nil, `"update":{"message":null,"messageStubType":1,"key":`},
	} {
		id := r.id()
		n := tag("message", waBinary.Attrs{"id": id, "from": channel, "t": fmt.Sprint(time.Now().Unix()), "server_id": "7"}, c.content)
		if c.edit != "" {
			n.Attrs["edit"] = c.edit
		}
		must(t, r.acc.SendStanza(ctx, n))
		must(t, r.acc.WaitDrained(ctx))
		evs := r.of(id)
		switch {
		case c.want == "" && len(evs) != 0:
			t.Errorf("%s: %s", c.what, evs[0].Body)
		case c.want != "" && (len(evs) != 1 || !strings.Contains(string(evs[0].Body), c.want)):
			t.Errorf("%s: %s, want %s", c.what, bodies(evs), c.want)
		}
	}
}

func (r *missedRig) id() string {
	r.n++
	return fmt.Sprintf("MISSED%d", r.n)
}

// TestNoticesDoNotVanish: a receipt or a change of a group that cannot be read leaves a placeholder
// in its chat, and a group's picture without an id is one all the same.
func TestNoticesDoNotVanish(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	bob, team := parsed(t, r.bob.LID()), parsed(t, r.group.JID())
	now := fmt.Sprint(time.Now().Unix())
	group := func(kind string, content ...waBinary.Node) waBinary.Node {
		return tag("notification", waBinary.Attrs{"from": team, "participant": bob, "type": kind, "t": now}, content)
	}
	for _, c := range []struct {
		what   string
		stanza waBinary.Node
		name   string
		want   []string // of the bodies
	}{
		{"announcement without version", group("w:gp2", tag("announcement", nil, nil)), "group.update", []string{`"error":"untranslatable"`}},
		{"creation without group", group("w:gp2", tag("create", nil, nil)), "group.update", []string{`"error":"untranslatable"`}},
		{"two of a kind", group("w:gp2", tag("subject", waBinary.Attrs{"subject": "A", "s_t": now}, nil), tag("subject", waBinary.Attrs{"subject": "B", "s_t": now}, nil)), "group.update", []string{`"subject":"B"`, `"error":"untranslatable"`}},
		{"picture without id", group("picture", tag("set", waBinary.Attrs{"jid": team, "hash": "x"}, nil)), "group.update", []string{`"imgUrl":"changed"`}},
		{"pictures", group("picture", tag("set", waBinary.Attrs{"jid": team, "id": "1"}, nil), tag("delete", waBinary.Attrs{"jid": team}, nil)), "group.update", []string{`"imgUrl":"changed"`, `"imgUrl":"removed"`}},
		{"a new number", tag("notification", waBinary.Attrs{"from": types.ServerJID, "type": "contacts", "t": now}, []waBinary.Node{
			tag("modify", waBinary.Attrs{"old": parsed(t, r.bob.PN()), "new": types.NewJID("15550100777", types.DefaultUserServer), "old_lid": bob, "new_lid": bob}, nil)}), "message.received", []string{`"messageStubType":42,"messageStubParameters":["15550100123@s.whatsapp.net","15550100777@s.whatsapp.net"]`}},
		{"receipt for nobody", tag("receipt", waBinary.Attrs{"from": team, "t": now, "type": "read"}, nil), "message.update", []string{`"error":"untranslatable"`}},
		{"grouped receipt, a reader without address", tag("receipt", waBinary.Attrs{"from": team, "t": now, "type": "read"}, []waBinary.Node{
			tag("participants", waBinary.Attrs{"key": "X1"}, []waBinary.Node{tag("user", waBinary.Attrs{"jid": bob, "t": now}, nil), tag("user", waBinary.Attrs{"t": now}, nil)})}), "message.update", []string{`"id":"X1"`, `"error":"untranslatable"`}},
	} {
		before := len(r.named(c.name))
		c.stanza.Attrs["id"] = r.id()
		must(t, r.acc.SendStanza(ctx, c.stanza))
		must(t, r.acc.WaitDrained(ctx))
		evs := r.named(c.name)[before:]
		if len(evs) != len(c.want) {
			t.Errorf("%s: %s, want %q", c.what, bodies(evs), c.want)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(string(evs[i].Body), want) || (evs[i].Chat != team.String() && evs[i].Chat != bob.String()) {
				t.Errorf("%s: %s in %s, want %s", c.what, evs[i].Body, evs[i].Chat, want)
			}
		}
	}
}

// fill has the outbox take nothing, and the link try only once, until room is called. refusals
// counts.
func (r *missedRig) fill() (refusals *atomic.Int32, room func()) {
	r.in.lock <- struct{}{}
	r.in.timings.retryAppend = func() backoff.BackOff { return &backoff.StopBackOff{} }
	<-r.in.lock
	refusals = new(atomic.Int32)
	var full atomic.Bool
	full.Store(true)
	r.engine.Hook(func(op string) error {
		if full.Load() && op == "Append" {
			refusals.Add(1)
			return outbox.ErrFull
		}
		return nil
	})
	return refusals, func() { full.Store(false) }
}

// TestWhatIsAcknowledgedAnywayIsStoredBefore: where the library acknowledges whatever the handler
// returns, the connection is cut before the acknowledgement while the outbox takes nothing.
//
// Mutation of ingest.go: what the library acknowledges whatever the handler returns is acknowledged
// without being stored.
// Mutation of connection/translate/call.go: a missed call in a stanza of several parts is not told.
func TestWhatIsAcknowledgedAnywayIsStoredBefore(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	refusals, room := r.fill()
	team, bob := parsed(t, r.group.JID()), parsed(t, r.bob.LID())
	now := fmt.Sprint(time.Now().Unix())
	must(t, r.acc.SendStanza(ctx, tag("notification", waBinary.Attrs{"id": "PICTURE", "from": team, "type": "picture", "t": now},
		[]waBinary.Node{tag("set", waBinary.Attrs{"jid": team, "id": "1"}, nil)})))
	must(t, r.acc.SendStanza(ctx, tag("call", waBinary.Attrs{"id": "CALL", "from": bob, "t": now},
		[]waBinary.Node{tag("terminate", waBinary.Attrs{"call-id": "C1", "call-creator": bob, "reason": "timeout"}, nil)})))
	must(t, r.acc.SendStanza(ctx, tag("call", waBinary.Attrs{"id": "CALLS", "from": bob, "t": now}, []waBinary.Node{
		tag("transport", waBinary.Attrs{"call-id": "C2", "call-creator": bob}, nil),
		tag("terminate", waBinary.Attrs{"call-id": "C2", "call-creator": bob, "reason": "timeout"}, nil)})))
	eventually(t, "all again", func() bool { return refusals.Load() > 8 })
	for _, a := range r.acc.Acked() {
		if a.ID == "PICTURE" || strings.HasPrefix(a.ID, "CALL") {
			t.Errorf("acknowledged while nothing is stored: %+v", a)
		}
	}
	room()
	must(t, r.acc.WaitDrained(ctx))
	missed := 0
	for _, ev := range r.named("message.received") {
		missed += strings.Count(string(ev.Body), `"messageStubType":40`)
	}
	if evs := r.named("group.update"); len(evs) != 1 || missed != 2 {
		t.Errorf("%d missed calls, %s", missed, bodies(evs))
	}
}

// TestMissedIsStoredBeforeTheAcknowledgement: while the outbox takes nothing, a message that the
// library acknowledges without an event, or before it, is not acknowledged, and comes again.
//
// Mutation of missed.go: it is acknowledged although it could not be stored.
func TestMissedIsStoredBeforeTheAcknowledgement(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	refusals, room := r.fill()
	id, err := r.bob.SendPlain(ctx, nil, refused(t, "kept"), nil)
	must(t, err)
	absent, err := r.bob.SendPlain(ctx, nil, refused(t, "absent"), func(n *waBinary.Node) { n.Content = []waBinary.Node{tag("unavailable", nil, nil)} })
	must(t, err)
	// on other connections
	eventually(t, "the message again", func() bool { return refusals.Load() > 8 })
	second, err := r.bob.SendText(ctx, "after it")
	must(t, err)
	for _, a := range r.acc.Acked() {
		if a.ID == id || a.ID == second || a.ID == absent {
			t.Errorf("acknowledged while nothing is stored: %+v", a)
		}
	}
	room()
	must(t, r.acc.WaitDrained(ctx))
	if evs := r.of(id); len(evs) != 1 || !strings.Contains(string(evs[0].Body), `"text":"kept"`) {
		t.Errorf("events %s", bodies(evs))
	}
	if evs := r.of(absent); len(evs) != 1 || !strings.Contains(string(evs[0].Body), `"messageStubType":2`) {
		t.Errorf("events %s", bodies(evs))
	}
	r.waitTexts("first", "first", "after it")
}

// TestNoPlaceholderOvertakesARefusedMessage: of a chat's messages the first is refused once, and
// the library makes no event of the second. In the order in which they were sent they are stored.
//
// Mutation of missed.go: it is overtaken by the placeholder of what the library acknowledges
// without an event.
func TestNoPlaceholderOvertakesARefusedMessage(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	var once atomic.Bool
	second := make(chan struct{})
	r.engine.Hook(func(op string) error {
		if op == "Append" && once.CompareAndSwap(false, true) {
			select { // so that the second waits behind it on the same connection
			case <-second:
			case <-ctx.Done():
			}
			return outbox.ErrFull
		}
		return nil
	})
	first, err := r.bob.SendText(ctx, "one")
	must(t, err)
	last, err := r.bob.SendPlain(ctx, nil, refused(t, "two"), nil)
	must(t, err)
	close(second)
	must(t, r.acc.WaitDrained(ctx))
	var order []string
	for _, ev := range r.named("message.received") {
		for _, id := range []string{first, last} {
			if strings.Contains(string(ev.Body), `"id":"`+id+`"`) {
				order = append(order, id)
			}
		}
	}
	if !slices.Equal(order, []string{first, last}) {
		t.Errorf("stored %v, sent %v", order, []string{first, last})
	}
}

// TestAPanicWhileStoringLosesNothing: neither of what has an event nor of what has none; it comes
// again on another connection.
func TestAPanicWhileStoringLosesNothing(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	for _, plain := range [][]byte{encoded(t, &waE2E.Message{Conversation: proto.String("x")}), refused(t, "x"), {0xff}} {
		var once atomic.Bool
		r.engine.Hook(func(op string) error {
			if op == "Append" && once.CompareAndSwap(false, true) {
				panic("poison")
			}
			return nil
		})
		id, err := r.bob.SendPlain(ctx, nil, plain, nil)
		must(t, err)
		must(t, r.acc.WaitDrained(ctx))
		if evs := r.of(id); len(evs) != 1 || !once.Load() {
			t.Errorf("panicked %v, events %s", once.Load(), bodies(evs))
		}
	}
}

// TestWhatWasToldIsNotMissed: messages that come again after their event bring no other, nor does
// what the library leaves out for good reason.
func TestWhatWasToldIsNotMissed(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	for _, in := range []*wasim.Group{nil, r.group} {
		var copied waBinary.Node
		id, err := r.bob.SendPlain(ctx, in, encoded(t, &waE2E.Message{Conversation: proto.String("once")}), func(n *waBinary.Node) { copied = *n })
		must(t, err)
		must(t, r.acc.WaitDrained(ctx))
		must(t, r.acc.SendStanza(ctx, copied))
		must(t, r.acc.WaitDrained(ctx))
		if evs := r.of(id); len(evs) != 1 {
			t.Errorf("group %v: %s", in != nil, bodies(evs))
		}
	}
	// a stateless sender key alone
	id, err := r.bob.SendPlain(ctx, r.group, encoded(t, &waE2E.Message{MessageContextInfo: &waE2E.MessageContextInfo{}}), nil)
	must(t, err)
	must(t, r.acc.WaitDrained(ctx))
	if evs := r.of(id); len(evs) != 0 {
		t.Errorf("an empty message: %s", bodies(evs))
	}
	if r.hasAlarm(alarmIncomplete) {
		t.Errorf("alarms %v", r.Alarms())
	}
}
