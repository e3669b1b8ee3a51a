// Package whatsappurl has the rules for naming another server that speaks WhatsApp's protocol: the
// settings whatsapp-url and whatsapp-root-key. Whoever runs that server sees and writes every
// message, so it must be on this machine.
package whatsappurl

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ChatPath is where WhatsApp's websocket lives.
const ChatPath = "/ws/chat"

// keyLen is the length of a Curve25519 public key.
const keyLen = 32

// fix ends every refusal of a URL.
const fix = "use ws://127.0.0.1:PORT" + ChatPath

// Check accepts ws:// to 127.0.0.0/8, [::1] or localhost and nothing else. The error says what is
// wrong and how the URL looks, without the setting's name.
func Check(v string) error {
	_, err := Parse(v)
	return err
}

// Parse returns the parts of a URL that Check accepts.
func Parse(v string) (*url.URL, error) {
	u, err := url.Parse(v)
	if err != nil || u.Opaque != "" {
		return nil, errors.New("it is not a URL; " + fix)
	}
	if u.Scheme != "ws" {
		return nil, fmt.Errorf("its scheme is %q, not ws; %s", u.Scheme, fix)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("it must hold only host, port and path; " + fix)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("its port %q is not between 1 and 65535; %s", p, fix)
		}
	}
	if !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("%q is not an address of this machine; only 127.0.0.0/8, [::1] and localhost are accepted: %s", u.Hostname(), fix)
	}
	return u, nil
}

// isLoopback looks at the literal only: no name is resolved, so no resolver can change the answer.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return a == netip.IPv6Loopback() || a.Is4() && a.IsLoopback()
}

// CheckRootKey accepts 64 hex digits: the key the server's certificates are checked against. The
// error never repeats the value.
func CheckRootKey(v string) error {
	_, err := ParseRootKey(v)
	return err
}

// ParseRootKey returns the bytes of a key that CheckRootKey accepts.
func ParseRootKey(v string) (key [keyLen]byte, err error) {
	b, err := hex.DecodeString(v)
	if err != nil || len(b) != keyLen {
		return key, fmt.Errorf("it must be %d hex digits (it has %d characters); copy the root key that the server printed", 2*keyLen, len(v))
	}
	return [keyLen]byte(b), nil
}
