// Package leases has the rules of what MCP clients subscribe to: which requests name the same
// subscription, how long one lasts, what its secret may be, and how often endpoints are asked
// whether they want events.
package leases

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// idPrefix begins what a subscription is known by outside.
const idPrefix = "sub_"

// ID is what a subscription is known by outside: the same for the same four, whenever and wherever
// it is made. arguments are canonical.
func ID(principal, url, event string, arguments json.RawMessage) string {
	h := sha256.New()
	for _, part := range []string{principal, url, event, string(arguments)} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return idPrefix + hex.EncodeToString(h.Sum(nil)[:16])
}

// Canonical returns JSON as it is compared: members in order, no white space, numbers as they were
// written. Nothing, and null, is an object without members.
func Canonical(raw json.RawMessage) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	switch err := dec.Decode(&v); {
	case errors.Is(err, io.EOF) && len(bytes.TrimSpace(raw)) == 0, err == nil && v == nil:
		v = map[string]any{}
	case err != nil, dec.More():
		return nil, api.Errorf(api.CodeInvalidArguments, "the arguments are no JSON object").In("arguments")
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, api.Errorf(api.CodeInvalidArguments, "the arguments are no JSON object").In("arguments")
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out) // which sorts members
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, api.Errorf(api.CodeInvalidArguments, "the arguments cannot be written as JSON").In("arguments")
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

const (
	secretPrefix = "whsec_"
	// minSecret and maxSecret bound the bytes that a secret stands for.
	minSecret = 24
	maxSecret = 64
)

// Secret returns a client's secret as it is stored, or says what is wrong with it, without a word
// of it.
func Secret(given string) (string, error) {
	const want = "give whsec_ and the base64 of 24 to 64 random bytes"
	encoded, ok := strings.CutPrefix(given, secretPrefix)
	if !ok {
		return "", api.Errorf(api.CodeInvalidSecret, "the secret does not begin with whsec_: %s", want).In("secret")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		key, err = base64.RawStdEncoding.Strict().DecodeString(encoded)
	}
	switch {
	case err != nil || strings.ContainsAny(encoded, "\r\n"):
		return "", api.Errorf(api.CodeInvalidSecret, "what follows whsec_ in the secret is no base64: %s", want).In("secret")
	case len(key) < minSecret || len(key) > maxSecret:
		return "", api.Errorf(api.CodeInvalidSecret, "the secret stands for %d bytes: %s", len(key), want).In("secret")
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(key), nil
}

// Ends returns when a subscription ends that is granted now: never longer than the client suggests
// but for the shortest there is, zero for never where the client wants that and endless allows it.
func Ends(now time.Time, suggested *int64, noExpiry, endless bool) time.Time {
	life := outbox.DefaultLease
	switch {
	case noExpiry && endless:
		return time.Time{}
	case noExpiry:
		life = outbox.MaxLease
	case suggested != nil:
		ms := min(max(*suggested, outbox.MinLease.Milliseconds()), outbox.MaxLease.Milliseconds())
		life = time.Duration(ms) * time.Millisecond
	}
	return now.Add(life).UTC().Truncate(time.Millisecond)
}
