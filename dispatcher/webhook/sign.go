package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
)

// secretPrefix marks a secret in the Standard Webhooks form: base64 after it.
const secretPrefix = "whsec_"

// signer holds the two keys one secret stands for. Safe for concurrent use.
type signer struct {
	raw      keyed // X-Webhook-Signature: the secret's bytes, prefix included
	standard keyed // webhook-signature: base64-decoded after whsec_, else the bytes
}

func newSigner(secret []byte) *signer {
	s := &signer{raw: keyed{key: secret}, standard: keyed{key: secret}}
	if enc, ok := strings.CutPrefix(string(secret), secretPrefix); ok {
		// A whsec_ secret that is no base64, or of no bytes, cannot be what a Standard Webhooks
		// verifier holds either; its own bytes are used.
		if key, err := base64.StdEncoding.DecodeString(enc); err == nil && len(key) > 0 {
			s.standard.key = key
		}
	}
	return s
}

// Signature is the value of X-Webhook-Signature for a body: sha256=<lower-case hex HMAC-SHA256
// under the secret's bytes>, prefix whsec_ included. Compare it in constant time (hmac.Equal), with
// the exact bytes that arrived.
func Signature(secret, body []byte) string {
	return string(newSigner(secret).appendSignature(nil, body))
}

// appendSignature appends X-Webhook-Signature over the exact body bytes.
func (s *signer) appendSignature(b, body []byte) []byte {
	return s.raw.append(append(b, "sha256="...), nil, body, hex.AppendEncode)
}

// appendStandard appends one signature of webhook-signature: v1,<base64 HMAC-SHA256 over
// id.timestamp.body>. signed is "id.timestamp.".
func (s *signer) appendStandard(b, signed, body []byte) []byte {
	return s.standard.append(append(b, "v1,"...), signed, body, base64.StdEncoding.AppendEncode)
}

// keyed computes HMAC-SHA256 under one key, which is set up once. Safe for concurrent use.
type keyed struct {
	key  []byte
	idle sync.Pool // of *keyedState
}

// keyedState is a hash that has its key, and room for its sum.
type keyedState struct {
	hash.Hash
	sum [sha256.Size]byte
}

// append appends the encoded HMAC of the two parts, one after the other.
func (k *keyed) append(b, first, second []byte, encode func(dst, src []byte) []byte) []byte {
	h, ok := k.idle.Get().(*keyedState)
	if !ok {
		h = &keyedState{Hash: hmac.New(sha256.New, k.key)}
	}
	h.Write(first)
	h.Write(second)
	b = encode(b, h.Hash.Sum(h.sum[:0]))
	h.Reset() // to the keyed state, which it keeps
	k.idle.Put(h)
	return b
}
