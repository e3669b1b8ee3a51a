package webhook

import (
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
)

// hostileTargets reads testdata/hostile.txt: "url URL", and "dns ADDRESS…" for what a name resolves
// to.
func hostileTargets(t *testing.T) (urls []string, answers [][]string) {
	t.Helper()
	b, err := os.ReadFile("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		switch kind, rest, _ := strings.Cut(line, " "); kind {
		case "url":
			urls = append(urls, rest)
		case "dns":
			answers = append(answers, strings.Fields(rest))
		case "#":
		default:
			t.Errorf("what is %q?", line)
		}
	}
	return urls, answers
}

// No URL of a long list of hostile ones can be registered, even where plain http is allowed, nor is
// one called that a file holds: the guard is asked, and nothing leaves this machine. Metadata
// services of four clouds, NAT64 of other lengths than 96 and ISATAP passed.
//
// Mutation of address.go: an address of ISATAP leads to one that is refused.
func TestHostileURLsAreRefused(t *testing.T) {
	urls, _ := hostileTargets(t)
	if len(urls) < 200 {
		t.Errorf("only %d URLs", len(urls))
	}
	for _, raw := range urls {
		if got, err := CheckURL(raw, true); err == nil {
			t.Errorf("%s can be registered, as %s", raw, got)
		}
	}
}

// Whatever a name resolves to, when it is registered or later, hostile addresses are never dialled.
//
// Mutation of address.go: the metadata service of a cloud in the range of private networks is
// called.
func TestHostileAnswersAreRefused(t *testing.T) {
	_, answers := hostileTargets(t)
	good := map[string]bool{"93.184.216.34": true, "10.0.0.1": true}
	u, err := url.Parse("https://name.example/")
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range answers {
		var addrs []netip.Addr
		refused := 0
		for _, text := range answer {
			a := netip.MustParseAddr(text)
			addrs = append(addrs, a)
			err := guard{}.checkPort(netip.AddrPortFrom(a, 443))
			if err != nil {
				refused++
			}
			if (err == nil) != good[text] {
				t.Errorf("%s: %v", text, err)
			}
		}
		warning, err := judge(u, addrs, guard{})
		if refused == len(addrs) && err == nil || refused > 0 && refused < len(addrs) && warning == "" {
			t.Errorf("%v: registering says %q, %v", answer, warning, err)
		}
	}
}

// Every range that is refused says who says so, and covers itself.
func TestRefusalsHaveSources(t *testing.T) {
	for _, r := range refusals {
		if r.source == "" || r.why == "" || r.prefix != r.prefix.Masked() {
			t.Errorf("%v: %q, source %q", r.prefix, r.why, r.source)
		}
		if _, err := checkAddr(r.prefix.Addr()); err == nil {
			t.Errorf("%v is not refused", r.prefix)
		}
	}
	for _, text := range []string{"10.1.2.3", "192.168.1.5", "172.20.0.1", "100.64.0.1", "127.0.0.1", "::1", "fd12:3456:789a::1", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "2002:101:101::1"} {
		if _, err := checkAddr(netip.MustParseAddr(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
