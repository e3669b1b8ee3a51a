package kept

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"waoutbox/connection/media"
	"waoutbox/connection/wasim"
	"waoutbox/outbox"
	"waoutbox/outbox/outboxtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errOffline = errors.New("not connected")

// rig is a store over a log in memory and the simulator's media servers.
type rig struct {
	t      *testing.T
	sim    *wasim.Server
	http   *http.Client
	log    *outboxtest.Fake
	spool  *media.Spool
	dir    string
	policy Policy
	room   func(int64) error
	*Store

	mu      sync.Mutex
	offline bool
	fetched int // calls
}

func newRig(t *testing.T, p Policy) *rig {
	t.Helper()
	sim, err := wasim.New(wasim.Options{})
	must(t, err)
	must(t, sim.Listen("127.0.0.1:0"))
	transport := &http.Transport{}
	r := &rig{t: t, sim: sim, http: &http.Client{Transport: transport}, log: outboxtest.NewFake(), dir: t.TempDir(), policy: p}
	r.spool, err = media.OpenSpool(filepath.Join(r.dir, "spool"), media.Options{Pause: func(int) time.Duration { return 0 }})
	must(t, err)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		must(t, sim.Close())
	})
	r.open()
	return r
}

// open opens the store as the next process does.
func (r *rig) open() {
	r.t.Helper()
	var err error
	r.Store, err = New(Options{
		Dir: filepath.Join(r.dir, "kept"), Policy: r.policy, Events: "message.received", Log: r.log, Fetch: r, Room: func(n int64) error {
			if r.room == nil {
				return nil
			}
			return r.room(n)
		},
		Unreachable: func(err error) bool { return errors.Is(err, errOffline) }, Logger: slog.New(slog.DiscardHandler),
	})
	must(r.t, err)
	r.waits = waits{elsewhere: 5 * time.Millisecond, offline: 5 * time.Millisecond, prune: 5 * time.Millisecond, retry: func(int) time.Duration { return time.Millisecond }}
}

// run runs the store until the test ends, or stop is called.
func (r *rig) run() (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := r.Store
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		must(r.t, <-ended)
	})
	r.t.Cleanup(stop)
	return stop
}

// began waits until a store that is on has begun to look at what comes.
func (r *rig) began() {
	r.t.Helper()
	r.until("a position in the log", func() bool {
		r.Store.mu.Lock()
		defer r.Store.mu.Unlock()
		return r.next > 0
	})
}

func (r *rig) FetchMedia(ctx context.Context, ref media.Ref, limit int64) (*media.File, error) {
	r.mu.Lock()
	offline := r.offline
	r.fetched++
	r.mu.Unlock()
	if offline {
		return nil, errOffline
	}
	return r.spool.Fetch(ctx, r, ref, limit)
}

func (r *rig) setOffline(v bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offline = v
}

func (r *rig) Hosts(context.Context, bool) ([]string, string, error) {
	return []string{"mmg.whatsapp.net"}, "", nil
}

func (r *rig) Again(context.Context, media.Ref) (string, error) { return "", media.ErrExpired }

func (r *rig) Do(req *http.Request) (*http.Response, error) {
	to, err := url.Parse(r.sim.ControlURL())
	if err != nil {
		return nil, err
	}
	req.URL.Scheme, req.URL.Host = "http", to.Host
	return r.http.Do(req)
}

// arrives appends the event of a message with a medium of the contact's.
func (r *rig) arrives(kind wasim.MediaKind, plain []byte) (*wasim.Medium, outbox.Seq) {
	r.t.Helper()
	m, err := r.sim.AddMedium(kind, plain)
	must(r.t, err)
	return m, r.tells(m)
}

// tells appends the event of a message with that medium.
func (r *rig) tells(m *wasim.Medium) outbox.Seq {
	r.t.Helper()
	d := m.Said()
	field := map[wasim.MediaKind]string{wasim.Image: "imageMessage", wasim.Document: "documentMessage", wasim.Video: "videoMessage"}[m.Kind()]
	body, err := json.Marshal(map[string]any{"data": map[string]any{"messages": []any{map[string]any{
		"key": map[string]any{"id": "3A", "remoteJid": "1@lid"},
		"message": map[string]any{field: map[string]any{
			"directPath": d.GetDirectPath(), "mediaKey": d.GetMediaKey(), "fileSha256": d.GetFileSHA256(),
			"fileEncSha256": d.GetFileEncSHA256(), "fileLength": jsonUint(d.GetFileLength()),
		}},
	}}}})
	must(r.t, err)
	return r.append(body)
}

func jsonUint(n uint64) string { b, _ := json.Marshal(n); return string(b) }

func (r *rig) append(body []byte) outbox.Seq {
	r.t.Helper()
	at := time.Now().Truncate(time.Millisecond)
	seqs, err := r.log.Append(context.Background(), outbox.Event{
		Key: "evt_" + at.String(), Random: true, Time: at, Name: "message.received", Chat: "1@lid", Body: body,
	})
	must(r.t, err)
	return seqs[0]
}

// onDisk are the names in the store's directory besides the journal.
func (r *rig) onDisk() []string {
	r.t.Helper()
	list, err := os.ReadDir(filepath.Join(r.dir, "kept"))
	must(r.t, err)
	var names []string
	for _, e := range list {
		if e.Name() != journalName {
			names = append(names, e.Name())
		}
	}
	return names
}

// settled waits until nothing is wanted and so many files are kept.
func (r *rig) settled(files int) {
	r.t.Helper()
	r.until("the files", func() bool { st := r.Status(); return st.Waiting == 0 && st.Files == files })
}

func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			r.t.Fatalf("no %s: %+v", what, r.Status())
		}
	}
}

func made(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7+i>>8) + byte(n)
	}
	return b
}

var all = map[media.Kind]int64{media.Image: 0, media.Document: 50_000, media.Video: 0}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
