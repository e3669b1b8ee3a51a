package webhook

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/netip"
	"strings"
	"testing"
)

// FuzzAddress: an address is judged the same in each form that leads to it, and none that serves
// credentials is let through, whatever surrounds it.
func FuzzAddress(f *testing.F) {
	for _, a := range []string{"169.254.169.254", "100.100.100.200", "127.0.0.1", "10.1.2.3", "8.8.8.8", "fd00:ec2::254", "2002:a9fe:a9fe::", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "::ffff:0:0", "fe80::1%eth0", "2001:db8::5efe:a9fe:a9fe"} {
		addr := netip.MustParseAddr(a)
		b := addr.As16()
		f.Add(b[:], uint64(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, prefix uint64) {
		if len(b) != 16 {
			return
		}
		a := netip.AddrFrom16([16]byte(b))
		public, err := checkAddr(a)
		if again, other := checkAddr(a.Unmap()); again != public || (other == nil) != (err == nil) {
			t.Errorf("%v is %v, %v; unmapped %v, %v", a, public, err, again, other)
		}
		if public && (a.Unmap().IsPrivate() || a.Unmap().IsLoopback() || a.Unmap().IsLinkLocalUnicast() || a.Unmap().IsMulticast()) {
			t.Errorf("%v is public", a)
		}
		// the same IPv4 address inside what leads to it
		v4 := netip.AddrFrom4([4]byte(b[12:]))
		p := [8]byte{byte(prefix >> 56), byte(prefix >> 48), byte(prefix >> 40), byte(prefix >> 32), byte(prefix >> 24), byte(prefix >> 16), byte(prefix >> 8), byte(prefix)}
		four := v4.As4()
		for name, wrapped := range map[string][16]byte{
			"NAT64":  [16]byte(append([]byte{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, four[:]...)),
			"6to4":   [16]byte(append(append([]byte{0x20, 0x02}, four[:]...), append(p[:], 0, 1)...)),
			"ISATAP": [16]byte(append(append(p[:], 2, 0, 0x5e, 0xfe), four[:]...)),
		} {
			if inner, bad := checkAddr(v4); bad != nil || !inner {
				if _, err := checkAddr(netip.AddrFrom16(wrapped)); err == nil {
					t.Errorf("%v is refused or not public, and let through as %s %v", v4, name, netip.AddrFrom16(wrapped))
				}
			}
		}
	})
}

// FuzzHeaders: of whatever was sealed as custom headers, none is sent that could end a line or take
// the place of one of ours.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{`{"Authorization":"Bearer x"}`, `{"X_Webhook_Signature":"x"}`, `{"a":"b\r\nc: d"}`, `{"":"x"}`, `{"Host":"evil"}`, `[]`, `{"a":"\u0000"}`, `{"a":"ü"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		h, err := parseHeaders(plain)
		if err != nil {
			var all map[string]string
			if json.Unmarshal(plain, &all) == nil {
				for _, v := range all {
					if len(v) > 8 && strings.Contains(err.Error(), v) {
						t.Errorf("a value is told: %v", err)
					}
				}
			}
			return
		}
		for name, values := range h {
			if isReserved(name) || strings.ContainsAny(name+values[0], "\r\n\x00") || strings.ContainsAny(name, ": ") {
				t.Errorf("%q is sent: %q", name, values)
			}
		}
	})
}

// FuzzCA: a file of certificates that is taken has certificates alone.
func FuzzCA(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, file []byte) {
		certs, err := parseCA(file)
		if err == nil && (len(certs) == 0 || bytes.Contains(file, []byte("BEGIN PRIVATE KEY"))) {
			t.Errorf("%q has %d certificates", file, len(certs))
		}
		if (err == nil) != (CheckCA(file) == nil) {
			t.Errorf("%q: %v, and %v", file, err, CheckCA(file))
		}
	})
}
