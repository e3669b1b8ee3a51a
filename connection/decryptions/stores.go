package decryptions

import (
	"cmp"
	"context"
	"errors"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// Wrapped returns the stores through which the library reads messages, b being that of events: what
// is read while a message is decrypted is what messages before have left, whether it is committed
// or not. Who reads or writes them otherwise waits until all is committed.
func (b *Buffer) Wrapped() Stores {
	return Stores{
		Events:     eventStore{b},
		Sessions:   sessionStore{b.stores.Sessions, b},
		Identities: identityStore{b.stores.Identities, b},
		PreKeys:    preKeyStore{b.stores.PreKeys, b},
		SenderKeys: senderKeyStore{b.stores.SenderKeys, b},
		Secrets:    secretStore{b.stores.Secrets, b},
	}
}

// find looks for a value in what the message of ctx changed, in what is not committed, and in what
// the database is known to hold.
func find[K comparable, V any](b *Buffer, message *changes, of func(*changes) map[K]V, key K) (v V, ok bool) {
	if v, ok = of(message)[key]; ok {
		return v, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if v, ok = of(b.next.changes)[key]; ok {
		return v, true
	}
	if b.busy != nil {
		if v, ok = of(b.busy.changes)[key]; ok {
			return v, true
		}
	}
	v, ok = of(b.known)[key]
	return v, ok
}

// learn takes note of what the database holds.
func learn[K comparable](b *Buffer, of func(*changes) map[K][]byte, key K, v []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	knowOne(of(b.known), key, v)
}

func sessionsOf(c *changes) map[string][]byte      { return c.sessions }
func identitiesOf(c *changes) map[string]*[32]byte { return c.identities }
func senderKeysOf(c *changes) map[senderKey][]byte { return c.senderKeys }
func preKeysOf(c *changes) map[uint32]struct{}     { return c.preKeys }

type eventStore struct{ *Buffer }

// errClearedLater is why the library has nothing more to do for a plaintext.
var errClearedLater = errors.New("the plaintext goes with the next commit")

// ClearBufferedEventPlaintext is Buffer's, and always returns an error, which the library takes for
// the end of it. After nil it would read and set in one of its fields when it last removed what is
// old: messages that are handled at the same time would do so unguarded. Buffer removes it.
func (s eventStore) ClearBufferedEventPlaintext(ctx context.Context, hash [32]byte) error {
	return cmp.Or(s.Buffer.ClearBufferedEventPlaintext(ctx, hash), errClearedLater)
}

type sessionStore struct {
	store.SessionStore
	b *Buffer
}

func (s sessionStore) GetSession(ctx context.Context, address string) ([]byte, error) {
	message := within(ctx)
	if message == nil {
		_ = s.b.Committed()
		return s.SessionStore.GetSession(ctx, address)
	}
	if session, ok := find(s.b, message, sessionsOf, address); ok {
		return session, nil
	}
	session, err := s.SessionStore.GetSession(ctx, address)
	if err == nil && session != nil {
		learn(s.b, sessionsOf, address, session)
	}
	return session, err
}

func (s sessionStore) HasSession(ctx context.Context, address string) (bool, error) {
	if within(ctx) == nil {
		_ = s.b.Committed()
		return s.SessionStore.HasSession(ctx, address)
	}
	session, err := s.GetSession(ctx, address)
	return session != nil, err
}

func (s sessionStore) GetManySessions(ctx context.Context, addresses []string) (map[string][]byte, error) {
	_ = s.b.Committed()
	return s.SessionStore.GetManySessions(ctx, addresses)
}

func (s sessionStore) PutSession(ctx context.Context, address string, session []byte) error {
	if message := within(ctx); message != nil {
		message.sessions[address] = session
		return nil
	}
	return s.b.alone(func() error {
		s.b.forget(func(known *changes) { delete(known.sessions, address) })
		return s.SessionStore.PutSession(ctx, address, session)
	})
}

func (s sessionStore) PutManySessions(ctx context.Context, sessions map[string][]byte) error {
	return s.b.alone(func() error {
		s.b.forget(func(known *changes) {
			for address := range sessions {
				delete(known.sessions, address)
			}
		})
		return s.SessionStore.PutManySessions(ctx, sessions)
	})
}

func (s sessionStore) DeleteSession(ctx context.Context, address string) error {
	if message := within(ctx); message != nil {
		message.sessions[address] = nil
		return nil
	}
	return s.b.alone(func() error {
		s.b.forgetAll()
		return s.SessionStore.DeleteSession(ctx, address)
	})
}

func (s sessionStore) DeleteAllSessions(ctx context.Context, phone string) error {
	return s.b.alone(func() error {
		s.b.forgetAll()
		return s.SessionStore.DeleteAllSessions(ctx, phone)
	})
}

// MigratePNToLID is called for each message, and the library's store does it once a number.
func (s sessionStore) MigratePNToLID(ctx context.Context, pn, lid types.JID) error {
	user := pn.SignalAddressUser()
	s.b.mu.Lock()
	_, done := s.b.migrated[user]
	s.b.migrated[user] = struct{}{}
	s.b.mu.Unlock()
	if done {
		return s.SessionStore.MigratePNToLID(ctx, pn, lid)
	}
	return s.b.alone(func() error {
		s.b.forgetAll()
		return s.SessionStore.MigratePNToLID(ctx, pn, lid)
	})
}

type identityStore struct {
	store.IdentityStore
	b *Buffer
}

func (s identityStore) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	message := within(ctx)
	if message == nil {
		_ = s.b.Committed()
		return s.IdentityStore.IsTrustedIdentity(ctx, address, key)
	}
	if known, ok := find(s.b, message, identitiesOf, address); ok {
		return known == nil || *known == key, nil // who is not known is trusted
	}
	return s.IdentityStore.IsTrustedIdentity(ctx, address, key)
}

func (s identityStore) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	if message := within(ctx); message != nil {
		if known, ok := find(s.b, message, identitiesOf, address); !ok || known == nil || *known != key {
			message.identities[address] = &key
		}
		return nil
	}
	return s.b.alone(func() error {
		s.b.forget(func(known *changes) { delete(known.identities, address) })
		return s.IdentityStore.PutIdentity(ctx, address, key)
	})
}

