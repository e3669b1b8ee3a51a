package connection

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// Before: with reason 413 or 414 the process died of "invalid memory address or nil pointer
// dereference" in the library's handleConnectFailure.
//
// Mutation of connection/guard/guard.go: a login refused with reason 413 calls a function that is
// not there, and the process ends.
func TestNoFailureEndsTheProcess(t *testing.T) {
	r := linkedRig(t)
	for _, reason := range []int{413, 414, 999} {
		went := t.Run(strconv.Itoa(reason), func(t *testing.T) {
			before := len(r.statuses())
			r.acc.Refuse(reason)
			r.acc.Drop()
			want := fmt.Sprintf("disconnected %d", reason)
			eventually(t, "the event", func() bool { return slices.Contains(r.statuses()[before:], want) })
			r.acc.Refuse(0)
			r.waitState(api.LinkConnected)
		})
		if !went {
			t.FailNow() // the link never comes back, and the rest would wait for it in vain
		}
	}
	for _, end := range []func(){
		func() { must(t, r.acc.SendRaw(waBinary.Node{Tag: "failure", Attrs: waBinary.Attrs{"reason": "414"}})) },
		func() { must(t, r.acc.SendRaw(waBinary.Node{Tag: "failure", Attrs: waBinary.Attrs{"reason": "x"}})) },
		func() { must(t, r.acc.SendRaw(waBinary.Node{Tag: "failure"})) },
		func() { r.acc.StreamError("413") },
		func() { r.acc.StreamError("") },
	} {
		must(t, r.acc.WaitOnline(bounded(t)))
		r.waitState(api.LinkConnected)
		before := len(r.statuses())
		end()
		eventually(t, "the next log-in", func() bool { return slices.Contains(r.statuses()[before:], "connected") })
	}
	r.stillReceives("after the failures")
}

// Whatever arrives, the service goes on: stanzas of every kind with attributes and contents that
// nothing expects, and frames that are no stanzas. Before: the process died of an <iq> with a
// <pair-success> and no id, of an empty frame, and of several others.
//
// Mutation of connection/guard/guard.go: a frame that is no stanza ends the process.
func TestNoStanzaEndsTheProcess(t *testing.T) {
	r := linkedRig(t)
	must(t, r.acc.SendRaw(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"type": "set", "xmlns": "md", "from": types.ServerJID},
		Content: []waBinary.Node{{Tag: "pair-success"}}}))
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmPanic) })
	r.alarms.clear(alarmPanic)
	for _, frame := range [][]byte{{}, {0}, {0, 248, 1}, {0, 248, 3, 250, 248, 1, 3, 3}, {0, 248, 1, 251, 0x80}, {0, 248, 1, 247, 0, 0, 0}} {
		must(t, r.acc.WaitOnline(bounded(t)))
		if err := r.acc.SendRawFrame(frame); err != nil {
			t.Logf("not sent: %v", err) // the one before ended the connection
		}
	}
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmFrame) })

	const seed = 8
	g := randomStanzas{rand.New(rand.NewPCG(seed, seed)), r.acc.PN(), r.acc.LID()}
	for range 1500 {
		must(t, r.acc.WaitOnline(bounded(t)))
		n := g.stanza()
		if err := r.acc.SendRaw(n); err != nil {
			t.Logf("not sent: %v", err) // some end the connection
		}
	}
	r.stillReceives("after the stanzas")
}

// A stanza whose frame comes in two websocket messages is put together. Before: the process died of
// "slice bounds out of range" where the library does that, or the stanza was damaged.
//
// Mutation of connection/wire/wire.go: a frame that comes in two websocket messages ends the
// process.
func TestAFrameInTwoMessages(t *testing.T) {
	r := linkedRig(t)
	bob := types.NewJID("15550100123", types.DefaultUserServer)
	for i, tail := range []int{1, 2, 10, 30} {
		must(t, r.acc.SendSplit(waBinary.Node{Tag: "chatstate", Attrs: waBinary.Attrs{"from": bob}, Content: []waBinary.Node{{Tag: "composing"}}}, tail))
		eventually(t, "the event", func() bool { return len(r.named(translate.PresenceUpdate)) > i })
	}
	r.stillReceives("afterwards")
}

// stillReceives sends a text and waits until it is stored.
func (r *rig) stillReceives(text string) {
	r.t.Helper()
	bob := r.acc.NewContact("Bob", "1555"+strconv.FormatInt(time.Now().UnixNano()%1e7, 10))
	sendAll(r.t, func() (string, error) { return bob.SendText(bounded(r.t), text) })
	eventually(r.t, text, func() bool { return slices.Contains(r.texts(), text) })
}

