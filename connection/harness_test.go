package connection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/connection/media"
	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/connection/wire"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/outboxtest"
	"waoutbox/store/device"
)

// limit bounds every wait of a test: long, because other programs may have the machine.
const limit = 3 * time.Minute

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func testLog() *slog.Logger {
	if os.Getenv("CONNECTION_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

// testTimings is the real pace with waits that suit a test.
func testTimings() timings {
	p := defaultTimings()
	fast := func() backoff.BackOff { return doubling(10*time.Millisecond, 100*time.Millisecond, 0) }
	p.reconnect, p.afterRefusal = fast, fast
	p.retryAppend = func() backoff.BackOff { return doubling(5*time.Millisecond, 20*time.Millisecond, 200*time.Millisecond) }
	p.mend, p.settings = fast, 50*time.Millisecond
	p.banned = 50 * time.Millisecond
	return p
}

// rig is a real Client on a real device store, against the simulator, with an outbox in memory.
type rig struct {
	t      *testing.T
	sim    *wasim.Server
	acc    *wasim.Account
	path   string
	engine *outboxtest.Fake
	dev    *device.Store
	files  *media.Files
	*Client
	stop func()
	down time.Time // Options.DownSince of the next build
	// Options.WasLinked of the next build
	wasLinked bool
	// Options.Route.Proxy of the next build
	proxy *wire.Proxy
}

func newSim(t *testing.T) *wasim.Server { return newSimWith(t, wasim.Options{}) }

func newSimWith(t *testing.T, o wasim.Options) *wasim.Server {
	t.Helper()
	sim, err := wasim.New(o)
	must(t, err)
	must(t, sim.Listen("127.0.0.1:0"))
	t.Cleanup(func() { must(t, sim.Close()) })
	return sim
}

// newRig makes the parts; run starts them.
func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, newSim(t))
}

func newRigOn(t *testing.T, sim *wasim.Server) *rig {
	t.Helper()
	r := &rig{t: t, sim: sim, acc: sim.NewAccount("491515550100", "Shop"), path: filepath.Join(t.TempDir(), "whatsapp.db"), engine: outboxtest.NewFake()}
	r.build(sim.URL(), sim.RootKey())
	return r
}

func (r *rig) build(url, rootKey string) {
	r.t.Helper()
	server, err := wire.CheckServer(url, rootKey)
	must(r.t, err)
	r.dev, err = device.Open(r.t.Context(), r.path, server.RootKeyHex(), testLog())
	must(r.t, err)
	spool, err := media.OpenSpool(filepath.Join(filepath.Dir(r.path), "spool"), media.Options{})
	must(r.t, err)
	r.Client, err = New(Options{Device: r.dev, Appender: r.engine, Sends: r.engine, Messages: finder{r}, Log: testLog(), Route: wire.Route{Server: server, Proxy: r.proxy}, Spool: spool, Version: "0.1.0", DownSince: r.down, WasLinked: r.wasLinked})
	must(r.t, err)
	r.timings = testTimings()
	r.files = media.NewFiles(media.Fetcher{Spool: spool, Servers: r.MediaServers()}, nil, testLog())
}

// run starts Run and ends it with the test, or when stop is called.
func (r *rig) run() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	client, dev := r.Client, r.dev
	go func() { ended <- client.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				r.t.Errorf("Run: %v", err)
			}
		case <-time.After(limit):
			r.t.Error("Run does not end")
		}
		must(r.t, dev.Close())
	})
	r.t.Cleanup(r.stop)
	select {
	case <-client.ready:
	case <-time.After(limit):
		r.t.Fatal("Run does not start")
	}
}

// restart stops the client and starts another on the same device store and outbox.
func (r *rig) restart() {
	r.t.Helper()
	r.stop()
	r.build(r.sim.URL(), r.sim.RootKey())
	r.run()
}

// pair links the account and returns the steps that were shown.
func (r *rig) pair() []api.PairStep {
	r.t.Helper()
	ctx := bounded(r.t)
	var steps []api.PairStep
	err := r.Pair(ctx, api.PairRequest{}, func(s api.PairStep) error {
		steps = append(steps, s)
		if s.Step == api.StepQR {
			return r.acc.ScanQR(ctx, s.QR)
		}
		return nil
	})
	must(r.t, err)
	must(r.t, r.acc.WaitOnline(ctx))
	r.waitState(api.LinkConnected)
	return steps
}

