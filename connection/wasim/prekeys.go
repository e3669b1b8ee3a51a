package wasim

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the hash of the digest, no secret depends on it
	"errors"
	"fmt"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/util/optional"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// lowPreKeys is the number of one-time prekeys below which the server asks the
// companion for more; the client sends some only below the same number.
const lowPreKeys = 5

// maxPreKeys bounds how many one-time prekeys one request brings.
const maxPreKeys = 1000

// companion waits until the linked companion has uploaded prekeys and returns
// it: from then on it can be written to, online or not.
func (a *Account) companion(ctx context.Context) (*device, error) {
	var d *device
	err := a.until(ctx, func() (bool, error) {
		d = a.device
		if d == nil {
			return false, ErrNotLinked
		}
		return d.uploaded, nil
	})
	if err != nil {
		return nil, fmt.Errorf("wait for the companion's prekeys: %w", err)
	}
	return d, nil
}

// bundle takes a one-time prekey of the companion; when none is left the bundle
// has only the signed one, as on the real server.
func (a *Account) bundle(d *device) (*prekey.Bundle, error) {
	a.mu.Lock()
	var one *publicPreKey
	if len(d.oneTime) > 0 {
		one = &d.oneTime[0]
		d.oneTime = d.oneTime[1:]
	}
	left := len(d.oneTime)
	ask := left < lowPreKeys && d.conn != nil && d.active && !d.asked
	if ask {
		d.asked = true
	}
	c, b := d.conn, newBundle(d, d.signed, one)
	a.mu.Unlock()
	if ask {
		// Lost when the connection breaks now: the next login asks for the count anyway.
		a.srv.start(func() {
			if err := c.send(a.notification(types.ServerJID, "encrypt", waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": left}})); err != nil {
				a.srv.log.Info("low prekeys not announced", "error", err)
			}
		})
	}
	return b, nil
}

func newBundle(d *device, signed publicPreKey, one *publicPreKey) *prekey.Bundle {
	id, key := optional.NewEmptyUint32(), ecc.ECPublicKeyable(nil)
	if one != nil {
		id, key = optional.NewOptionalUint32(one.ID), ecc.NewDjbECPublicKey(one.Key)
	}
	return prekey.NewBundle(d.registration, uint32(d.lid.Device), id, signed.ID, key,
		ecc.NewDjbECPublicKey(signed.Key), signed.Signature, identity.NewKey(ecc.NewDjbECPublicKey(d.identity)))
}

// notification is a <notification> stanza; content may be empty.
func (a *Account) notification(from types.JID, kind string, content ...waBinary.Node) waBinary.Node {
	return waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{
		"from": from, "type": kind, "id": stanzaID(), "t": unix(a.srv.now()),
	}, Content: content}
}

// preKeyCount returns <encrypt get><count/>.
func (a *Account) preKeyCount(d *device) waBinary.Node {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(d.oneTime)
	if a.srv.fewPreKeys && !d.uploaded {
		n = 1
	}
	return waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": n}}
}

// companionBundle is a prekey bundle of the companion as other devices get it; it uses one prekey
// up.
func (a *Account) companionBundle(d *device) []waBinary.Node {
	a.mu.Lock()
	defer a.mu.Unlock()
	nodes := d.identityNodes()
	if len(d.oneTime) > 0 {
		nodes = append(nodes, d.oneTime[0].node("key"))
		d.oneTime = d.oneTime[1:]
	}
	return nodes
}

// digest lets the companion check that the server has its keys. How the real server computes the
// hash is guessed.
func (a *Account) digest(d *device) waBinary.Node {
	a.mu.Lock()
	defer a.mu.Unlock()
	hash := sha1.New()
	hash.Write(d.identity[:])
	hash.Write(d.signed.Key[:])
	hash.Write(d.signed.Signature[:])
	var ids []waBinary.Node
	for _, k := range d.oneTime {
		ids = append(ids, waBinary.Node{Tag: "id", Content: bytes24(k.ID)})
		hash.Write(k.Key[:])
	}
	return waBinary.Node{Tag: "digest", Content: append(d.identityNodes(),
		waBinary.Node{Tag: "list", Content: ids}, waBinary.Node{Tag: "hash", Content: hash.Sum(nil)})}
}

