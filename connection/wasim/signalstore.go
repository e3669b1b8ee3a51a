package wasim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mau.fi/libsignal/ecc"
	groupRecord "go.mau.fi/libsignal/groups/state/record"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/state/record"
	signalStore "go.mau.fi/libsignal/state/store"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/util/keys"
)

// keyring is the Signal state of one simulated device, in memory. Sessions are
// kept serialised, so a failed decryption leaves no half-changed ratchet. Not
// safe for concurrent use: the party that owns it locks.
type keyring struct {
	identity     *keys.KeyPair
	registration uint32
	signed       *keys.PreKey
	preKeys      map[uint32]*keys.PreKey
	nextPreKey   uint32
	identities   map[string][32]byte
	sessions     map[string][]byte
	senderKeys   map[string][]byte
}

var _ signalStore.SignalProtocol = (*keyring)(nil)

var serializer = store.SignalProtobufSerializer

func newKeyring(id *keys.KeyPair, registration uint32) *keyring {
	return &keyring{
		identity: id, registration: registration, signed: id.CreateSignedPreKey(1),
		preKeys: make(map[uint32]*keys.PreKey), identities: make(map[string][32]byte),
		sessions: make(map[string][]byte), senderKeys: make(map[string][]byte),
	}
}

// newPreKey makes a one-time prekey and keeps its private half.
func (k *keyring) newPreKey() *keys.PreKey {
	k.nextPreKey++
	key := keys.NewPreKey(k.nextPreKey)
	k.preKeys[key.KeyID] = key
	return key
}

func (k *keyring) GetIdentityKeyPair() *identity.KeyPair {
	return identity.NewKeyPair(identity.NewKey(ecc.NewDjbECPublicKey(*k.identity.Pub)), ecc.NewDjbECPrivateKey(*k.identity.Priv))
}

func (k *keyring) GetLocalRegistrationID() uint32 { return k.registration }

func (k *keyring) SaveIdentity(_ context.Context, addr *protocol.SignalAddress, key *identity.Key) error {
	k.identities[addr.String()] = key.PublicKey().PublicKey()
	return nil
}

func (k *keyring) IsTrustedIdentity(_ context.Context, addr *protocol.SignalAddress, key *identity.Key) (bool, error) {
	known, ok := k.identities[addr.String()]
	return !ok || known == key.PublicKey().PublicKey(), nil
}

func (k *keyring) LoadPreKey(_ context.Context, id uint32) (*record.PreKey, error) {
	key, ok := k.preKeys[id]
	if !ok {
		return nil, nil
	}
	return record.NewPreKey(id, pairOf(&key.KeyPair), nil), nil
}

func (k *keyring) StorePreKey(_ context.Context, id uint32, r *record.PreKey) error {
	pub, priv := r.KeyPair().PublicKey().PublicKey(), r.KeyPair().PrivateKey().Serialize()
	k.preKeys[id] = &keys.PreKey{KeyPair: keys.KeyPair{Pub: &pub, Priv: &priv}, KeyID: id}
	return nil
}

func (k *keyring) ContainsPreKey(_ context.Context, id uint32) (bool, error) {
	_, ok := k.preKeys[id]
	return ok, nil
}

func (k *keyring) RemovePreKey(_ context.Context, id uint32) error {
	delete(k.preKeys, id)
	return nil
}

func (k *keyring) LoadSession(_ context.Context, addr *protocol.SignalAddress) (*record.Session, error) {
	raw, ok := k.sessions[addr.String()]
	if !ok {
		return record.NewSession(serializer.Session, serializer.State), nil
	}
	return record.NewSessionFromBytes(raw, serializer.Session, serializer.State)
}

func (k *keyring) GetSubDeviceSessions(_ context.Context, name string) ([]uint32, error) {
	var devices []uint32
	for _, addr := range slices.Sorted(maps.Keys(k.sessions)) {
		var device uint32
		if rest, ok := strings.CutPrefix(addr, name+":"); ok {
			if _, err := fmt.Sscan(rest, &device); err == nil && device != 0 {
				devices = append(devices, device)
			}
		}
	}
	return devices, nil
}

func (k *keyring) StoreSession(_ context.Context, addr *protocol.SignalAddress, r *record.Session) error {
	k.sessions[addr.String()] = untried(r, k.sessions[addr.String()])
	return nil
}

func (k *keyring) ContainsSession(_ context.Context, addr *protocol.SignalAddress) (bool, error) {
	_, ok := k.sessions[addr.String()]
	return ok, nil
}

func (k *keyring) DeleteSession(_ context.Context, addr *protocol.SignalAddress) error {
	delete(k.sessions, addr.String())
	return nil
}

func (k *keyring) DeleteAllSessions(context.Context) error {
	clear(k.sessions)
	return nil
}

func (k *keyring) LoadSignedPreKey(_ context.Context, id uint32) (*record.SignedPreKey, error) {
	if id != k.signed.KeyID {
		return nil, nil
	}
	return record.NewSignedPreKey(id, 0, pairOf(&k.signed.KeyPair), *k.signed.Signature, nil), nil
}

func (k *keyring) LoadSignedPreKeys(ctx context.Context) ([]*record.SignedPreKey, error) {
	r, err := k.LoadSignedPreKey(ctx, k.signed.KeyID)
	return []*record.SignedPreKey{r}, err
}

func (k *keyring) StoreSignedPreKey(_ context.Context, id uint32, r *record.SignedPreKey) error {
	pub, priv, sig := r.KeyPair().PublicKey().PublicKey(), r.KeyPair().PrivateKey().Serialize(), r.Signature()
	k.signed = &keys.PreKey{KeyPair: keys.KeyPair{Pub: &pub, Priv: &priv}, KeyID: id, Signature: &sig}
	return nil
}

func (k *keyring) ContainsSignedPreKey(_ context.Context, id uint32) (bool, error) {
	return id == k.signed.KeyID, nil
}

func (k *keyring) RemoveSignedPreKey(_ context.Context, id uint32) error {
	return fmt.Errorf("signed prekey %d cannot be removed: a simulated device has one for life", id)
}

func (k *keyring) StoreSenderKey(_ context.Context, name *protocol.SenderKeyName, r *groupRecord.SenderKey) error {
	k.senderKeys[senderKeyID(name)] = r.Serialize()
	return nil
}

func (k *keyring) LoadSenderKey(_ context.Context, name *protocol.SenderKeyName) (*groupRecord.SenderKey, error) {
	raw, ok := k.senderKeys[senderKeyID(name)]
	if !ok {
		return groupRecord.NewSenderKey(serializer.SenderKeyRecord, serializer.SenderKeyState), nil
	}
	return groupRecord.NewSenderKeyFromBytes(raw, serializer.SenderKeyRecord, serializer.SenderKeyState)
}

func senderKeyID(name *protocol.SenderKeyName) string {
	return name.GroupID() + " " + name.Sender().String()
}

func pairOf(k *keys.KeyPair) *ecc.ECKeyPair {
	return ecc.NewECKeyPair(ecc.NewDjbECPublicKey(*k.Pub), ecc.NewDjbECPrivateKey(*k.Priv))
}
