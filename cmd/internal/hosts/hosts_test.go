package hosts

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNormalise(t *testing.T) {
	for typed, want := range map[string]string{
		" A.Example. ":          "a.example",
		"*.B.example":           "*.b.example",
		"192.168.1.5:5678":      "192.168.1.5:5678",
		"n8n:05678":             "n8n:5678",
		"müller.example":        "xn--mller-kva.example",
		"*.müller.example:8443": "*.xn--mller-kva.example:8443",
		"[::1]:80":              "[::1]:80",
		"fd00::5":               "fd00::5",
		"[fd00::5]":             "fd00::5",
		"::ffff:10.0.0.1":       "10.0.0.1",
		"A.example/":            "a.example",
		"a.example/Hooks/":      "a.example/Hooks",
		"a.example:8443/x y":    "a.example:8443/x%20y",
		"*.b.example/x/%7Ey":    "*.b.example/x/%7Ey",
		"[::1]:80/a//b":         "[::1]:80/a//b",
	} {
		if got, err := Normalise(typed); err != nil || got != want {
			t.Errorf("%q becomes %q, %v; want %q", typed, got, err, want)
		}
		if again, err := Normalise(want); err != nil || again != want {
			t.Errorf("%q becomes %q, %v, the second time", want, again, err)
		}
	}
	for _, typed := range []string{
		"", "*", "*.", "*.com", "*.10.0.0.1", "a.*.example", "**.example.org", "https://a.example", "a.example/x?y", "a.example/x#y", "a.example/../x", "a.example/x/%2e%2E", "a.example/..;v=1", "a.example/x%2fy", "a.example/x\\y", "a.example/%2525", "/x", "a.example:0", "a.example:70000",
		"a.example:http", "user@a.example", "a b", "127.1", "0x7f000001", "a..example",
	} {
		if got, err := Normalise(typed); err == nil || !strings.Contains(err.Error(), "*.b.example") {
			t.Errorf("%q becomes %q, %v", typed, got, err)
		}
	}
}

