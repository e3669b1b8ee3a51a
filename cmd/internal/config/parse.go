package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// rootKeyLen is the length of a Curve25519 public key.
const rootKeyLen = 32

// checkLoopbackURL accepts ws:// to 127.0.0.0/8, [::1] or localhost and nothing else: whoever answers there sees and writes every
// message, so it must never be another machine.
func checkLoopbackURL(v string) error {
	const fix = "use ws://127.0.0.1:PORT/ws/chat"
	u, err := url.Parse(v)
	if err != nil || u.Opaque != "" {
		return errors.New("it is not a URL; " + fix)
	}
	if u.Scheme != "ws" {
		return fmt.Errorf("its scheme is %q, not ws; %s", u.Scheme, fix)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("it must hold only host, port and path; " + fix)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("its port %q is not between 1 and 65535; %s", p, fix)
		}
	}
	if !isLoopback(u.Hostname()) {
		return fmt.Errorf("%q is not an address of this machine; only 127.0.0.0/8, [::1] and localhost are accepted: %s", u.Hostname(), fix)
	}
	return nil
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

// checkRootKey never repeats the value in its error.
func checkRootKey(v string) error {
	if b, err := hex.DecodeString(v); err != nil || len(b) != rootKeyLen {
		return fmt.Errorf("it must be %d hex digits (it has %d characters); copy the root key that the server printed", 2*rootKeyLen, len(v))
	}
	return nil
}

func parseInt(v string, least, most int) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", v, least, most)
	}
	return n, nil
}

func oneOf(allowed ...string) func(string) error {
	return func(v string) error {
		if slices.Contains(allowed, v) {
			return nil
		}
		return fmt.Errorf("%q is not one of %s", v, strings.Join(allowed, ", "))
	}
}

// ParseBytes reads a number of bytes: 268435456, 256MiB, 1.5GiB, 500MB. Units are matched without regard to case, a space before the
// unit is allowed, the result is never negative.
func ParseBytes(v string) (int64, error) {
	units := []struct {
		suffix string
		size   float64
	}{
		{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
		{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1},
	}
	bad := fmt.Errorf("%q is not a number of bytes; write 268435456 or 256MiB", v)
	text := strings.ToLower(strings.TrimSpace(v))
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < 0 {
			return 0, bad
		}
		return n, nil
	}
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		number = strings.TrimSpace(number)
		if number == "" || strings.Trim(number, "0123456789.") != "" { // no signs, exponents, hex, NaN
			return 0, bad
		}
		f, err := strconv.ParseFloat(number, 64)
		if err != nil || f*u.size >= math.MaxInt64 {
			return 0, bad
		}
		return int64(f * u.size), nil
	}
	return 0, bad
}
