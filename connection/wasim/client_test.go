package wasim

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/libsignal/logger"
	"go.uber.org/goleak"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"

	_ "modernc.org/sqlite"
)

// testRoot is the root key of every server in this test process: the client
// library trusts one key for the whole process.
var testRoot = keys.NewKeyPair()

type silent struct{}

func (silent) Debug(string, string)   {}
func (silent) Info(string, string)    {}
func (silent) Warning(string, string) {}
func (silent) Error(string, string)   {}
func (silent) Configure(string)       {}

func TestMain(m *testing.M) {
	whatsmeow.WACertPubKey = *testRoot.Pub
	var quiet logger.Loggable = silent{}
	logger.Setup(&quiet)
	code := m.Run()
	if code == 0 {
		// The library's read pump stays behind when a connection ends while it hands over a frame.
		leak := goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow/socket.(*FrameSocket).frameComplete")
		// It waits a minute for more history.
		history := goleak.IgnoreTopFunction("go.mau.fi/whatsmeow.(*Client).handleHistorySyncNotificationLoop")
		if err := goleak.Find(leak, history); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func testServer(t *testing.T) *Server {
	t.Helper()
	s, err := newServer(Options{}, testRoot)
	if err != nil {
		t.Fatal(err)
	}
	s.fewPreKeys = true
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close server: %v", err)
		}
	})
	return s
}

// testTimeout bounds every wait; nothing takes that long unless it hangs.
const testTimeout = 5 * time.Minute

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// redirect sends what the client wants from web.whatsapp.com to the simulator.
type redirect struct {
	to   *url.URL
	over http.RoundTripper
}

func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host = "http", r.to.Host
	return r.over.RoundTrip(req)
}

// client is a real whatsmeow client with its database, and the events it emitted.
type client struct {
	*whatsmeow.Client
	path      string
	container *sqlstore.Container

	mu      sync.Mutex
	events  []any
	more    notifier
	verdict func(any) bool // what the handler returns; nil means true
}

func (c *client) handle(evt any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.verdict != nil && !c.verdict(evt) {
		return false
	}
	c.events = append(c.events, evt)
	c.more.notify()
	return true
}

// dsn are the settings a client needs to lose nothing when its process dies.
// A product wants synchronous(FULL), for power failures; no test here has one.
func dsn(path string) string {
	return "file:" + path + "?_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"
}

// newClient opens the database at path, which decides whether it is linked.
func newClient(t *testing.T, s *Server, path string) *client {
	t.Helper()
	ctx := testContext(t)
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	c := &client{path: path, container: sqlstore.NewWithDB(db, "sqlite", waLog.Noop)}
	if err := c.container.Upgrade(ctx); err != nil {
		t.Fatal(err)
	}
	dev, err := c.container.GetFirstDevice(ctx)
	if err != nil {
		t.Fatal(err)
	}
	log := waLog.Noop
	if os.Getenv("WASIM_TEST_LOG") != "" {
		log = waLog.Stdout("client", "DEBUG", false)
	}
	c.Client = whatsmeow.NewClient(dev, log)
	c.EnableDecryptedEventBuffer, c.SynchronousAck = true, true
	to, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: nil}
	h := &http.Client{Transport: redirect{to: to, over: transport}}
	c.SetWebsocketHTTPClient(h)
	c.SetPreLoginHTTPClient(h)
	c.SetMediaHTTPClient(h)
	c.AddEventHandlerWithSuccessStatus(c.handle)
	t.Cleanup(func() {
		c.stop(t)
		transport.CloseIdleConnections()
	})
	return c
}

func (c *client) stop(t *testing.T) {
	t.Helper()
	c.Disconnect()
	if err := c.container.Close(); err != nil {
		t.Errorf("close client database: %v", err)
	}
}

// wait blocks until the client has emitted an event that ok accepts.
func (c *client) wait(t *testing.T, what string, ok func(any) bool) any {
	t.Helper()
	ctx := testContext(t)
	seen := 0
	for {
		c.mu.Lock()
		for ; seen < len(c.events); seen++ {
			if ok(c.events[seen]) {
				defer c.mu.Unlock()
				return c.events[seen]
			}
		}
		more := c.more.wait()
		c.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("no %s within the time limit", what)
		}
	}
}

// waitFor waits for the first event of a type.
func waitFor[T any](t *testing.T, c *client) T {
	t.Helper()
	var zero T
	got := c.wait(t, fmt.Sprintf("%T", zero), func(e any) bool { _, ok := e.(T); return ok })
	return got.(T)
}

// emitted returns the events of a type so far, and forgets none.
func emitted[T any](c *client) []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []T
	for _, e := range c.events {
		if v, ok := e.(T); ok {
			list = append(list, v)
		}
	}
	return list
}

// texts are the texts of the messages the client emitted, in order.
func (c *client) texts() []string {
	var list []string
	for _, m := range emitted[*events.Message](c) {
		if text := textOf(m.Message); text != "" {
			list = append(list, text)
		}
	}
	return list
}

func (c *client) waitText(t *testing.T, text string) *events.Message {
	t.Helper()
	got := c.wait(t, fmt.Sprintf("message %q", text), func(e any) bool {
		m, ok := e.(*events.Message)
		return ok && textOf(m.Message) == text
	})
	return got.(*events.Message)
}

// qr connects an unlinked client and returns its first QR text.
func (c *client) qr(t *testing.T) string {
	t.Helper()
	codes, err := c.GetQRChannel(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	select {
	case item := <-codes:
		if item.Event != whatsmeow.QRChannelEventCode || !strings.HasPrefix(item.Code, "https://wa.me/") {
			t.Fatalf("first QR item is %q %q", item.Event, item.Code)
		}
		return item.Code
	case <-testContext(t).Done():
		t.Fatal("no QR code within the time limit")
	}
	return ""
}

// linked is an account with a companion that is linked and online.
func linked(t *testing.T) (*Server, *Account, *client) {
	t.Helper()
	s := testServer(t)
	a := s.NewAccount("491515550100", "Shop")
	c := newClient(t, s, filepath.Join(t.TempDir(), "client.db"))
	link(t, a, c)
	return s, a, c
}

func link(t *testing.T, a *Account, c *client) {
	t.Helper()
	if err := a.ScanQR(testContext(t), c.qr(t)); err != nil {
		t.Fatal(err)
	}
	if err := a.WaitOnline(testContext(t)); err != nil {
		t.Fatal(err)
	}
	waitFor[*events.Connected](t, c)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receive takes one value from a channel within the time limit.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-testContext(t).Done():
		t.Fatalf("nothing came within the time limit")
	}
	panic("unreachable")
}
