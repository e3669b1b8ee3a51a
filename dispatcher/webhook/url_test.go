package webhook

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

func TestCheckURLIdentity(t *testing.T) {
	for raw, want := range map[string]string{
		"HTTPS://Crm.Example":               "https://crm.example/",
		"https://crm.example:443/Hook?a=B":  "https://crm.example/Hook?a=B",
		"http://localhost:80":               "http://localhost/",
		"http://n8n:5678/webhook/x":         "http://n8n:5678/webhook/x",
		"http://my_service:80/x":            "http://my_service/x",
		" https://crm.example./x ":          "https://crm.example/x",
		"https://bücher.example/x":          "https://xn--bcher-kva.example/x",
		"http://[::1]:8080":                 "http://[::1]:8080/",
		"http://[::ffff:127.0.0.1]/":        "http://127.0.0.1/",
		"http://10.1.2.3/x":                 "http://10.1.2.3/x",
		"http://100.64.1.1/x":               "http://100.64.1.1/x",
		"http://[fd00::1]/x":                "http://[fd00::1]/x",
		"https://1.1.1.1/x":                 "https://1.1.1.1/x",
		"https://crm.example:08443/a%2Fb?q": "https://crm.example:8443/a%2Fb?q",
		"http://crm.lan/x":                  "http://crm.lan/x", // judged by its addresses
	} {
		got, err := CheckURL(raw, false)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", raw, got, err, want)
		}
		if again, err := CheckURL(got, false); err != nil || again != got {
			t.Errorf("%s is not stable: %q, %v", got, again, err)
		}
	}
}

// Mutation of address.go: a translated IPv6 form leads to a private address.
// Mutation of url.go: an address of this network that is told to be reached over https.
func TestCheckURLRefusals(t *testing.T) {
	for raw, part := range map[string]string{
		"":                              "empty",
		"crm.example/hook":              "begins with https:// or http://, for example https://crm.example/hook",
		"localhost:5678/hook":           "for example http://localhost:5678/hook",
		"192.168.1.5:80":                "write it like http://192.168.1.5:80",
		"u:hush@crm.example":            "for example https://example.com/hook",
		"crm.example/?a=hush":           "for example https://example.com/hook",
		"ftp://crm.example":             "begins with https://",
		"mailto:a@b":                    "begins with https://",
		"https://":                      "names no host",
		"https://u:hush@crm.example/":   "credentials",
		"https://crm.example/?a=hush#b": "fragment",
		"https://crm.example/#":         "fragment",
		"https://crm.example:0/":        "out of range",
		"https://crm.example:70000/":    "out of range",
		"https://crm.example:x/?hush":   "not a URL",
		"https://a b/":                  "not a URL",
		"http://169.254.169.254/latest": "169.254.169.254 is a link-local address; nothing is sent there or fetched from there (it serves cloud credentials).",
		"http://[fe80::1]/":             "link-local",
		"https://100.100.100.200/":      "metadata",
		// looks public; every Azure machine gets its credentials there
		"https://168.63.129.16/":                   "metadata",
		"https://[fd00:ec2::254]/":                 "metadata",
		"https://[::ffff:169.254.0.1]/":            "link-local",
		"https://[64:ff9b::a9fe:a9fe]/":            "leads to",
		"https://[2002:a9fe:a9fe::]/":              "leads to",
		"https://[2002:7f00:1::]/":                 "leads to",
		"https://[::169.254.169.254]/":             "leads to",
		"http://0.0.0.0:8080/":                     "unspecified",
		"http://[::]/":                             "unspecified",
		"http://224.0.0.1/":                        "multicast",
		"http://255.255.255.255/":                  "multicast",
		"https://[ff02::1]/":                       "multicast",
		"https://192.0.2.1/":                       "special purposes",
		"http://1.1.1.1/":                          "use https",
		"http://[64:ff9b::101:101]/":               "use https",
		"http://127.1/":                            "four decimal numbers",
		"http://2130706433/":                       "four decimal numbers",
		"http://0x7f.0.0.0x1/":                     "four decimal numbers",
		"https://-/":                               "",
		"https://a..b/":                            "not a valid host name",
		"https://x/" + strings.Repeat("y", maxURL): "longer than",
	} {
		_, err := CheckURL(raw, false)
		if part == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%.60s: %v, want %q", raw, err, part)
		} else if strings.Contains(err.Error(), "hush") {
			t.Errorf("%.60s: the error holds a secret: %v", raw, err)
		}
	}
	if _, err := CheckURL("http://1.1.1.1/", true); err != nil {
		t.Errorf("insecure http was allowed and refused: %v", err)
	}
}

