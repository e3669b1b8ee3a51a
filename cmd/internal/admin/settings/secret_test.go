package settings

import (
	"encoding/base64"
	"strings"
	"testing"
)

// whsec_ alone signed the header of Standard Webhooks with an empty key, whsec_AA== with one byte;
// a byte order mark became a part of the key, and a lone surrogate, which JSON turns into U+FFFD.
//
// Mutation of secret.go: a secret of Standard Webhooks signs with an empty key.
// Mutation of secret.go: a byte order mark, or what stands for a lone surrogate, becomes a part of
// the key.
func TestSecretsThatAreNone(t *testing.T) {
	standard := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for secret, why := range map[string]string{
		"whsec_": "0 bytes", "whsec_AA==": "1 bytes", standard(23): "23 bytes", "\ufeffa secret of a file": "not seen", "half \ufffd": "not seen",
		"zero\u200bwidth of a secret": "not seen", "a\x1bb": "not seen", "\u202eturned": "not seen", "tag \U000e0041": "not seen", "bad \xff": "not seen", " \t ": "white space",
	} {
		if err := CheckSecret(&secret, false); err == nil || !strings.Contains(err.Error(), why) || secret != "whsec_" && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v, want %q", secret, err, why)
		}
	}
	for _, secret := range []string{standard(24), standard(64), "whsec_not base64!", "geheimes Wörtchen für dich", "", NewSecret()} {
		if err := CheckSecret(&secret, false); err != nil {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
