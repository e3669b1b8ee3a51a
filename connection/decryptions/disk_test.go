package decryptions

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// disk is a device's stores, and counts what waits for a disk.
type disk struct {
	store.EventBuffer

	mu     sync.Mutex
	holds  content
	writes int // transactions, and writes outside of one
	reads  int // of sessions
	broken error
	commit func() // stands before each commit
	olds   int    // how often what is old was removed
}

// content is what the stores hold.
type content struct {
	plain      map[[32]byte]string // "" is a cleared one
	sessions   map[string]string
	identities map[string][32]byte
	senderKeys map[senderKey]string
	preKeys    map[uint32]bool
	secrets    map[types.MessageID]string
}

type inTxn struct{}

func newDisk() *disk {
	return &disk{holds: content{
		plain: make(map[[32]byte]string), sessions: make(map[string]string), identities: make(map[string][32]byte),
		senderKeys: make(map[senderKey]string), preKeys: make(map[uint32]bool),
		secrets: make(map[types.MessageID]string),
	}}
}

func (c content) copied() content {
	return content{maps.Clone(c.plain), maps.Clone(c.sessions), maps.Clone(c.identities), maps.Clone(c.senderKeys), maps.Clone(c.preKeys), maps.Clone(c.secrets)}
}

func (d *disk) stores() Stores {
	return Stores{
		Events: d, Sessions: diskSessions{d: d}, Identities: diskIdentities{d: d},
		PreKeys: diskPreKeys{d: d}, SenderKeys: diskSenderKeys{d: d}, Secrets: diskSecrets{d: d},
	}
}

// change changes what the stores hold, at once outside of a transaction.
func (d *disk) change(ctx context.Context, fn func(c content)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := ctx.Value(inTxn{}).(content); ok {
		fn(c)
		return nil
	}
	d.writes++
	fn(d.holds)
	return nil
}

func (d *disk) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	d.mu.Lock()
	c := d.holds.copied()
	d.mu.Unlock()
	if err := fn(context.WithValue(ctx, inTxn{}, c)); err != nil {
		return err
	}
	if d.commit != nil {
		d.commit()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return d.broken
	}
	d.holds = c
	d.writes++
	return nil
}

func (d *disk) PutBufferedEvent(ctx context.Context, hash [32]byte, plain []byte, _ time.Time) error {
	return d.change(ctx, func(c content) { c.plain[hash] = string(plain) })
}

func (d *disk) ClearBufferedEventPlaintext(ctx context.Context, hash [32]byte) error {
	return d.change(ctx, func(c content) {
		if _, there := c.plain[hash]; there {
			c.plain[hash] = ""
		}
	})
}

func (d *disk) GetBufferedEvent(_ context.Context, hash [32]byte) (*store.BufferedEvent, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	plain, ok := d.holds.plain[hash]
	switch {
	case !ok:
		return nil, nil
	case plain == "":
		return &store.BufferedEvent{}, nil
	}
	return &store.BufferedEvent{Plaintext: []byte(plain)}, nil
}

func (d *disk) DeleteOldBufferedHashes(ctx context.Context) error {
	return d.change(ctx, func(content) { d.olds++ })
}

// uncleared is how many plaintexts are on the disk.
func (d *disk) uncleared() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, plain := range d.holds.plain {
		if plain != "" {
			n++
		}
	}
	return n
}

// written is how often somebody waited for the disk.
func (d *disk) written() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes
}

func (d *disk) setBroken(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

func (d *disk) now() content {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holds.copied()
}

type diskSessions struct {
	store.SessionStore
	d *disk
}

func (s diskSessions) GetSession(_ context.Context, address string) ([]byte, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.d.reads++
	if session, ok := s.d.holds.sessions[address]; ok {
		return []byte(session), nil
	}
	return nil, nil
}

func (s diskSessions) HasSession(ctx context.Context, address string) (bool, error) {
	session, err := s.GetSession(ctx, address)
	return session != nil, err
}

func (s diskSessions) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	all := make(map[string][]byte)
	for _, a := range addresses {
		all[a], _ = s.GetSession(ctx, a)
	}
	return all, nil
}