func (s identityStore) DeleteIdentity(ctx context.Context, address string) error {
	if message := within(ctx); message != nil {
		message.identities[address] = nil
		return nil
	}
	return s.b.alone(func() error {
		s.b.forgetAll()
		return s.IdentityStore.DeleteIdentity(ctx, address)
	})
}

func (s identityStore) DeleteAllIdentities(ctx context.Context, phone string) error {
	return s.b.alone(func() error {
		s.b.forgetAll()
		return s.IdentityStore.DeleteAllIdentities(ctx, phone)
	})
}

type preKeyStore struct {
	store.PreKeyStore
	b *Buffer
}

func (s preKeyStore) GetPreKey(ctx context.Context, id uint32) (*keys.PreKey, error) {
	message := within(ctx)
	if message == nil {
		_ = s.b.Committed()
	} else if _, used := find(s.b, message, preKeysOf, id); used {
		return nil, nil
	}
	return s.PreKeyStore.GetPreKey(ctx, id)
}

func (s preKeyStore) RemovePreKey(ctx context.Context, id uint32) error {
	if message := within(ctx); message != nil {
		message.preKeys[id] = struct{}{}
		return nil
	}
	return s.b.alone(func() error { return s.PreKeyStore.RemovePreKey(ctx, id) })
}

// GetOrGenPreKeys stores what it makes in one transaction: a new link needs hundreds.
func (s preKeyStore) GetOrGenPreKeys(ctx context.Context, count uint32) (got []*keys.PreKey, err error) {
	s.b.preKeys.Lock()
	defer s.b.preKeys.Unlock()
	err = s.b.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		got, err = s.PreKeyStore.GetOrGenPreKeys(ctx, count)
		return err
	})
	return got, err
}

func (s preKeyStore) GenOnePreKey(ctx context.Context) (*keys.PreKey, error) {
	s.b.preKeys.Lock() // the store's own lock is taken within the other's transaction
	defer s.b.preKeys.Unlock()
	return s.PreKeyStore.GenOnePreKey(ctx)
}

func (s preKeyStore) UploadedPreKeyCount(ctx context.Context) (int, error) {
	_ = s.b.Committed()
	return s.PreKeyStore.UploadedPreKeyCount(ctx)
}

type senderKeyStore struct {
	store.SenderKeyStore
	b *Buffer
}

func (s senderKeyStore) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	message, name := within(ctx), senderKey{group, user}
	if message == nil {
		_ = s.b.Committed()
		return s.SenderKeyStore.GetSenderKey(ctx, group, user)
	}
	if key, ok := find(s.b, message, senderKeysOf, name); ok {
		return key, nil
	}
	key, err := s.SenderKeyStore.GetSenderKey(ctx, group, user)
	if err == nil && key != nil {
		learn(s.b, senderKeysOf, name, key)
	}
	return key, err
}

func (s senderKeyStore) PutSenderKey(ctx context.Context, group, user string, key []byte) error {
	if message := within(ctx); message != nil {
		message.senderKeys[senderKey{group, user}] = key
		return nil
	}
	return s.b.alone(func() error {
		s.b.forget(func(known *changes) { delete(known.senderKeys, senderKey{group, user}) })
		return s.SenderKeyStore.PutSenderKey(ctx, group, user, key)
	})
}

type secretStore struct {
	store.MsgSecretStore
	b *Buffer
}

func (s secretStore) PutMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID, secret []byte) error {
	if ctx.Value(whileHandled{}) == nil { // of a message that is sent
		return s.MsgSecretStore.PutMessageSecret(ctx, chat, sender, id, secret)
	}
	return s.b.keep(func(next *changes) {
		of := secretOf{chat, sender, id}
		if _, there := next.secrets[of]; !there { // the first one stays, as in the library's store
			next.secrets[of] = secret
		}
	})
}

func (s secretStore) GetMessageSecret(ctx context.Context, chat, sender types.JID, id types.MessageID) ([]byte, types.JID, error) {
	_ = s.b.Committed()
	return s.MsgSecretStore.GetMessageSecret(ctx, chat, sender, id)
}