// linkedRig is a rig with an account linked and connected.
func linkedRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.run()
	r.pair()
	eventually(t, "catching up", func() bool { return slices.Contains(r.statuses(), "caught up") })
	return r
}

func (r *rig) waitState(want api.LinkState) api.Link {
	r.t.Helper()
	eventually(r.t, "link state "+string(want), func() bool { return r.Link().State == want })
	return r.Link()
}

// events returns what the outbox holds, in order.
func (r *rig) events() []outbox.Event {
	r.t.Helper()
	st, err := r.engine.Stats(context.Background())
	must(r.t, err)
	var out []outbox.Event
	for seq := outbox.Seq(1); seq <= st.Last; seq++ {
		ev, err := r.engine.Event(context.Background(), seq)
		if errors.Is(err, outbox.ErrNotFound) {
			continue
		}
		must(r.t, err)
		out = append(out, ev)
	}
	return out
}

func (r *rig) named(name string) []outbox.Event {
	r.t.Helper()
	return slices.DeleteFunc(r.events(), func(e outbox.Event) bool { return e.Name != name })
}

// texts are the texts of the stored received messages, in order.
func (r *rig) texts() []string {
	r.t.Helper()
	var out []string
	for _, ev := range r.named(translate.MessageReceived) {
		if text := messageIn(r.t, ev).Message.Conversation; text != "" {
			out = append(out, text)
		}
	}
	return out
}

func (r *rig) waitTexts(want ...string) {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("texts %q", want), func() bool { return len(r.texts()) >= len(want) })
	if got := r.texts(); !slices.Equal(got, want) {
		r.t.Errorf("texts stored are %q, want %q", got, want)
	}
}

// statuses are what the stored connection events say, in order: status and connection, with the
// code of a close.
func (r *rig) statuses() []string {
	r.t.Helper()
	var out []string
	for _, ev := range r.named(translate.ConnectionUpdate) {
		var b struct {
			Data struct {
				Status         string
				Connection     string
				IsNewLogin     bool
				Received       bool `json:"receivedPendingNotifications"`
				LastDisconnect struct {
					Error struct {
						Output struct{ StatusCode int }
					}
				}
			}
		}
		must(r.t, json.Unmarshal(ev.Body, &b))
		switch d := b.Data; {
		case d.LastDisconnect.Error.Output.StatusCode != 0:
			out = append(out, fmt.Sprintf("%s %d", d.Status, d.LastDisconnect.Error.Output.StatusCode))
		case d.IsNewLogin:
			out = append(out, "new login")
		case d.Status == "connected" && d.Connection == "":
			out = append(out, "caught up")
		default:
			out = append(out, d.Status)
		}
	}
	return out
}

func (r *rig) hasAlarm(code string) bool {
	return slices.ContainsFunc(r.Alarms(), func(a api.Alarm) bool { return a.Code == code })
}

// storedMessage is what tests read of a message body.
type storedMessage struct {
	Key struct {
		RemoteJID   string `json:"remoteJid"`
		FromMe      bool   `json:"fromMe"`
		ID          string `json:"id"`
		Participant string `json:"participant"`
	} `json:"key"`
	Message struct {
		Conversation        string `json:"conversation"`
		ExtendedTextMessage struct {
			Text        string `json:"text"`
			ContextInfo struct {
				StanzaID      string `json:"stanzaId"`
				Participant   string `json:"participant"`
				QuotedMessage struct {
					Conversation string `json:"conversation"`
				} `json:"quotedMessage"`
			} `json:"contextInfo"`
		} `json:"extendedTextMessage"`
	} `json:"message"`
	Status int `json:"status"`
}

func messageIn(t *testing.T, ev outbox.Event) storedMessage {
	t.Helper()
	var b struct {
		Data struct{ Messages []storedMessage }
	}
	must(t, json.Unmarshal(ev.Body, &b))
	if len(b.Data.Messages) == 0 {
		t.Fatalf("%s has no message: %s", ev.Name, ev.Body)
	}
	return b.Data.Messages[0]
}

// finder looks quoted messages up in the rig's outbox.
type finder struct{ r *rig }

func (f finder) FindMessage(ctx context.Context, chat, id string) ([]byte, bool) {
	ev, err := f.r.engine.FindMessage(ctx, chat, id)
	return ev.Body, err == nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls until ok, for at most limit.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("no %s within %v", what, limit)
		}
	}
}
