package wasim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/signalerror"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// historyLimit bounds how many sent messages a party remembers for retry
// receipts.
const historyLimit = 4096

// errDuplicate says that a ciphertext was decrypted before.
var errDuplicate = errors.New("ciphertext was seen before")

// party is one end of the end-to-end encryption on the simulator's side: a
// contact's phone, or the account's own. Its lock is taken before the account's.
type party struct {
	lid      types.JID
	identity *keys.KeyPair

	mu      sync.Mutex
	ring    *keyring
	shared  map[string]types.JID // group -> companion that has this party's sender key
	sent    map[string]outgoing  // by message id
	order   []string             // ids of sent, oldest first
	corrupt int                  // how many of the next messages are made undecryptable
	retries map[string]int       // by message id: retry receipts sent
}

// outgoing is a message a party sent, kept to send it again.
type outgoing struct {
	head  waBinary.Node // the stanza without its content
	plain []byte        // marshalled waE2E.Message
	media string        // mediatype of <enc>
	group types.JID     // whose sender key encrypts it; empty for direct messages
	form  Form
}

func newParty(lid types.JID, id *keys.KeyPair) *party {
	return &party{
		lid: lid, identity: id, ring: newKeyring(id, newRegistration()),
		shared: make(map[string]types.JID), sent: make(map[string]outgoing), retries: make(map[string]int),
	}
}

// newRegistration makes the number that a device registers with.
func newRegistration() uint32 { return binary.BigEndian.Uint32(randomBytes(4))&0x3fff | 1 }

// seal encrypts padded plaintext for the companion; kind is pkmsg or msg.
// bundle is asked only when there is no session. Call with the lock held.
func (p *party) seal(to types.JID, plain []byte, bundle func() (*prekey.Bundle, error)) (ciphertext []byte, kind string, err error) {
	ctx, addr := context.Background(), to.SignalAddress()
	builder := session.NewBuilderFromSignal(p.ring, addr, serializer)
	if has, _ := p.ring.ContainsSession(ctx, addr); !has {
		b, err := bundle()
		if err != nil {
			return nil, "", err
		}
		if err := builder.ProcessBundle(ctx, b); err != nil {
			return nil, "", fmt.Errorf("start a session: %w", err)
		}
	}
	sealed, err := session.NewCipher(builder, addr).Encrypt(ctx, pad(plain))
	if err != nil {
		return nil, "", fmt.Errorf("encrypt: %w", err)
	}
	kind = "msg"
	if sealed.Type() == protocol.PREKEY_TYPE {
		kind = "pkmsg"
	}
	return sealed.Serialize(), kind, nil
}

// open decrypts a pkmsg or msg of the companion and removes the padding;
// errDuplicate when it was decrypted before. Call with the lock held.
func (p *party) open(from types.JID, kind string, ciphertext []byte) ([]byte, error) {
	ctx, addr := context.Background(), from.SignalAddress()
	cipher := session.NewCipher(session.NewBuilderFromSignal(p.ring, addr, serializer), addr)
	var plain []byte
	var err error
	switch kind {
	case "pkmsg":
		m, perr := protocol.NewPreKeySignalMessageFromBytes(ciphertext, serializer.PreKeySignalMessage, serializer.SignalMessage)
		if perr != nil {
			return nil, fmt.Errorf("parse prekey message: %w", perr)
		}
		plain, err = cipher.DecryptMessage(ctx, m)
	case "msg":
		m, perr := protocol.NewSignalMessageFromBytes(ciphertext, serializer.SignalMessage)
		if perr != nil {
			return nil, fmt.Errorf("parse message: %w", perr)
		}
		plain, err = cipher.Decrypt(ctx, m)
	default:
		return nil, fmt.Errorf("unknown encryption type %q", kind)
	}
	if errors.Is(err, signalerror.ErrOldCounter) {
		return nil, errDuplicate
	}
	if err != nil {
		return nil, fmt.Errorf("decrypt %s: %w", kind, err)
	}
	return unpad(plain)
}

// sealGroup encrypts for a group with this party's sender key. Call with the lock held.
func (p *party) sealGroup(group types.JID, plain []byte) ([]byte, error) {
	builder := groups.NewGroupSessionBuilder(p.ring, serializer)
	name := protocol.NewSenderKeyName(group.String(), p.lid.SignalAddress())
	sealed, err := groups.NewGroupCipher(builder, name, p.ring).Encrypt(context.Background(), pad(plain))
	if err != nil {
		return nil, fmt.Errorf("encrypt for group: %w", err)
	}
	return sealed.SignedSerialize(), nil
}

// senderKey is what the companion needs to read this party's group messages
// from now on. Call with the lock held.
func (p *party) senderKey(group types.JID) ([]byte, error) {
	name := protocol.NewSenderKeyName(group.String(), p.lid.SignalAddress())
	m, err := groups.NewGroupSessionBuilder(p.ring, serializer).Create(context.Background(), name)
	if err != nil {
		return nil, fmt.Errorf("make sender key: %w", err)
	}
	return m.Serialize(), nil
}

// learnSenderKey stores the companion's sender key. Call with the lock held.
func (p *party) learnSenderKey(group, from types.JID, raw []byte) error {
	m, err := protocol.NewSenderKeyDistributionMessageFromBytes(raw, serializer.SenderKeyDistributionMessage)
	if err != nil {
		return fmt.Errorf("parse sender key: %w", err)
	}
	name := protocol.NewSenderKeyName(group.String(), from.SignalAddress())
	return groups.NewGroupSessionBuilder(p.ring, serializer).Process(context.Background(), name, m)
}

// openGroup decrypts a skmsg of the companion. Call with the lock held.
func (p *party) openGroup(group, from types.JID, ciphertext []byte) ([]byte, error) {
	m, err := protocol.NewSenderKeyMessageFromBytes(ciphertext, serializer.SenderKeyMessage)
	if err != nil {
		return nil, fmt.Errorf("parse group message: %w", err)
	}
	builder := groups.NewGroupSessionBuilder(p.ring, serializer)
	name := protocol.NewSenderKeyName(group.String(), from.SignalAddress())
	plain, err := groups.NewGroupCipher(builder, name, p.ring).Decrypt(context.Background(), m)
	if errors.Is(err, signalerror.ErrOldCounter) {
		return nil, errDuplicate
	}
	if err != nil {
		return nil, fmt.Errorf("decrypt group message: %w", err)
	}
	return unpad(plain)
}

// remember keeps a sent message for retries. Call with the lock held.
func (p *party) remember(id string, m outgoing) {
	p.sent[id] = m
	p.order = append(p.order, id)
	if len(p.order) > historyLimit {
		delete(p.sent, p.order[0])
		p.order = p.order[1:]
	}
}

// pad appends 1 to 15 bytes, each telling how many they are.
func pad(plain []byte) []byte {
	n := randomBytes(1)[0]&0xf | 1
	return append(bytes.Clone(plain), bytes.Repeat([]byte{n}, int(n))...)
}

func unpad(padded []byte) ([]byte, error) {
	if len(padded) == 0 {
		return nil, errors.New("plaintext is empty")
	}
	n := int(padded[len(padded)-1])
	if n == 0 || n > len(padded) {
		return nil, fmt.Errorf("padding of %d bytes in a plaintext of %d", n, len(padded))
	}
	return padded[:len(padded)-n], nil
}
