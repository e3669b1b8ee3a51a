package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"waoutbox/store/private"
)

const (
	keySize    = 32 // AES-256
	maxKey     = 1 << 10
	sealFormat = 1 // version byte of sealed bytes: AES-256-GCM, random 12-byte nonce in front
	// settled stands behind the key when all that must be sealed with it was. It is kept here, not
	// in the database: whoever edits that could make it look older than it is.
	settled = 's'
	// auditSettled stands there instead when the audit trail was sealed too.
	auditSettled = 'a'
)

// Key seals secrets at rest, so that a copy of the database without the key file holds none. Safe
// for concurrent use.
type Key struct {
	path    string
	aead    cipher.AEAD
	settled byte // settled, auditSettled, or 0
}

// OpenKey reads the key at path. When there is none, it makes one, unless sealedExists says that
// secrets were sealed with it already: then the error is of kind KeyMissing, and what was sealed
// must be held, never sent unsigned. It refuses a file that is not a key (WrongKey), that others
// may write or that is another user's, and closes it to those who may read it.
func OpenKey(path string, sealedExists bool) (*Key, error) {
	raw, err := private.Read(path, maxKey)
	if errors.Is(err, fs.ErrNotExist) {
		if sealedExists {
			return nil, newError(KeyMissing, path, err, "secrets in the outbox were sealed with %s, and that file is missing", path)
		}
		if err := makeKey(path); err != nil {
			return nil, systemError(err, path, fmt.Sprintf("key %s cannot be created", path))
		}
		raw, err = private.Read(path, maxKey)
	}
	if errors.Is(err, private.ErrTooLarge) {
		return nil, newError(WrongKey, path, nil, "key %s has more than %d bytes, a key has %d", path, maxKey, keySize)
	}
	if err != nil {
		return nil, privateError(err, path, fmt.Sprintf("key %s cannot be used", path))
	}
	mark := byte(0)
	if len(raw) == keySize+1 && (raw[keySize] == settled || raw[keySize] == auditSettled) {
		mark = raw[keySize]
	}
	if mark == 0 && len(raw) != keySize {
		return nil, newError(WrongKey, path, nil, "key %s has %d bytes, a key has %d", path, len(raw), keySize)
	}
	block, err := aes.NewCipher(raw[:keySize])
	if err != nil {
		return nil, fmt.Errorf("use key %s: %w", path, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("use key %s: %w", path, err)
	}
	return &Key{path: path, aead: aead, settled: mark}, nil
}

// makeKey writes a new key whole: a crash leaves either no key or a good one. No audit trail is
// sealed with it yet.
func makeKey(path string) error {
	raw := make([]byte, keySize+1)
	rand.Read(raw[:keySize]) // never fails
	raw[keySize] = settled
	return WriteFile(path, raw)
}

// Settled reports whether all that must be sealed with the key is: what is not then was not stored
// by this program. It is so from the beginning for a key that a version made that knows of it.
func (k *Key) Settled() bool { return k.settled != 0 }

// AuditSettled reports whether the audit trail was sealed with the key: one without a seal of it
// was changed by something else than this program.
func (k *Key) AuditSettled() bool { return k.settled == auditSettled }

// Settle notes, durably, in the key file that all webhooks are sealed, SettleAudit that the audit
// trail is too. They are called by one goroutine.
func (k *Key) Settle() error { return k.settle(settled) }

// SettleAudit: see Settle.
func (k *Key) SettleAudit() error { return k.settle(auditSettled) }

// UnsettleAudit takes SettleAudit back, durably, before the key comes beside an outbox whose audit
// trail it has not sealed: a crash in between leaves none that seems to be changed.
func (k *Key) UnsettleAudit() error {
	if !k.AuditSettled() {
		return nil
	}
	return k.settle(settled)
}

func (k *Key) settle(mark byte) error {
	raw, err := private.Read(k.path, maxKey)
	if err == nil && (len(raw) < keySize || len(raw) > keySize+1) {
		err = errors.New("it was changed meanwhile")
	}
	if err == nil {
		err = WriteFile(k.path, append(raw[:keySize:keySize], mark))
	}
	if err != nil {
		return systemError(err, k.path, fmt.Sprintf("key %s cannot be written", k.path))
	}
	k.settled = mark
	return nil
}

// Seal encrypts plain. The same context (what the secret belongs to) must be given to Open: a
// sealed secret cannot be moved to another owner.
func (k *Key) Seal(plain []byte, context string) ([]byte, error) {
	return k.aead.Seal([]byte{sealFormat}, nil, plain, sealContext(context)), nil
}

// Open decrypts what Seal made.
func (k *Key) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, errors.New("unseal: nothing is sealed here")
	}
	if sealed[0] != sealFormat {
		return nil, fmt.Errorf("unseal: format %d is not known to this program (it knows %d)", sealed[0], sealFormat)
	}
	plain, err := k.aead.Open(nil, nil, sealed[1:], sealContext(context))
	if err != nil {
		return nil, errors.New("unseal: sealed with another key, for another owner, or damaged")
	}
	return plain, nil
}

func sealContext(context string) []byte { return append([]byte{sealFormat}, context...) }