// randomStanzas makes random stanzas of the words the library looks for.
type randomStanzas struct {
	*rand.Rand
	pn, lid string
}

func (g randomStanzas) one(of ...string) string { return of[g.IntN(len(of))] }

func (g randomStanzas) stanza() waBinary.Node {
	n := g.node(g.one("message", "status", "appdata", "receipt", "call", "chatstate", "presence", "notification", "notification", "iq", "ib", "ack", "error"), 0)
	if g.IntN(8) > 0 {
		n.Attrs["id"] = g.one("3EB0A", "3AB", "1", "2")
	}
	if g.IntN(8) > 0 {
		n.Attrs["from"] = g.jid()
	}
	if g.IntN(8) > 0 {
		n.Attrs["t"] = "1735689600"
	}
	return n
}

func (g randomStanzas) node(tag string, depth int) waBinary.Node {
	n := waBinary.Node{Tag: tag, Attrs: waBinary.Attrs{}}
	for range g.IntN(6) {
		key := g.one("type", "type", "type", "id", "from", "participant", "participant_lid", "participant_pn", "sender_lid", "recipient", "jid", "lid", "phone_number",
			"t", "count", "value", "name", "notify", "offline", "category", "edit", "reason", "code", "call-id", "call-creator", "media", "action", "dhash", "v", "xmlns",
			"link_type", "key", "creation", "s_t", "s_o", "subject", "addressing_mode", "version", "op_name", "retry", "last", "decrypt-fail", "server_id", "class")
		n.Attrs[key] = g.value()
	}
	switch g.IntN(3) {
	case 0:
		content := make([]byte, g.IntN(40))
		for i := range content {
			content[i] = byte(g.Uint32())
		}
		n.Content = content
	case 1:
		if depth == 3 {
			break
		}
		children := make([]waBinary.Node, g.IntN(4))
		for i := range children {
			children[i] = g.node(g.tag(), depth+1)
		}
		n.Content = children
	}
	return n
}

func (g randomStanzas) tag() string {
	return g.one("enc", "plaintext", "participants", "to", "user", "list", "item", "retry", "keys", "registration", "key", "skey", "identity", "offer", "accept", "terminate",
		"relaylatency", "preaccept", "transport", "offer_notice", "reject", "composing", "paused", "create", "group", "participant", "add", "remove", "promote", "subject", "announcement",
		"ephemeral", "link", "unlink", "description", "body", "invite", "membership_approval_mode", "group_join", "collection", "devices", "device", "privacy", "category", "blocklist", "count",
		"tokens", "token", "picture", "set", "delete", "update", "live_updates", "messages", "message", "reactions", "encrypt", "enc_p", "enc_iv", "error", "rmr", "pair-device", "pair-success",
		"device-identity", "ref", "link_code_companion_reg", "passkey_request_options", "primary_ephemeral_identity", "companion_reg_refresh", "offline_preview", "offline", "dirty", "unavailable",
		"verified_name", "bot", "meta", "multicast", "query", "growth_locked", "not_ephemeral", "suspended", "modify")
}

func (g randomStanzas) jid() types.JID {
	jid, err := types.ParseJID(g.one("15550100123@s.whatsapp.net", "204800000000001@lid", "120363000000000001@g.us", "120363000000000002@newsletter", "status@broadcast",
		"s.whatsapp.net", "13135550002@s.whatsapp.net", "15550100123:99@hosted", g.pn, g.lid, "g.us"))
	if err != nil {
		return types.ServerJID
	}
	return jid
}

func (g randomStanzas) value() any {
	if g.IntN(3) == 0 {
		return g.jid()
	}
	return g.one("", "1", "0", "-1", "99999999999999999999", "1735689600", "true", "x", "set", "get", "result", "error", "md", "urn:xmpp:ping", "pkmsg", "msg", "skmsg", "msmsg", "text", "media",
		"retry", "read", "read-self", "played", "sender", "server-error", "inactive", "peer_msg", "hist_sync", "encrypt", "server_sync", "account_sync", "devices", "fbid:devices", "w:gp2", "picture",
		"mediaretry", "privacy_token", "link_code_companion_reg", "newsletter", "mex", "status", "passkey_prologue_request", "crsc_continuation", "companion_reg_refresh", "critical_unblock_low",
		"regular", "unavailable", "video", "new", "parent_group", "sub_group", "trusted_contact", "hide", "lid", "pn", "7", "8")
}