// identityNodes are the keys of the companion that are not used up. Call with the account's lock
// held.
func (d *device) identityNodes() []waBinary.Node {
	return []waBinary.Node{
		{Tag: "registration", Content: bytes32(d.registration)},
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: d.identity[:]},
		d.signed.node("skey"),
	}
}

func (k publicPreKey) node(tag string) waBinary.Node {
	n := waBinary.Node{Tag: tag, Content: []waBinary.Node{{Tag: "id", Content: bytes24(k.ID)}, {Tag: "value", Content: k.Key[:]}}}
	if tag == "skey" {
		n.Content = append(n.GetChildren(), waBinary.Node{Tag: "signature", Content: k.Signature[:]})
	}
	return n
}

// uploadPreKeys stores what <encrypt set> brings.
func (a *Account) uploadPreKeys(d *device, iq *waBinary.Node) error {
	list := iq.GetChildByTag("list")
	var fresh []publicPreKey
	for _, n := range list.GetChildrenByTag("key") {
		k, err := readPreKey(n)
		if err != nil {
			return err
		}
		fresh = append(fresh, k)
	}
	signed, hasSigned := iq.GetOptionalChildByTag("skey")
	var newSigned publicPreKey
	if hasSigned {
		var err error
		if newSigned, err = readPreKey(signed); err != nil {
			return err
		}
		message := append([]byte{ecc.DjbType}, newSigned.Key[:]...)
		if !ecc.VerifySignature(ecc.NewDjbECPublicKey(d.identity), message, newSigned.Signature) {
			return errors.New("the signed prekey is not signed with the companion's identity")
		}
	}
	if identity := childBytes(*iq, "identity"); identity != nil && !bytes.Equal(identity, d.identity[:]) {
		return errors.New("the identity is not the one the companion was linked with")
	}
	if len(fresh) == 0 || len(fresh) > maxPreKeys {
		return fmt.Errorf("%d prekeys are none or more than %d", len(fresh), maxPreKeys)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	d.oneTime = append(d.oneTime, fresh...)
	if hasSigned {
		d.signed = newSigned
	}
	d.uploaded, d.asked = true, false
	a.changed.notify()
	return nil
}

func readPreKey(n waBinary.Node) (publicPreKey, error) {
	id, value, signature := childBytes(n, "id"), childBytes(n, "value"), childBytes(n, "signature")
	if len(id) != 3 || len(value) != 32 || (n.Tag == "skey" && len(signature) != 64) {
		return publicPreKey{}, fmt.Errorf("<%s> has an id of %d, a value of %d and a signature of %d bytes", n.Tag, len(id), len(value), len(signature))
	}
	k := publicPreKey{ID: uint24(id), Key: [32]byte(value)}
	if n.Tag == "skey" {
		k.Signature = [64]byte(signature)
	}
	return k, nil
}

func childBytes(n waBinary.Node, tag string) []byte {
	child := n.GetChildByTag(tag)
	b, _ := child.Content.([]byte)
	return b
}

// bundleNodes is a party's prekey bundle as the companion asks for it.
func (p *party) bundleNodes() []waBinary.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bundleNodesLocked()
}

func (p *party) bundleNodesLocked() []waBinary.Node {
	return append([]waBinary.Node{{Tag: "registration", Content: bytes32(p.ring.registration)}}, p.keyNodes()...)
}

// keyNodes are the keys of a bundle with a fresh one-time prekey. Call with the lock held.
func (p *party) keyNodes() []waBinary.Node {
	return []waBinary.Node{
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: p.identity.Pub[:]},
		preKeyNode("key", p.ring.newPreKey()),
		preKeyNode("skey", p.ring.signed),
	}
}

func preKeyNode(tag string, k *keys.PreKey) waBinary.Node {
	content := []waBinary.Node{{Tag: "id", Content: bytes24(k.KeyID)}, {Tag: "value", Content: k.Pub[:]}}
	if k.Signature != nil {
		content = append(content, waBinary.Node{Tag: "signature", Content: k.Signature[:]})
	}
	return waBinary.Node{Tag: tag, Content: content}
}
