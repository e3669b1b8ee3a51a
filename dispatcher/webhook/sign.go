package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// secretPrefix marks a secret in the Standard Webhooks form: base64 after it.
const secretPrefix = "whsec_"

// signer holds the two keys one secret stands for. It is immutable and safe for concurrent use.
type signer struct {
	raw      []byte // X-Webhook-Signature: the secret's bytes, prefix included
	standard []byte // webhook-signature: base64-decoded after whsec_, else the bytes
}

func newSigner(secret []byte) *signer {
	s := &signer{raw: secret, standard: secret}
	if enc, ok := strings.CutPrefix(string(secret), secretPrefix); ok {
		// A whsec_ secret that is no base64 cannot be what a Standard Webhooks verifier holds either; its bytes are used.
		if key, err := base64.StdEncoding.DecodeString(enc); err == nil {
			s.standard = key
		}
	}
	return s
}

// Signature is the value of X-Webhook-Signature for a body: sha256=<lower-case hex HMAC-SHA256 under the secret's bytes>.
func Signature(secret, body []byte) string {
	return "sha256=" + hex.EncodeToString(sum(secret, body))
}

// signature is X-Webhook-Signature over the exact body bytes.
func (s *signer) signature(body []byte) string { return Signature(s.raw, body) }

// standardSignature is webhook-signature: v1,<base64 HMAC-SHA256 over id.timestamp.body>.
func (s *signer) standardSignature(id string, at time.Time, body []byte) string {
	prefix := id + "." + strconv.FormatInt(at.Unix(), 10) + "."
	return "v1," + base64.StdEncoding.EncodeToString(sum(s.standard, []byte(prefix), body))
}

func sum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
