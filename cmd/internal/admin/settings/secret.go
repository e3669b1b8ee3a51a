package settings

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"waoutbox/outbox/api"
	"waoutbox/outbox/api/untrusted"
)

// maxSecret bounds a secret, in bytes. HMAC-SHA256 gains nothing above 64.
const maxSecret = 512

// CheckSecret refuses a secret that cannot be used, and one beside a wish for a generated one. Nil
// is not given, "" takes the secret away. No sentence holds the secret.
func CheckSecret(secret *string, generate bool) error {
	if secret == nil {
		return nil
	}
	v := *secret
	switch {
	case generate:
		return api.Errorf(api.CodeInvalidSecret, "both a secret and a generated secret were asked for: choose one")
	case v == "":
		return nil
	case strings.TrimSpace(v) == "":
		return api.Errorf(api.CodeInvalidSecret, "the secret is only white space: pass a real one, or an empty string to remove it")
	case len(v) > maxSecret:
		return api.Errorf(api.CodeInvalidSecret, "the secret has %d bytes, the most is %d", len(v), maxSecret)
	case untrusted.Escape(v) != v:
		return api.Errorf(api.CodeInvalidSecret, "the secret holds control characters, characters that are not seen, or invalid UTF-8: use printable text")
	}
	if rest, ok := strings.CutPrefix(v, "whsec_"); ok {
		if key, err := base64.StdEncoding.DecodeString(rest); err == nil && len(key) < minStandardKey {
			return api.Errorf(api.CodeInvalidSecret, "the secret stands for %d bytes after whsec_, and Standard Webhooks asks for at least %d: have one generated", len(key), minStandardKey)
		}
	}
	return nil
}

// minStandardKey is how many bytes a secret of Standard Webhooks stands for at least.
const minStandardKey = 24

// SecretWarning says what is weak about a secret that is taken all the same, "" for nothing.
func SecretWarning(secret string) string {
	if rest, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if _, err := base64.StdEncoding.DecodeString(rest); err != nil {
			return "the secret starts with whsec_ but the rest is not base64: X-Webhook-Signature works, Standard Webhooks verifiers (webhook-signature) will not accept it"
		}
	}
	if secret != "" && len(secret) < 16 {
		return "the secret is shorter than 16 characters and could be guessed"
	}
	return ""
}

// NewSecret makes a Standard Webhooks secret: 32 random bytes.
func NewSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}
