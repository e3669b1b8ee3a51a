package hosts

import (
	"strings"
	"testing"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox/api"
)

// FuzzList: what is taken as a pattern is kept in a form that is taken again as it is, and allows
// no host beyond the one it names, or those below its domain.
func FuzzList(f *testing.F) {
	for _, seed := range []struct{ list, url string }{
		{"a.example, *.b.example 192.168.1.5:5678", "https://x.b.example/hook"}, {"*.example", "https://evil.example"}, {"[::1]:80,::1", "http://[::1]/"},
		{"BÜCHER.example", "https://xn--bcher-kva.example/"}, {"a.example.", "https://a.example./"}, {"a.example@evil.example", "https://a.example@evil.example/"},
		{"0x7f.1", "http://127.1/"}, {"*.*.b.example", "https://b.example"}, {"a.example:443", "https://a.example:444/"},
	} {
		f.Add(seed.list, seed.url)
	}
	f.Fuzz(func(t *testing.T, list, url string) {
		l, err := Parse(list)
		if err != nil {
			return
		}
		if again, err := Parse(l.String()); err != nil || again.String() != l.String() {
			t.Errorf("%q is %q, which is %q, %v", list, l, again, err)
		}
		normal, err := webhook.CheckURL(url, true)
		if err != nil {
			return
		}
		e, ok := New(api.PolicyAsk, l, nil).Allows(normal)
		if !ok || e.Loopback() {
			return
		}
		named := false
		for _, p := range l {
			domain, wild := strings.CutPrefix(p, "*")
			host := e.Host
			if strings.Contains(host, ":") {
				host = "[" + host + "]"
			}
			named = named || domain == host || domain == e.Host || domain == host+":"+e.Port ||
				wild && (strings.HasSuffix(e.Host, domain) || strings.HasSuffix(e.Host+":"+e.Port, domain))
		}
		if !named {
			t.Errorf("%q allows %q (%+v)", l, normal, e)
		}
	})
}
