package leases

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waoutbox/outbox/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The same arguments are one subscription however they are written, and different ones are two.
func TestCanonical(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		``: `{}`, `null`: `{}`, ` { } `: `{}`, `{"b":[1,2.50],"a":{"d":null,"c":"<&>é\u00e9"}}`: `{"a":{"c":"<&>éé","d":null},"b":[1,2.50]}`,
		`{"chats":["2","1"]}`: `{"chats":["2","1"]}`, `{"n":12345678901234567890}`: `{"n":12345678901234567890}`,
	} {
		if got, err := Canonical(json.RawMessage(given)); err != nil || string(got) != want {
			t.Errorf("%q is %s, %v; want %s", given, got, err, want)
		}
	}
	for _, bad := range []string{`[]`, `7`, `{`, `{} {}`, `"x"`, `{"a":}`} {
		if got, err := Canonical(json.RawMessage(bad)); api.CodeOf(err) != api.CodeInvalidArguments {
			t.Errorf("%q is %s, %v", bad, got, err)
		}
	}
}

// Each of the four makes another id, and none can be moved into its neighbour.
func TestIDs(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, of := range [][4]string{
		{"local", "https://a.example/x", "message.received", "{}"}, {"http-token", "https://a.example/x", "message.received", "{}"},
		{"local", "https://a.example/x?y", "message.received", "{}"}, {"local", "https://a.example/x", "message.sent", "{}"},
		{"local", "https://a.example/x", "message.received", `{"chats":["1"]}`}, {"localh", "ttps://a.example/x", "message.received", "{}"},
		{"local", "https://a.example/xm", "essage.received", "{}"},
	} {
		id := ID(of[0], of[1], of[2], json.RawMessage(of[3]))
		if other, twice := seen[id]; twice || !strings.HasPrefix(id, "sub_") || len(id) != 36 {
			t.Errorf("%q is %s, as is %s", of, id, other)
		}
		seen[id] = strings.Join(of[:], " ")
		if id != ID(of[0], of[1], of[2], json.RawMessage(of[3])) {
			t.Errorf("%q has two ids", of)
		}
	}
}

// Mutation of leases.go: a short secret will do.
func TestSecrets(t *testing.T) {
	t.Parallel()
	key := func(n int) string { return strings.Repeat("\xfb", n) }
	for _, n := range []int{24, 25, 32, 64} {
		want := "whsec_" + base64.StdEncoding.EncodeToString([]byte(key(n)))
		for _, given := range []string{want, strings.TrimRight(want, "=")} {
			if got, err := Secret(given); err != nil || got != want {
				t.Errorf("%d bytes: %q becomes %q, %v", n, given, got, err)
			}
		}
	}
	for bad, says := range map[string]string{
		"": "begin with whsec_", "whsec_": "0 bytes", "c2VjcmV0": "begin with whsec_", "whsec_" + base64.StdEncoding.EncodeToString([]byte(key(23))): "23 bytes",
		"whsec_" + base64.StdEncoding.EncodeToString([]byte(key(65))): "65 bytes", "whsec_" + base64.URLEncoding.EncodeToString([]byte(key(24))): "no base64",
		"whsec_" + base64.StdEncoding.EncodeToString([]byte(key(24))) + "\n": "no base64", "WHSEC_" + base64.StdEncoding.EncodeToString([]byte(key(24))): "begin with",
	} {
		_, err := Secret(bad)
		if api.CodeOf(err) != api.CodeInvalidSecret || !strings.Contains(err.Error(), says) || len(bad) > 8 && strings.Contains(err.Error(), bad[7:]) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Mutation of leases.go: a client takes a year.
func TestEnds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	ms := func(d time.Duration) *int64 { return new(d.Milliseconds()) }
	for _, c := range []struct {
		suggested         *int64
		noExpiry, endless bool
		want              time.Duration
	}{
		{nil, false, false, time.Hour},
		{ms(20 * time.Minute), false, true, 20 * time.Minute},
		{ms(0), false, false, 5 * time.Minute},
		{new(int64(-1 << 62)), false, false, 5 * time.Minute},
		{new(int64(1 << 62)), false, true, 24 * time.Hour},
		{nil, true, false, 24 * time.Hour},
	} {
		if got, want := Ends(now, c.suggested, c.noExpiry, c.endless), now.Add(c.want).Truncate(time.Millisecond); !got.Equal(want) {
			t.Errorf("%+v ends %s, want %s", c, got, want)
		}
	}
	if got := Ends(now, nil, true, true); !got.IsZero() {
		t.Errorf("no expiry ends %s", got)
	}
}

// Five a minute of one host, thirty of all; each counts for its own minute.
//
// Mutation of pace.go: endpoints of one host are asked without end.
func TestPace(t *testing.T) {
	t.Parallel()
	var p Pace
	now := time.Unix(1_000_000, 0)
	for i := range HostChallenges {
		if _, ok := p.Take("a.example", now.Add(time.Duration(i)*10*time.Second)); !ok {
			t.Fatalf("challenge %d was refused", i)
		}
	}
	at := now.Add(50 * time.Second)
	if wait, ok := p.Take("a.example", at); ok || wait != 10*time.Second {
		t.Errorf("the sixth: %v, wait %s", ok, wait)
	}
	if _, ok := p.Take("b.example", at); !ok {
		t.Error("another host was refused")
	}
	if _, ok := p.Take("a.example", now.Add(time.Minute)); !ok {
		t.Error("a minute after the first one was refused")
	}
	if _, ok := p.Take("a.example", now.Add(time.Minute)); ok {
		t.Error("the minute begins anew with the first of it")
	}
	var all Pace
	for i := range allChallenges {
		if _, ok := all.Take(strings.Repeat("x", i+1), now); !ok {
			t.Fatalf("host %d was refused", i)
		}
	}
	if wait, ok := all.Take("one more", now.Add(time.Second)); ok || wait != 59*time.Second {
		t.Errorf("host %d: %v, wait %s", allChallenges+1, ok, wait)
	}
	if len(all.asked) != allChallenges {
		t.Errorf("%d are kept", len(all.asked))
	}
}

// A request that is stopped is one of that subscription, which is there.
func TestFlights(t *testing.T) {
	t.Parallel()
	var all Flights
	if all.Stop("a") {
		t.Error("a request was stopped that is none")
	}
	a, b, again := all.Begin("a"), all.Begin("b"), all.Begin("a")
	again.End()
	if !all.Stop("a") || !a.Stopped() || b.Stopped() || again.Stopped() {
		t.Errorf("a %v, b %v, a request that had ended %v", a.Stopped(), b.Stopped(), again.Stopped())
	}
	a.End()
	b.End()
	if all.Stop("a") || len(all.open) > 0 {
		t.Errorf("%d are kept", len(all.open))
	}
}
