package whatsappurl

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// FuzzURL: a server that is taken is on this machine, as net/url and net read its address.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"ws://127.0.0.1:4567/ws/chat", "ws://[::1]:80/", "ws://localhost", "ws://127.0.0.1.evil.example", "ws://evil#@127.0.0.1", "ws://[::ffff:127.0.0.1]/", "ws://127.0.0.1%2eevil/", "ws://[::1%25lo]/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		u, err := Parse(v)
		if err != nil {
			if !strings.Contains(err.Error(), "ws://127.0.0.1:PORT") {
				t.Errorf("%q: %v", v, err)
			}
			return
		}
		host := u.Hostname()
		if strings.EqualFold(host, "localhost") {
			return
		}
		if a, err := netip.ParseAddr(host); err != nil || !a.IsLoopback() || !net.ParseIP(host).IsLoopback() {
			t.Errorf("%q is taken: %q", v, host)
		}
	})
}

// FuzzProxy: a proxy that is taken is read the same from what it is written as, and no refusal
// holds what may be a password.
func FuzzProxy(f *testing.F) {
	for _, seed := range []string{"http://proxy.example:3128", "socks5h://10.0.0.1", "socks5://alice:s%40crEt@10.0.0.1:9050", "https://[2001:db8::1]", "http://alice:s3crEt@h:70000", "http://h/path"} {
		f.Add(seed, "s3crEt")
	}
	f.Fuzz(func(t *testing.T, v, password string) {
		if u, err := ParseProxy(v); err == nil {
			again, err := ParseProxy(u.String())
			if err != nil || again.String() != u.String() || u.Port() == "" {
				t.Errorf("%q is %q, which is %q, %v", v, u, again, err)
			}
		}
		secret := "zqx" + password + "zqx"
		if err := CheckProxy("http://alice:" + secret + "@" + v); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q is told: %v", secret, err)
		}
	})
}
