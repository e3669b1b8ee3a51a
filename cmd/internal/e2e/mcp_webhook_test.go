package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"waoutbox/outbox/api"
)

const (
	firstKey  = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"
	secondKey = "whsec_eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
)

// posted is one request to a client's receiver, without the signature, which was checked.
type posted struct {
	Type, EventID, Name, Cursor string
	Data                        struct{ Preview, MessageID, Chat string }
	Error                       struct{ Code int }
	id, subscription            string
	headers, raw                string
	keys                        []string // that verify it
}

// clientReceiver is the receiver of an MCP client: it agrees to what its secrets have signed. It
// uses nothing of this project.
type clientReceiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int // of occurrences; 0 is 204
	all    []posted
	signs  []string // secrets that it knows
}

func newClientReceiver(t *testing.T) *clientReceiver {
	t.Helper()
	c := &clientReceiver{signs: []string{firstKey}}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *clientReceiver) serve(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var p posted
	if err := json.Unmarshal(raw, &p); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	p.raw, p.id, p.subscription = string(raw), r.Header.Get("webhook-id"), r.Header.Get("X-MCP-Subscription-Id")
	for name := range r.Header {
		p.headers += strings.ToLower(name) + " "
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range c.signs {
		if hook, err := standardwebhooks.NewWebhook(key); err == nil && hook.Verify(raw, r.Header) == nil {
			p.keys = append(p.keys, key)
		}
	}
	if len(p.keys) == 0 || p.subscription == "" {
		http.Error(w, "not signed", http.StatusUnauthorized)
		return
	}
	c.all = append(c.all, p)
	switch {
	case p.Type == "verification":
		var said struct{ Challenge string }
		_ = json.Unmarshal(raw, &said)
		_ = json.NewEncoder(w).Encode(map[string]string{"challenge": said.Challenge})
	case c.status != 0:
		w.WriteHeader(c.status)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (c *clientReceiver) set(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

// got returns what came of a type, "" for occurrences.
func (c *clientReceiver) got(kind string) (out []posted) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.all {
		if p.Type == kind {
			out = append(out, p)
		}
	}
	return out
}

// previews are the texts, or ids where there are none, that came, each once, in the order in which
// they came first.
func (c *clientReceiver) ids() (out []string) {
	for _, p := range c.got("") {
		if !slices.Contains(out, p.EventID) {
			out = append(out, p.EventID)
		}
	}
	return out
}

func (s *subscriber) ask(id int, method, params string) (m eventMessage) {
	s.r.t.Helper()
	s.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params))
	return s.next()
}

type subscribedResult struct {
	Result struct {
		ID             string
		RefreshBefore  *time.Time
		Cursor         string
		Truncated      bool
		DeliveryStatus *struct {
			Active    bool
			LastError *string
		}
	}
}

func (s *subscriber) subscribe(params string) (out subscribedResult) {
	s.r.t.Helper()
	m := s.ask(9, "events/subscribe", params)
	if m.Error != nil {
		s.r.t.Fatalf("events/subscribe %s: %s", params, m.raw)
	}
	if strings.Contains(m.raw, "whsec_") || strings.Contains(m.raw, `"_meta"`) {
		s.r.t.Errorf("events/subscribe: %s", m.raw)
	}
	if err := json.Unmarshal([]byte(m.raw), &out); err != nil {
		s.r.t.Fatal(err)
	}
	return out
}

// An MCP client over stdio has events sent to a receiver of its own, once the user has allowed that
// on the command line: the endpoint is asked, gets signed occurrences and nothing of the stored
// body, in order, over a kill of the service, an outage and another secret; is told when its user
// ends it; and all of it is on record.
//
// Mutation of cmd/waoutbox/subscriptions.go: the text of a stranger leaves the machine.
func TestSubscribedWebhook(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newClientReceiver(t)
	r.mustRun("config", "set", "mcp-webhook-loopback-http", "true")
	r.serve()
	r.pair()
	ctx := r.within(150 * time.Second)
	bob := r.phone.NewContact("Bob", "491515550111")
	sent := 0
	write := func(n int) {
		t.Helper()
		for range n {
			sent++
			if _, err := bob.SendText(ctx, fmt.Sprint("message ", sent)); err != nil {
				t.Fatal(err)
			}
		}
	}
	came := func(what string, n int) {
		t.Helper()
		r.until(what, func() bool { return len(c.ids()) == n })
	}
	s := r.subscriber()
	url := c.URL + "/hook?of=1"
	params := func(key, more string) string {
		return fmt.Sprintf(`{"name":"message.received","arguments":{"kinds":["direct"]},%s"delivery":{"mode":"webhook","url":%q,"secret":%q}}`, more, url, key)
	}
	if m := s.ask(1, "events/list", `{}`); strings.Contains(m.raw, `"webhook"`) {
		t.Errorf("before the user allowed anything: %s", m.raw)
	}
	host := c.Listener.Addr().(*net.TCPAddr).String()
	if m := s.ask(2, "events/subscribe", params(firstKey, "")); m.Error == nil || m.Error.Code != -32012 || !strings.Contains(m.Error.Message, "webhook allow "+host) {
		t.Errorf("before the user allowed anything: %s", m.raw)
	}
	if n := len(c.got("verification")); n != 0 {
		t.Errorf("the receiver was asked %d times", n)
	}
	r.mustRun("webhook", "allow", host+"/hook")
	if m := s.ask(3, "events/list", `{}`); strings.Count(m.raw, `"delivery":["poll","push","webhook"]`) != 5 {
		t.Errorf("allowed: %s", m.raw)
	}
	if m := s.ask(4, "events/subscribe", strings.Replace(params(firstKey, ""), "/hook", "/other", 1)); m.Error == nil || m.Error.Code != -32012 {
		t.Errorf("another path: %s", m.raw)
	}

	// the whole way, once
	poll := func(cursor string) eventMessage {
		t.Helper()
		return s.ask(5, "events/poll", fmt.Sprintf(`{"name":"message.received","cursor":%s}`, cursor))
	}
	cursor := fmt.Sprintf("%q", poll("null").Result.Cursor)
	write(2) // before the subscription
	r.until("they can be polled", func() bool { return len(poll(cursor).Result.Events) == 2 })
	cursor = fmt.Sprintf("%q", poll(cursor).Result.Cursor)
	first := s.subscribe(params(firstKey, `"cursor":null,`))
	if first.Result.Truncated || first.Result.RefreshBefore == nil || time.Until(*first.Result.RefreshBefore) < 50*time.Minute {
		t.Errorf("subscribed: %+v", first.Result)
	}
	asked := c.got("verification")
	if len(asked) != 1 || asked[0].subscription != first.Result.ID || !strings.HasPrefix(asked[0].id, "msg_verification_") {
		t.Errorf("the receiver was asked %+v", asked)
	}
	write(10)
	came("the messages", 10)
	for _, p := range c.got("") {
		if p.id != p.EventID || p.subscription != first.Result.ID || p.Name != "message.received" || p.Cursor == "" || p.Data.Preview != "" || p.Data.Chat == "" ||
			strings.Contains(p.raw, "messageSecret") || strings.Contains(p.raw, "conversation") || strings.Contains(p.raw, "message 1") {
			t.Errorf("an occurrence: %s, headers %s", p.raw, p.headers)
		}
		if strings.Contains(p.headers, "x-webhook") || strings.Contains(p.headers, "idempotency") {
			t.Errorf("headers %s", p.headers)
		}
	}
	polled := poll(cursor)
	var want []string
	for _, e := range polled.Result.Events {
		want = append(want, e.EventID)
	}
	if got := c.ids(); !slices.Equal(got, want) {
		t.Errorf("the receiver got\n%q\na poll\n%q", got, want)
	}

	// an outage, a kill, another secret
	c.set(http.StatusServiceUnavailable)
	write(3)
	r.until("the receiver refuses", func() bool { return len(c.got("")) > 10 })
	r.kill()
	write(2) // WhatsApp has them
	c.mu.Lock()
	c.signs = append(c.signs, secondKey)
	c.mu.Unlock()
	r.serve()
	second := s.subscribe(params(secondKey, fmt.Sprintf(`"cursor":%q,"ttlMs":60000,`, first.Result.Cursor)))
	if second.Result.ID != first.Result.ID || second.Result.Truncated || second.Result.DeliveryStatus == nil || len(c.got("verification")) != 1 {
		t.Errorf("renewed: %+v, %+v, asked %d times", second.Result, second.Result.DeliveryStatus, len(c.got("verification")))
	}
	if left := time.Until(*second.Result.RefreshBefore); left < 4*time.Minute || left > 5*time.Minute {
		t.Errorf("a minute is granted as %s", left)
	}
	c.set(0)
	came("the messages of the outage", 15)
	last := c.got("")[len(c.got(""))-1]
	if len(last.keys) != 2 {
		t.Errorf("after another secret, %d keys verify", len(last.keys))
	}

	// people see it, and their commands know what it is
	var shown api.Webhook
	for _, w := range lines[api.Webhook](r, "webhook", "list") {
		if w.Lease != nil {
			shown = w
		}
	}
	if shown.Lease == nil || shown.Lease.Principal != "local" || shown.Lease.Client != "subscriber" || shown.Lease.Subscription != first.Result.ID || shown.URL != url {
		t.Fatalf("webhook list: %+v", shown)
	}
	for command, want := range map[string]string{
		"webhook list": "was subscribed by subscriber (local), until ", "status": "was subscribed by subscriber (local), until ", "webhook show " + shown.ID: "an MCP client: subscriber (local)",
	} {
		if out := r.mustRun(strings.Fields(command)...); !strings.Contains(out, want) || strings.Contains(out, "whsec_") {
			t.Errorf("%s: %s", command, out)
		}
	}
	for _, command := range []string{"webhook test", "webhook rotate-secret", "webhook add"} {
		if res := r.run(append(strings.Fields(command), shown.ID)...); res.code == 0 || !strings.Contains(res.stderr, "MCP client") {
			t.Errorf("%s: %d, %s", command, res.code, res.stderr)
		}
	}

	// its client ends it, and begins again behind what it had
	if m := s.ask(7, "events/unsubscribe", fmt.Sprintf(`{"name":"message.received","arguments":{"kinds":["direct"]},"delivery":{"mode":"webhook","url":%q}}`, url)); m.Error != nil {
		t.Errorf("unsubscribe: %s", m.raw)
	}
	if m := s.ask(8, "events/unsubscribe", fmt.Sprintf(`{"name":"message.received","arguments":{"kinds":["direct"]},"delivery":{"url":%q}}`, url)); m.Error == nil || m.Error.Code != -32011 {
		t.Errorf("unsubscribe again: %s", m.raw)
	}
	write(2)
	third := s.subscribe(params(secondKey, fmt.Sprintf(`"cursor":%q,`, last.Cursor)))
	if third.Result.ID != first.Result.ID || third.Result.Truncated || third.Result.Cursor != last.Cursor {
		t.Errorf("another life: %+v", third.Result)
	}
	came("the messages of between two lives", 17)

	// the user ends it: the receiver is told
	for _, w := range lines[api.Webhook](r, "webhook", "list") {
		if w.Lease != nil {
			r.mustRun("webhook", "remove", w.ID, "--yes")
		}
	}
	if ended := c.got("terminated"); len(ended) != 1 || ended[0].Error.Code != -32012 || ended[0].subscription != first.Result.ID {
		t.Errorf("the receiver was told %+v", ended)
	}
	r.mustRun("webhook", "disallow", host+"/hook")
	if m := s.ask(10, "events/subscribe", params(secondKey, "")); m.Error == nil || m.Error.Code != -32012 {
		t.Errorf("disallowed: %s", m.raw)
	}
	var trail []string
	for _, a := range lines[api.AuditRecord](r, "audit") {
		if strings.HasPrefix(a.Operation, "events.") || a.Operation == "webhook.remove" {
			trail = append(trail, strings.TrimSpace(a.Caller+" "+a.Client+" "+a.Principal+" "+a.Operation+" "+a.Result+" "+a.Outcome+" "+a.Code))
		}
	}
	if want := []string{
		"mcp subscriber local events.subscribe  refused webhook_host_not_allowed", "mcp subscriber local events.subscribe  refused webhook_host_not_allowed",
		"mcp subscriber local events.subscribe message.received done", "mcp subscriber local events.refresh another secret done",
		"mcp subscriber local events.unsubscribe  done", "mcp subscriber local events.unsubscribe  refused not_found",
		"mcp subscriber local events.subscribe message.received done", "cli   webhook.remove  done", "mcp subscriber local events.subscribe  refused webhook_host_not_allowed",
	}; !slices.Equal(trail, want) {
		t.Errorf("on record is\n%s\nwant\n%s", strings.Join(trail, "\n"), strings.Join(want, "\n"))
	}
	if all := r.mustRun("audit", "--json") + r.output.tail(1<<20); strings.Contains(all, firstKey[6:]) || strings.Contains(all, secondKey[6:]) || strings.Contains(all, "of=1") {
		t.Error("the audit trail or the log holds a secret, or a query")
	}
}

// A backup that is put back ends what clients had subscribed: its original goes on with it, or has
// told its clients otherwise since.
func TestARestoredBackupHasNoSubscriptions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newClientReceiver(t)
	r.mustRun("config", "set", "mcp-webhook-loopback-http", "true")
	r.mustRun("config", "set", "webhook-hosts", c.Listener.Addr().String())
	r.serve()
	r.pair()
	s := r.subscriber()
	s.subscribe(fmt.Sprintf(`{"name":"message.received","delivery":{"mode":"webhook","url":%q,"secret":%q}}`, c.URL+"/hook", firstKey))
	file := filepath.Join(shortDir(t), "wa.backup")
	r.mustRun("backup", file)
	r.stop()
	r.mustRun("restore", file, "--yes")
	if all := lines[api.Webhook](r, "webhook", "list"); len(all) != 0 {
		t.Errorf("after a restore there are %+v", all)
	}
}
