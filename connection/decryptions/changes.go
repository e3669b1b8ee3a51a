package decryptions

import (
	"context"
	"fmt"
	"maps"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// changes is what reading messages changes in a device's stores. A nil value is one that is taken
// away.
type changes struct {
	sessions   map[string][]byte
	identities map[string]*[32]byte
	senderKeys map[senderKey][]byte
	preKeys    map[uint32]struct{} // used up
	events     map[[32]byte]event
	secrets    map[secretOf][]byte
}

// secretOf is the message that a secret is of.
type secretOf struct {
	chat, sender types.JID
	id           types.MessageID
}

type senderKey struct{ group, user string }

// event is a message that was decrypted, with its padding.
type event struct {
	plain      []byte
	sent, read time.Time
}

func newChanges() *changes {
	return &changes{
		sessions: make(map[string][]byte), identities: make(map[string]*[32]byte),
		senderKeys: make(map[senderKey][]byte), preKeys: make(map[uint32]struct{}), events: make(map[[32]byte]event),
		secrets: make(map[secretOf][]byte),
	}
}

func (c *changes) empty() bool {
	return len(c.sessions)+len(c.identities)+len(c.senderKeys)+len(c.preKeys)+len(c.events)+len(c.secrets) == 0
}

// add puts later changes over these.
func (c *changes) add(later *changes) {
	maps.Copy(c.sessions, later.sessions)
	maps.Copy(c.identities, later.identities)
	maps.Copy(c.senderKeys, later.senderKeys)
	maps.Copy(c.preKeys, later.preKeys)
	maps.Copy(c.events, later.events)
}

// know is add of what is worth knowing once it is in the database.
func (c *changes) know(later *changes) {
	for address, session := range later.sessions {
		knowOne(c.sessions, address, session)
	}
	for name, key := range later.senderKeys {
		knowOne(c.senderKeys, name, key)
	}
	maps.Copy(c.identities, later.identities)
}

// knowOne keeps what is in the database unless it is large.
func knowOne[K comparable](known map[K][]byte, key K, v []byte) {
	if len(v) > largeRecord {
		delete(known, key)
		return
	}
	known[key] = v
}

// size is how many entries a database is known to hold.
func (c *changes) size() int { return len(c.sessions) + len(c.identities) + len(c.senderKeys) }

// write puts the changes into the stores, in the transaction of ctx. The plaintexts of cleared are
// not written, and those of others that are in the database are removed.
func (c *changes) write(ctx context.Context, s Stores, cleared [][32]byte) error {
	for address, key := range c.identities {
		var err error
		if key == nil {
			err = s.Identities.DeleteIdentity(ctx, address)
		} else {
			err = s.Identities.PutIdentity(ctx, address, *key)
		}
		if err != nil {
			return fmt.Errorf("store an identity: %w", err)
		}
	}
	for address, session := range c.sessions {
		var err error
		if session == nil {
			err = s.Sessions.DeleteSession(ctx, address)
		} else {
			err = s.Sessions.PutSession(ctx, address, session)
		}
		if err != nil {
			return fmt.Errorf("store a session: %w", err)
		}
	}
	for name, key := range c.senderKeys {
		if err := s.SenderKeys.PutSenderKey(ctx, name.group, name.user, key); err != nil {
			return fmt.Errorf("store a sender key: %w", err)
		}
	}
	for id := range c.preKeys {
		if err := s.PreKeys.RemovePreKey(ctx, id); err != nil {
			return fmt.Errorf("remove a prekey: %w", err)
		}
	}
	for of, secret := range c.secrets {
		if err := s.Secrets.PutMessageSecret(ctx, of.chat, of.sender, of.id, secret); err != nil {
			return fmt.Errorf("store a message's secret: %w", err)
		}
	}
	return c.writeEvents(ctx, s.Events, cleared)
}

func (c *changes) writeEvents(ctx context.Context, events store.EventBuffer, cleared [][32]byte) error {
	stored := make(map[[32]byte]bool, len(cleared))
	for _, hash := range cleared {
		stored[hash] = true
	}
	for hash, ev := range c.events {
		plain := ev.plain
		if stored[hash] {
			plain = nil
		}
		if err := events.PutBufferedEvent(ctx, hash, plain, ev.sent); err != nil {
			return fmt.Errorf("store a decrypted message: %w", err)
		}
	}
	for _, hash := range cleared {
		if _, written := c.events[hash]; written {
			continue
		}
		if err := events.ClearBufferedEventPlaintext(ctx, hash); err != nil {
			return fmt.Errorf("clear a decrypted message: %w", err)
		}
	}
	return nil
}