func TestResolvedAddressesAreJudgedLikeDialling(t *testing.T) {
	addrs := func(s ...string) (out []netip.Addr) {
		for _, a := range s {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	plain, _ := url.Parse("http://crm.example/")
	secure, _ := url.Parse("https://crm.example/")
	for _, c := range []struct {
		u        *url.URL
		addrs    []netip.Addr
		insecure bool
		warn, no bool
	}{
		{plain, addrs("10.0.0.1"), false, false, false},
		{plain, addrs("1.1.1.1"), false, false, true},
		{plain, addrs("1.1.1.1"), true, false, false},
		{plain, addrs("1.1.1.1", "10.0.0.1"), false, true, false},
		{secure, addrs("1.1.1.1", "2606:4700::1111"), false, false, false},
		{secure, addrs("169.254.169.254"), true, false, true},
	} {
		warning, err := judge(c.u, c.addrs, guard{plain: c.u.Scheme == "http", allowInsecure: c.insecure})
		if (warning != "") != c.warn || (err != nil) != c.no {
			t.Errorf("%s %v insecure=%v: %q, %v", c.u, c.addrs, c.insecure, warning, err)
		}
	}
}

func TestResolve(t *testing.T) {
	if w, err := Resolve(t.Context(), "http://127.0.0.1:5678/x", false); w != "" || err != nil {
		t.Errorf("loopback: %q, %v", w, err)
	}
	if _, err := Resolve(t.Context(), "https://169.254.169.254/x", false); err == nil {
		t.Error("a link-local address was accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // so that the look-up fails without leaving this machine
	if w, err := Resolve(ctx, "https://crm.example/x", false); !strings.Contains(w, "crm.example does not resolve yet") || err != nil {
		t.Errorf("a name that does not resolve: %q, %v; want a warning", w, err)
	}
}

// A name that is allowed while registering and points elsewhere when dialled is refused then: what
// counts is the address. The names below localhost stand for this machine, where the policy for
// hosts lets everybody send, so they lead nowhere else.
//
// Mutation of address.go: a name below localhost is this machine to the policy, and leads
// elsewhere.
func TestGuardJudgesTheDialledAddress(t *testing.T) {
	target := serve(t, func(http.ResponseWriter, *http.Request) {})
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	s := sender(t)
	s.resolver = testResolver(t, map[string]string{"good.example": "127.0.0.1", "cloud.example": "169.254.169.254", "any.example": "0.0.0.0",
		"n8n.localhost": "127.0.0.1", "evil.localhost": "10.0.0.7"})
	for name, want := range map[string]outbox.Class{
		"good.example": outbox.ClassOK, "cloud.example": outbox.ClassAddress, "any.example": outbox.ClassAddress,
		"n8n.localhost": outbox.ClassOK, "evil.localhost": outbox.ClassAddress, "Evil.LOCALHOST": outbox.ClassAddress,
	} {
		raw := "http://" + name + ":" + u.Port() + "/hook"
		if _, err := CheckURL(raw, false); err != nil {
			t.Errorf("%s is refused while registering: %v", name, err)
		}
		res, _ := timedSend(t, s, request(raw, "", "{}"), 2*time.Second)
		if res.Class != want {
			t.Errorf("%s: class %s (%s), want %s", name, res.Class, res.Message, want)
		}
	}
}

func TestGuardByAddress(t *testing.T) {
	g := guard{plain: true}
	for addr, ok := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.0.0.7": true, "::ffff:127.0.0.1": true,
		"8.8.8.8": false, "169.254.1.1": false, "fe80::1%eth0": false, "::ffff:8.8.8.8": false,
	} {
		err := g.check(netip.MustParseAddr(addr))
		if (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
		if _, is := errors.AsType[*AddressError](err); err != nil && !is {
			t.Errorf("%s: error of type %T", addr, err)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"https://crm.example/x?y", "http://[::1]:1/", "http://127.1", "https://a:b@c/#d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := CheckURL(raw, true)
		if err != nil {
			return
		}
		if again, err := CheckURL(got, true); err != nil || again != got {
			t.Errorf("%q became %q, which became %q, %v", raw, got, again, err)
		}
	})
}