// Mutation of hosts.go: a name that only ends like an allowed domain is allowed.
// Mutation of hosts.go: a port that was not allowed is.
// Mutation of hosts.go: a path that begins with the same letters is the path that was allowed.
// Mutation of hosts.go: a path leads out of the one that was allowed.
// Mutation of hosts.go: one leads out of it where a server takes a dot of two bytes for a dot.
func TestWhoIsAllowed(t *testing.T) {
	list, err := Parse("b.example, *.d.example 192.168.1.5:5678,*.xn--mller-kva.example,[fd00::5]:9000,c.example:443,b.example,big.example/hooks/mine,*.wide.example:8443/in")
	if err != nil || len(list) != 8 {
		t.Fatal(list, err)
	}
	if again, err := Parse(list.String()); err != nil || !slices.Equal(again, list) {
		t.Errorf("%q is read as %q, %v", list, again, err)
	}
	for url, want := range map[string]bool{
		"https://b.example/":                      true,
		"https://b.example:8443/x":                true,
		"http://b.example/":                       true,
		"https://B.EXAMPLE./":                     true,
		"https://a.b.example/":                    false,
		"https://b.example.evil.test/":            false,
		"https://evilb.example/":                  false,
		"https://a.d.example/":                    true,
		"https://x.a.d.example/":                  true,
		"https://d.example/":                      false,
		"https://evild.example/":                  false,
		"http://192.168.1.5:5678/hook":            true,
		"http://192.168.1.5/hook":                 false,
		"http://[::ffff:192.168.1.5]:5678/":       true,
		"https://c.example/":                      true,
		"https://c.example:444/":                  false,
		"http://c.example/":                       false, // port 80
		"https://a.müller.example/":               true,
		"http://[fd00::5]:9000/":                  true,
		"http://127.0.0.1:1/":                     true,
		"http://localhost:5678/":                  true,
		"http://n8n.localhost:5678/":              true,
		"http://[::1]/":                           true,
		"http://localhost.evil.test/":             false,
		"http://127.0.0.1.evil.test/":             false,
		"http://n8n:5678/":                        false,
		"https://big.example/hooks/mine":          true,
		"https://big.example/hooks/mine?of=x":     true,
		"https://big.example:8443/hooks/mine/1/2": true,
		"https://big.example/hooks/mine/":         true,
		"https://big.example/hooks/mineral":       false,
		"https://big.example/hooks/Mine":          false,
		"https://big.example/hooks":               false,
		"https://big.example/":                    false,
		"https://big.example/x/hooks/mine":        false,
		"https://big.example/?x=/hooks/mine":      false,
		"https://a.big.example/hooks/mine":        false,
		"https://big.example/hooks/mine/../other": false,
		"https://big.example/hooks/mine/%2e%2e/o": false,
		"https://big.example/hooks/mine/..%2fo":   false,
		"https://big.example/hooks/mine/..%5co":   false,
		"https://big.example/hooks/mine/..;x/o":   false,
		"https://big.example/hooks/mine/%252e/o":  false,
		// as some servers read them: bytes that are no UTF-8, and what is not seen
		"https://big.example/hooks/mine/%c0%ae%c0%ae/o": false,
		"https://big.example/hooks/mine/..%c0%afo":      false,
		"https://big.example/hooks/mine/..%20/o":        false,
		"https://big.example/hooks/mine/.%09./o":        false,
		"https://big.example/hooks/mine/..%0d%0a/o":     false,
		"https://big.example/hooks/mine/a%20b/%C3%BC..": true,
		"https://a.wide.example:8443/in/x":              true,
		"https://a.wide.example/in/x":                   false,
		"https://wide.example:8443/in/x":                false,
		"https://b.example.evil.test/?b.example":        false,
		"https://evil.test/b.example":                   false,
		"https://b.example%2eevil.test/":                false,
		"https://evil.test:443/#b.example":              false,
		"https://evil.test\\@b.example/":                false,
		"https://b.example@evil.test/":                  false,
		"https://xn--80ak6aa92e.example/":               false,
		"https://a.d.example.:443/x?y=z":                true,
		"https://b。example/":                            true, // it is the same name
		"https://b.example:443@evil.test/":              false,
		"https://evil.test?@b.example/":                 false,
		"https://[::ffff:127.0.0.1]:9999/webhook":       true,
	} {
		normal, err := webhook.CheckURL(url, true)
		if err != nil {
			if want {
				t.Errorf("%s: %v", url, err)
			}
			continue
		}
		for mode, others := range map[string]bool{api.PolicyAsk: false, api.PolicyLocked: false, api.PolicyOpen: true} {
			at, ok := New(mode, list, nil).Allows(normal)
			if ok != (want || others) || at.Port == "" {
				t.Errorf("%s: %s (%s) is allowed: %t", mode, url, at, ok)
			}
		}
	}
}

func TestChange(t *testing.T) {
	stored := List{"a.example", "z.example"} // z.example was added by somebody else
	warning, fail := "", error(nil)
	p := New(api.PolicyAsk, List{"a.example"}, func(change func(List) List) (List, string, error) {
		if fail == nil {
			stored = change(stored)
		}
		return stored, warning, fail
	})
	step := func(pattern string, disallow, want bool, list, kept string) {
		t.Helper()
		changed, _, err := p.Change(pattern, disallow)
		if !errors.Is(err, fail) || changed != want || p.List().String() != list || stored.String() != kept {
			t.Errorf("%s, disallow %t: changed %t, %v, list %s, kept %s", pattern, disallow, changed, err, p.List(), stored)
		}
	}
	step("a.example", false, false, "a.example", "a.example,z.example")
	step("b.example", false, true, "a.example,b.example,z.example", "a.example,b.example,z.example")
	step("a.example", true, true, "b.example,z.example", "b.example,z.example")
	step("a.example", true, false, "b.example,z.example", "b.example,z.example")
	fail = errors.New("disk full")
	step("c.example", false, false, "b.example,z.example", "b.example,z.example")
	fail, warning = nil, "the environment wins" // then what is in force is not what is stored
	stored = nil
	step("c.example", false, true, "b.example,c.example,z.example", "c.example")
}
