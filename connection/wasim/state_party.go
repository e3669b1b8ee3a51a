package wasim

import (
	"fmt"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

type savedParty struct {
	Identity     []byte              `json:"identity"`
	Registration uint32              `json:"registration"`
	Signed       savedPreKey         `json:"signed"`
	PreKeys      []savedPreKey       `json:"pre_keys"`
	NextPreKey   uint32              `json:"next_pre_key"`
	Identities   map[string][32]byte `json:"identities"`
	Sessions     map[string][]byte   `json:"sessions"`
	SenderKeys   map[string][]byte   `json:"sender_keys"`
	Shared       map[string]uint16   `json:"shared"` // group -> companion's device number
	Sent         []savedOutgoing     `json:"sent"`
	Corrupt      int                 `json:"corrupt,omitempty"`
	Retries      map[string]int      `json:"retries"`
}

type savedPreKey struct {
	ID        uint32 `json:"id"`
	Private   []byte `json:"private"`
	Signature []byte `json:"signature,omitempty"`
}

type savedOutgoing struct {
	ID    string `json:"id"`
	Head  []byte `json:"head"`
	Plain []byte `json:"plain"`
	Media string `json:"media,omitempty"`
	Group string `json:"group,omitempty"` // its JID
	Form  Form   `json:"form,omitzero"`
}

func (p *party) save() (savedParty, error) {
	out := savedParty{
		Identity: p.identity.Priv[:], Registration: p.ring.registration, NextPreKey: p.ring.nextPreKey,
		Signed:     savedPreKey{ID: p.ring.signed.KeyID, Private: p.ring.signed.Priv[:], Signature: p.ring.signed.Signature[:]},
		Identities: p.ring.identities, Sessions: p.ring.sessions, SenderKeys: p.ring.senderKeys,
		Shared: make(map[string]uint16), Corrupt: p.corrupt, Retries: p.retries,
	}
	for _, k := range p.ring.preKeys {
		out.PreKeys = append(out.PreKeys, savedPreKey{ID: k.KeyID, Private: k.Priv[:]})
	}
	for group, companion := range p.shared {
		out.Shared[group] = companion.Device
	}
	for _, id := range p.order {
		m := p.sent[id]
		head, err := packNode(m.head)
		if err != nil {
			return out, fmt.Errorf("message %s: %w", id, err)
		}
		one := savedOutgoing{ID: id, Head: head, Plain: m.plain, Media: m.media, Form: m.form}
		if !m.group.IsEmpty() {
			one.Group = m.group.String()
		}
		out.Sent = append(out.Sent, one)
	}
	return out, nil
}

func (in savedParty) load(a *Account, lid types.JID) (*party, error) {
	if len(in.Identity) != 32 || len(in.Signed.Private) != 32 || len(in.Signed.Signature) != 64 {
		return nil, fmt.Errorf("the keys of %s are damaged", lid.User)
	}
	p := newParty(lid, keys.NewKeyPairFromPrivateKey([32]byte(in.Identity)))
	signature := [64]byte(in.Signed.Signature)
	p.ring.registration, p.ring.nextPreKey = in.Registration, in.NextPreKey
	p.ring.signed = &keys.PreKey{KeyPair: *keys.NewKeyPairFromPrivateKey([32]byte(in.Signed.Private)), KeyID: in.Signed.ID, Signature: &signature}
	for _, k := range in.PreKeys {
		if len(k.Private) != 32 {
			return nil, fmt.Errorf("prekey %d of %s is damaged", k.ID, lid.User)
		}
		p.ring.preKeys[k.ID] = &keys.PreKey{KeyPair: *keys.NewKeyPairFromPrivateKey([32]byte(k.Private)), KeyID: k.ID}
	}
	adopt(&p.ring.identities, in.Identities)
	adopt(&p.ring.sessions, in.Sessions)
	adopt(&p.ring.senderKeys, in.SenderKeys)
	adopt(&p.retries, in.Retries)
	p.corrupt = in.Corrupt
	for group, number := range in.Shared {
		companion := a.lid
		companion.Device = number
		p.shared[group] = companion
	}
	for _, one := range in.Sent {
		head, err := unpackNode(one.Head)
		if err != nil {
			return nil, fmt.Errorf("message %s: %w", one.ID, err)
		}
		m := outgoing{head: head, plain: one.Plain, media: one.Media, form: one.Form}
		if one.Group != "" {
			if m.group, err = types.ParseJID(one.Group); err != nil {
				return nil, fmt.Errorf("message %s: %w", one.ID, err)
			}
		}
		p.remember(one.ID, m)
	}
	return p, nil
}

// adopt takes a loaded map, which is nil when it was empty.
func adopt[K comparable, V any](into *map[K]V, loaded map[K]V) {
	if loaded != nil {
		*into = loaded
	}
}
