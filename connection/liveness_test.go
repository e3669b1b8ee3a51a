package connection

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/liveness"
	"waoutbox/connection/translate"
	"waoutbox/outbox/api"
)

// relay passes connections on to a server, until it is told to swallow what they carry.
type relay struct {
	ln net.Listener
	to string

	mu    sync.Mutex
	conns []*relayed
}

type relayed struct {
	a, b net.Conn
	mu   sync.Mutex
	dead bool // bytes go nowhere, and nobody is told
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{ln: ln, to: to}
	var wg sync.WaitGroup
	wg.Go(func() { r.serve(&wg) })
	t.Cleanup(func() {
		ln.Close()
		r.mu.Lock()
		for _, c := range r.conns {
			c.a.Close()
			c.b.Close()
		}
		r.mu.Unlock()
		wg.Wait()
	})
	return r
}

func (r *relay) serve(wg *sync.WaitGroup) {
	for {
		a, err := r.ln.Accept()
		if err != nil {
			return
		}
		b, err := net.Dial("tcp", r.to)
		if err != nil {
			a.Close()
			continue
		}
		c := &relayed{a: a, b: b}
		r.mu.Lock()
		r.conns = append(r.conns, c)
		r.mu.Unlock()
		wg.Go(func() { c.pass(a, b) })
		wg.Go(func() { c.pass(b, a) })
	}
}

func (c *relayed) pass(from, to net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		c.mu.Lock()
		dead := c.dead
		c.mu.Unlock()
		if dead && err == nil {
			continue
		}
		if err != nil && !dead {
			to.Close()
		}
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			from.Close()
			return
		}
	}
}

// kill makes the connections that stand carry nothing any more, as after a sleep.
func (r *relay) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.mu.Lock()
		c.dead = true
		c.mu.Unlock()
	}
}

// relayedRig is a linked rig whose connections go through a relay.
func relayedRig(t *testing.T) (*rig, *relay) {
	t.Helper()
	r := linkedRig(t)
	r.stop()
	rel := newRelay(t, strings.TrimSuffix(strings.TrimPrefix(r.sim.URL(), "ws://"), "/ws/chat"))
	r.build("ws://"+rel.ln.Addr().String()+"/ws/chat", r.sim.RootKey())
	r.timings.ping = 200 * time.Millisecond
	before := len(r.statuses())
	r.run()
	eventually(t, "catching up", func() bool { return slices.Contains(r.statuses()[before:], "caught up") })
	r.waitState(api.LinkConnected)
	return r, rel
}

// A connection that is dead without a word is made again as soon as it is in doubt, and the gap
// begins when it was last not in doubt. Before: it was noticed after 3.5 minutes.
func TestADeadConnectionIsMadeAgain(t *testing.T) {
	r, rel := relayedRig(t)
	before := len(r.statuses())
	rel.kill()
	slept := time.Now().Add(-time.Hour).Round(0)
	r.doubt(liveness.Suspicion{Reason: "this machine was asleep", Since: slept})
	eventually(t, "the next log-in", func() bool { return slices.Contains(r.statuses()[before:], "connected") })
	eventually(t, "catching up", func() bool { return slices.Contains(r.statuses()[before:], "caught up") })
	want := []string{"disconnected 428", "connecting", "connected", "caught up"}
	if got := r.statuses()[before:]; !slices.Equal(got, want) {
		t.Errorf("connection events %q, want %q", got, want)
	}
	if gaps := r.gaps(); len(gaps) == 0 || gaps[len(gaps)-1].From != slept.UnixMilli() {
		t.Errorf("gaps %+v, want one from %d", gaps, slept.UnixMilli())
	}
	r.stillReceives("after the sleep")
}

// A doubt about a living connection costs one question.
func TestALivingConnectionStays(t *testing.T) {
	r, _ := relayedRig(t)
	before := len(r.statuses())
	r.doubt(liveness.Suspicion{Reason: "the network changed", Since: time.Now()})
	r.stillReceives("all the same")
	if got := r.statuses()[before:]; slices.Contains(got, "disconnected 428") {
		t.Errorf("connection events %q", got)
	}
}

// The first keepalive without an answer is the last, and that is within 30 s.
func TestAnUnansweredKeepAliveEndsTheConnection(t *testing.T) {
	r, rel := relayedRig(t)
	if d := whatsmeow.KeepAliveIntervalMax + whatsmeow.KeepAliveResponseDeadline; d > 30*time.Second {
		t.Errorf("a dead connection is noticed after %v", d)
	}
	before := len(r.statuses())
	rel.kill()
	r.source.Load().push(&events.KeepAliveTimeout{ErrorCount: 1, LastSuccess: time.Now().Add(-time.Minute)})
	eventually(t, "the next log-in", func() bool { return slices.Contains(r.statuses()[before:], "connected") })
}

// What waits for the next attempt does not wait on when the network is another one.
func TestADoubtEndsTheWaitForTheNextAttempt(t *testing.T) {
	r := linkedRig(t)
	r.stop()
	r.build(r.sim.URL(), r.sim.RootKey())
	r.timings.reconnect = func() backoff.BackOff { return backoff.NewConstantBackOff(time.Hour) }
	r.acc.Refuse(500)
	r.run()
	eventually(t, "the first refusal", func() bool { return slices.Contains(r.statuses(), "disconnected 428") && r.Link().Reason != "" })
	r.acc.Refuse(0)
	if reason := r.Link().Reason; !strings.Contains(reason, "(500)") {
		t.Errorf("the reason is %q", reason)
	}
	eventually(t, "the next attempt", func() bool {
		if r.Link().State != api.LinkConnected && len(r.doubts) == 0 {
			r.doubt(liveness.Suspicion{Reason: "the network changed", Since: time.Now()})
		}
		return r.Link().State == api.LinkConnected
	})
}

// After a refused login the next attempt is told. Before: "disconnected 418" was followed by
// "connected", or by the next "disconnected 418".
func TestEachAttemptAfterARefusalIsTold(t *testing.T) {
	r := linkedRig(t)
	before := len(r.statuses())
	r.acc.Refuse(418)
	r.acc.Drop()
	eventually(t, "two refusals", func() bool {
		return strings.Count(strings.Join(r.statuses()[before:], " "), "disconnected 418") >= 2
	})
	r.acc.Refuse(0)
	r.waitState(api.LinkConnected)
	got := r.statuses()[before:]
	for i, s := range got {
		if strings.HasPrefix(s, "disconnected") && (i+1 == len(got) || got[i+1] != "connecting") {
			t.Errorf("connection events %q: no attempt after number %d", got, i)
		}
	}
}

// gap is one that connection.update tells of.
type gap struct{ From, To, CaughtUp int64 }

// gaps are those that were stored, in order.
func (r *rig) gaps() []gap {
	r.t.Helper()
	var out []gap
	for _, ev := range r.named(translate.ConnectionUpdate) {
		var b struct{ Data struct{ Gap *gap } }
		must(r.t, json.Unmarshal(ev.Body, &b))
		if b.Data.Gap != nil {
			out = append(out, *b.Data.Gap)
		}
	}
	return out
}