func (s diskSessions) PutSession(ctx context.Context, address string, session []byte) error {
	return s.d.change(ctx, func(c content) { c.sessions[address] = string(session) })
}

func (s diskSessions) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	return s.d.change(ctx, func(c content) {
		for a, session := range sessions {
			c.sessions[a] = string(session)
		}
	})
}

func (s diskSessions) DeleteSession(ctx context.Context, address string) error {
	return s.d.change(ctx, func(c content) { delete(c.sessions, address) })
}

func (s diskSessions) DeleteAllSessions(ctx context.Context, _ string) error {
	return s.d.change(ctx, func(c content) { clear(c.sessions) })
}

type diskIdentities struct {
	store.IdentityStore
	d *disk
}

func (s diskIdentities) IsTrustedIdentity(_ context.Context, address string, key [32]byte) (bool, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	known, ok := s.d.holds.identities[address]
	return !ok || known == key, nil
}

func (s diskIdentities) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	return s.d.change(ctx, func(c content) { c.identities[address] = key })
}

func (s diskIdentities) DeleteIdentity(ctx context.Context, address string) error {
	return s.d.change(ctx, func(c content) { delete(c.identities, address) })
}

type diskPreKeys struct {
	store.PreKeyStore
	d *disk
}

func (s diskPreKeys) GetPreKey(_ context.Context, id uint32) (*keys.PreKey, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if !s.d.holds.preKeys[id] {
		return nil, nil
	}
	return &keys.PreKey{KeyID: id}, nil
}

func (s diskPreKeys) GetOrGenPreKeys(ctx context.Context, count uint32) (made []*keys.PreKey, err error) {
	for id := range count {
		made = append(made, &keys.PreKey{KeyID: id})
		err = errors.Join(err, s.d.change(ctx, func(c content) { c.preKeys[id] = true }))
	}
	return made, err
}

func (s diskPreKeys) RemovePreKey(ctx context.Context, id uint32) error {
	return s.d.change(ctx, func(c content) { delete(c.preKeys, id) })
}

type diskSenderKeys struct {
	store.SenderKeyStore
	d *disk
}

func (s diskSenderKeys) GetSenderKey(_ context.Context, group, user string) ([]byte, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if key, ok := s.d.holds.senderKeys[senderKey{group, user}]; ok {
		return []byte(key), nil
	}
	return nil, nil
}

func (s diskSenderKeys) PutSenderKey(ctx context.Context, group, user string, key []byte) error {
	return s.d.change(ctx, func(c content) { c.senderKeys[senderKey{group, user}] = string(key) })
}

type diskSecrets struct {
	store.MsgSecretStore
	d *disk
}

func (s diskSecrets) PutMessageSecret(ctx context.Context, _, _ types.JID, id types.MessageID, secret []byte) error {
	return s.d.change(ctx, func(c content) {
		if _, there := c.secrets[id]; !there {
			c.secrets[id] = string(secret)
		}
	})
}

func (s diskSecrets) GetMessageSecret(_ context.Context, _, sender types.JID, id types.MessageID) ([]byte, types.JID, error) {
	return []byte(s.d.now().secrets[id]), sender, nil
}

// put is a message that is decrypted, and nothing more.
func put(b *Buffer, ctx context.Context, message byte) error {
	return b.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		return b.PutBufferedEvent(ctx, [32]byte{message}, []byte("text"), time.Time{})
	})
}

// read is what the library does with a message whose event is stored.
func read(t *testing.T, b *Buffer, message byte) {
	t.Helper()
	err := put(b, t.Context(), message)
	if err == nil {
		err = b.Committed()
	}
	if err == nil {
		err = b.ClearBufferedEventPlaintext(t.Context(), [32]byte{message})
	}
	if err != nil {
		t.Error(err)
	}
}
