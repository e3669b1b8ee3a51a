package wasim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/appstate"
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
	Group string `json:"group,omitempty"` // user part of its JID
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
		one := savedOutgoing{ID: id, Head: head, Plain: m.plain, Media: m.media}
		if m.group != nil {
			one.Group = m.group.jid.User
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
		m := outgoing{head: head, plain: one.Plain, media: one.Media}
		if one.Group != "" {
			m.group = a.group(types.NewJID(one.Group, types.GroupServer))
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

type savedGroup struct {
	User       string        `json:"user"`
	Creator    string        `json:"creator"`
	Created    time.Time     `json:"created"`
	Addressing Addressing    `json:"addressing"`
	Subject    string        `json:"subject"`
	SubjectBy  string        `json:"subject_by"`
	SubjectAt  time.Time     `json:"subject_at"`
	Topic      string        `json:"topic,omitempty"`
	TopicID    string        `json:"topic_id,omitempty"`
	TopicBy    string        `json:"topic_by,omitempty"`
	TopicAt    time.Time     `json:"topic_at"`
	Version    int           `json:"version"`
	Members    []savedMember `json:"members"`
}

type savedMember struct {
	LID  string `json:"lid"`
	Role string `json:"role,omitempty"`
}

func (g *Group) save() savedGroup {
	out := savedGroup{
		User: g.jid.User, Creator: g.creator.User, Created: g.created, Addressing: g.addressing,
		Subject: g.subject, SubjectBy: g.subjectBy.User, SubjectAt: g.subjectAt,
		Topic: g.topic, TopicID: g.topicID, TopicBy: g.topicBy.User, TopicAt: g.topicAt, Version: g.version,
	}
	for _, m := range g.members {
		out.Members = append(out.Members, savedMember{LID: m.lid.User, Role: m.role})
	}
	return out
}

func (in savedGroup) load(a *Account) *Group {
	user := func(s string) types.JID { return types.NewJID(s, types.HiddenUserServer) }
	g := &Group{
		acct: a, jid: types.NewJID(in.User, types.GroupServer), creator: user(in.Creator), created: in.Created, addressing: in.Addressing,
		subject: in.Subject, subjectBy: user(in.SubjectBy), subjectAt: in.SubjectAt,
		topic: in.Topic, topicID: in.TopicID, topicBy: user(in.TopicBy), topicAt: in.TopicAt, version: in.Version,
	}
	for _, m := range in.Members {
		one := a.member()
		if c := a.people[m.LID]; c != nil {
			one = c.member()
		}
		one.role = m.Role
		g.members = append(g.members, one)
	}
	return g
}

func (s *syncedState) save() savedSynced {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := savedSynced{KeyID: s.keyID, KeyData: s.keyData, Holder: s.keyHolds.Device, Patches: make(map[appstate.WAPatchName][][]byte)}
	for name, list := range s.patches {
		out.Patches[name] = slices.Clone(list)
	}
	return out
}

func (in savedSynced) load(lid types.JID) (*syncedState, error) {
	s := newSyncedState(in.KeyID, in.KeyData)
	if in.Holder != 0 {
		s.keyHolds = lid
		s.keyHolds.Device = in.Holder
	}
	for name, list := range in.Patches {
		for i, raw := range list {
			if err := s.apply(context.Background(), name, raw); err != nil {
				return nil, fmt.Errorf("setting %d of %s: %w", i+1, name, err)
			}
		}
	}
	return s, nil
}
