package dispatcher

import (
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
)

func TestLaneBytesRoundTrip(t *testing.T) {
	at := time.Unix(1_700_000_000, 5)
	for _, l := range []laneBytes{
		{},
		{deaths: 7},
		{gate: Gate{Kind: GatePaused, Since: at, Reason: "410 Gone"}},
		{gate: Gate{Kind: GateRetryAfter, Since: at, Until: at.Add(time.Minute), Wait: time.Minute, Reason: "asked"}, deaths: 19},
		{deaths: 21, failingSince: at, lastError: "connection refused"},
		{gate: Gate{Kind: GatePaused, Since: at, Reason: "holiday"}, deaths: 20, failingSince: at, lastError: "503"},
		{gate: Gate{Kind: GatePaused, Since: at, Reason: "holiday"}, deaths: 20, lastError: "503", down: at, failed: true, redrive: span{at, at.Add(9)}},
	} {
		got, err := decodeLane(l.encode())
		if err != nil || got != l {
			t.Errorf("got %+v, %v; want %+v", got, err, l)
		}
	}
	held := laneBytes{gate: Gate{Kind: GateHeld, Until: at, Reason: "ours"}, deaths: 3}
	if got, err := decodeLane(held.encode()); err != nil || got != (laneBytes{deaths: 3}) {
		t.Errorf("a hold survived: %+v, %v", got, err)
	}
}

// TestLaneBytesOfVersion1: what the program before this one stored.
func TestLaneBytesOfVersion1(t *testing.T) {
	b := "\x01\x03" + strings.Repeat("\x00", 16) + "\x05" + strings.Repeat("\x00", 7) + "\x16\x00\x00\x00" + "410 Gone"
	want := laneBytes{gate: Gate{Kind: GatePaused, Since: time.Unix(0, 5), Reason: "410 Gone"}, deaths: 22}
	if got, err := decodeLane([]byte(b)); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

// TestLaneBytesOfVersion2: what the program before this one stored.
func TestLaneBytesOfVersion2(t *testing.T) {
	b := "\x02\x03" + strings.Repeat("\x00", 16) + "\x05" + strings.Repeat("\x00", 7) + "\x16\x00\x00\x00" + "\x07" + strings.Repeat("\x00", 7) + "\x04\x00gone503"
	want := laneBytes{gate: Gate{Kind: GatePaused, Since: time.Unix(0, 5), Reason: "gone"}, deaths: 22, failingSince: time.Unix(0, 7), lastError: "503"}
	if got, err := decodeLane([]byte(b)); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestLaneBytesThatCannotBeRead(t *testing.T) {
	for _, b := range []string{"\x00", "\x03", "\x01\x00", "\x02\x00", "\x01\x09" + strings.Repeat("\x00", 40), "\x02\x00" + strings.Repeat("\x00", 30), "\x03\x00" + strings.Repeat("\x00", 50), "\x04" + strings.Repeat("\x00", 80), "\x02\x00" + strings.Repeat("\x00", 36) + "\x05\x00four"} {
		if _, err := decodeLane([]byte(b)); err == nil {
			t.Errorf("%q was accepted", b)
		}
		if _, err := DecodeLaneState([]byte(b), outbox.Webhook{}); err == nil {
			t.Errorf("%q gave a state", b)
		}
	}
}

func TestGatePrecedence(t *testing.T) {
	now := time.Now()
	held := func(d time.Duration) Gate { return Gate{Kind: GateHeld, Until: now.Add(d)} }
	asked := func(d time.Duration) Gate { return Gate{Kind: GateRetryAfter, Until: now.Add(d)} }
	paused := Gate{Kind: GatePaused}
	for name, c := range map[string]struct{ have, add, want Gate }{
		"open":                      {Gate{}, held(1), held(1)},
		"never shortened":           {asked(9), asked(5), asked(9)},
		"never shortened by a hold": {asked(9), held(5), asked(9)},
		"extended":                  {held(5), asked(9), asked(9)},
		"an expired one is open":    {asked(-9), held(-1), held(-1)},
		"a pause wins":              {asked(9), paused, paused},
		"a pause stays":             {paused, asked(9), paused},
	} {
		if got := c.have.close(c.add, now); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestAStoredWaitIsBoundedByItself(t *testing.T) {
	now := time.Now()
	g := Gate{Kind: GateRetryAfter, Until: now.Add(10 * time.Hour), Wait: time.Minute}.onLoad(now)
	if got := g.Until.Sub(now); got != time.Minute {
		t.Errorf("waits %v after the clock was set back, want 1 m", got)
	}
	g = Gate{Kind: GateRetryAfter, Until: now.Add(-time.Hour), Wait: time.Minute}.onLoad(now)
	if !g.open(now) {
		t.Error("a wait that is over holds the lane")
	}
}
