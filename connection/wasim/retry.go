package wasim

import (
	"fmt"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// maxRetries bounds how often a party asks for one message again.
const maxRetries = 4

// resend returns a retry receipt: the same message id, encrypted in a fresh
// session, in place of the copy the companion could not read.
func (a *Account) resend(d *device, receipt *waBinary.Node) error {
	retry := receipt.GetChildByTag("retry")
	id := attrString(*receipt, "id")
	p := a.senderOf(*receipt)
	if p == nil {
		return fmt.Errorf("retry receipt for %s names an unknown sender", id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.sent[id]
	if !ok {
		return fmt.Errorf("retry receipt for %s: that message is not known (any more)", id)
	}
	delete(p.ring.sessions, d.lid.SignalAddress().String())
	plain := m.plain
	if !m.group.IsEmpty() {
		key, err := p.senderKeyMessage(m.group)
		if err != nil {
			return err
		}
		plain = append(key, plain...) // concatenated protobuf messages merge
	}
	bundle := d.bundleFrom(a)
	if keys, ok := receipt.GetOptionalChildByTag("keys"); ok {
		bundle = func() (*prekey.Bundle, error) { return bundleIn(d, keys) }
	}
	sealed, kind, err := p.seal(d.lid, plain, bundle)
	if err != nil {
		return fmt.Errorf("retry %s: %w", id, err)
	}
	enc := encNode(kind, sealed)
	enc.Attrs["count"] = retry.AttrGetter().OptionalString("count")
	node := m.head
	node.Content = []waBinary.Node{enc}
	a.mu.Lock()
	defer a.mu.Unlock()
	if k := keyOf(node); a.device == d && !d.out.resend(k, node) {
		a.unsettle(k) // without SynchronousAck the client may acknowledge first and ask then
		a.push(d, node)
	}
	a.changed.notify()
	return nil
}

// senderOf finds whose message a receipt of the companion is about.
func (a *Account) senderOf(receipt waBinary.Node) *party {
	jid, ok := receipt.Attrs["participant"].(types.JID)
	if !ok {
		jid, _ = receipt.Attrs["to"].(types.JID)
	}
	if jid.User == a.pn.User || jid.User == a.lid.User {
		return a.phone
	}
	if c := a.contact(jid); c != nil {
		return c.party
	}
	return nil
}

// bundleFrom takes a prekey bundle of the companion from the server.
func (d *device) bundleFrom(a *Account) func() (*prekey.Bundle, error) {
	return func() (*prekey.Bundle, error) { return a.bundle(d) }
}

// bundleIn reads the bundle a retry receipt brings.
func bundleIn(d *device, keys waBinary.Node) (*prekey.Bundle, error) {
	one, err := readPreKey(keys.GetChildByTag("key"))
	if err != nil {
		return nil, fmt.Errorf("read the retry receipt's keys: %w", err)
	}
	signed, err := readPreKey(keys.GetChildByTag("skey"))
	if err != nil {
		return nil, fmt.Errorf("read the retry receipt's keys: %w", err)
	}
	return newBundle(d, signed, &one), nil
}

// askAgain lets a party that could not read a message of the companion ask for
// it with a retry receipt that carries fresh keys. Call with the party's lock held.
func (p *party) askAgain(id string, head waBinary.Node) (waBinary.Node, bool) {
	if p.retries[id] >= maxRetries {
		return waBinary.Node{}, false
	}
	p.retries[id]++
	head.Attrs["type"] = "retry"
	head.Content = []waBinary.Node{
		{Tag: "retry", Attrs: waBinary.Attrs{"count": p.retries[id], "id": id, "t": head.Attrs["t"], "v": 1}},
		{Tag: "registration", Content: bytes32(p.ring.registration)},
		{Tag: "keys", Content: p.keyNodes()},
	}
	return head, true
}

// senderKeyMessage is the marshalled message that brings the party's sender key.
// Call with the lock held.
func (p *party) senderKeyMessage(group types.JID) ([]byte, error) {
	key, err := p.senderKey(group)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{
		GroupID: proto.String(group.String()), AxolotlSenderKeyDistributionMessage: key,
	}})
}

// maybeCorrupt spoils a ciphertext when CorruptNext asked for it, so that it
// parses and fails its MAC or signature. Call with the lock held.
func (p *party) maybeCorrupt(enc *waBinary.Node) error {
	if p.corrupt == 0 {
		return nil
	}
	p.corrupt--
	raw := enc.Content.([]byte)
	if enc.Attrs["type"] == "pkmsg" {
		m, err := protocol.NewPreKeySignalMessageFromBytes(raw, serializer.PreKeySignalMessage, serializer.SignalMessage)
		if err != nil {
			return fmt.Errorf("corrupt a message: %w", err)
		}
		raw = m.WhisperMessage().Serialize()
		enc.Attrs["type"] = "msg"
	}
	raw = append([]byte(nil), raw...)
	raw[len(raw)-1] ^= 0xff
	enc.Content = raw
	return nil
}

// trust pins the identity a companion has to use with this party.
func (p *party) trust(d *device) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ring.identities[d.lid.SignalAddress().String()] = ecc.NewDjbECPublicKey(d.identity).PublicKey()
}
