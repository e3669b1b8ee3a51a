package wasim

import (
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// handle returns one stanza of the companion. It runs on the connection's own
// goroutine, one stanza after the other.
func (a *Account) handle(c *conn, d *device, n *waBinary.Node) {
	var err error
	switch n.Tag {
	case "iq":
		if !c.takeReply(n) {
			err = a.handleIQ(c, d, n)
		}
	case "message":
		ack, replies := a.handleMessage(d, n)
		err = c.send(ack)
		for _, reply := range replies {
			if qerr := a.enqueue(d, reply); qerr != nil {
				a.srv.log.Info("contact's receipt not queued", "error", qerr)
			}
		}
	case "receipt":
		a.handleReceipt(d, n)
		err = c.send(receiptAck(n))
	case "ack":
		a.handleAck(d, n)
	case "presence":
		err = a.handlePresence(c, d, n)
	case "chatstate":
		a.noteTyping(n)
	case "ib": // telemetry: nobody here looks at it
	default:
		a.srv.log.Info("stanza not handled", "tag", n.Tag)
	}
	if err != nil {
		a.srv.log.Info("reply not sent", "tag", n.Tag, "error", err)
	}
}

// handleAck handles <ack>: the companion's word that it has a receipt, a
// notification, or a message it could not use.
func (a *Account) handleAck(d *device, n *waBinary.Node) {
	k := ackKey{
		class: attrString(*n, "class"), id: attrString(*n, "id"),
		from: attrString(*n, "to"), participant: attrString(*n, "participant"), kind: attrString(*n, "type"),
	}
	if k.class == "message" {
		k.kind = ""
		a.acknowledgedPlainly(d, k, attrString(*n, "error"))
		return
	}
	a.acknowledge(d, k, attrString(*n, "error"))
}

// messageReceipts are the receipt types with which the companion acknowledges a message.
var messageReceipts = []string{"", "inactive", "sender", "peer_msg", "hist_sync"}

// handleReceipt handles the companion's receipts: acknowledgements, requests to
// send again, and what the sender gets to see.
func (a *Account) handleReceipt(d *device, n *waBinary.Node) {
	kind := attrString(*n, "type")
	if kind == "retry" {
		if err := a.resend(d, n); err != nil {
			a.srv.log.Warn("retry receipt not served", "error", err)
		}
		return
	}
	if kind == "server-error" {
		note, err := a.retryMedia(n)
		if err != nil {
			a.srv.log.Warn("media retry not served", "error", err)
		} else if note.Tag != "" {
			if err := a.enqueue(d, note); err != nil {
				a.srv.log.Info("media retry not queued", "error", err)
			}
		}
		return
	}
	ids := []string{attrString(*n, "id")}
	if list, ok := n.GetOptionalChildByTag("list"); ok {
		for _, item := range list.GetChildrenByTag("item") {
			ids = append(ids, attrString(item, "id"))
		}
	}
	if slices.Contains(messageReceipts, kind) {
		for _, id := range ids {
			a.acknowledge(d, ackKey{class: "message", id: id, from: attrString(*n, "to"), participant: attrString(*n, "participant")}, "")
		}
	}
	a.noteReceipt(n, kind, ids)
}

// noteReceipt shows a receipt to the contact it is for.
func (a *Account) noteReceipt(n *waBinary.Node, kind string, ids []string) {
	jid, ok := n.Attrs["participant"].(types.JID)
	if !ok {
		jid, _ = n.Attrs["to"].(types.JID)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.people[jid.User]; c != nil {
		c.receipts = append(c.receipts, CompanionReceipt{IDs: ids, Chat: attrString(*n, "to"), Type: kind, At: time.Now()})
		a.changed.notify()
	}
}

func receiptAck(n *waBinary.Node) waBinary.Node {
	ack := waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"class": "receipt", "id": n.Attrs["id"], "from": n.Attrs["to"]}}
	for _, name := range []string{"type", "participant", "recipient"} {
		if v, ok := n.Attrs[name]; ok {
			ack.Attrs[name] = v
		}
	}
	return ack
}
