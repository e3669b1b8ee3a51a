package main

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// world is what a script has around the program: a WhatsApp server with a phone, and an endpoint.
type world struct {
	sim      *wasim.Server
	phone    *wasim.Account
	bob      *wasim.Contact
	said     []string // ids of the messages that were written
	endpoint *receiver.Receiver
	secret   string
}

type worldKey struct{}

// setUpWorld gives a script an empty world.
func setUpWorld(env *testscript.Env) {
	w := &world{}
	env.Values[worldKey{}] = w
	env.Defer(func() {
		if w.sim != nil {
			w.sim.Close()
		}
		if w.endpoint != nil {
			w.endpoint.Close()
		}
	})
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

func untilLimited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), untilLimit)
}

// scriptPhone is `phone start|link|say TEXT|online|drained|logout|off|on|clock DURATION`: a server
// of WhatsApp that the program is pointed at by its environment; the phone scans the program's
// code; Bob writes; the program is logged in; all that was written is taken; the phone removes the
// program from its linked devices; the server refuses every login, or none; its clock is set off.
func scriptPhone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: phone start|link|say|online|drained|logout|off|on|clock [args...]")
	}
	w := worldOf(ts)
	ctx, cancel := untilLimited()
	defer cancel()
	switch args[0] {
	case "start":
		var err error
		w.sim, err = wasim.New(wasim.Options{})
		ts.Check(err)
		ts.Check(w.sim.Listen("127.0.0.1:0"))
		w.phone = w.sim.NewAccount("491515550100", "Alice")
		w.bob = w.phone.NewContact("Bob", "15550100123")
		ts.Setenv("WAOUTBOX_WHATSAPP_URL", w.sim.URL())
		ts.Setenv("WAOUTBOX_WHATSAPP_ROOT_KEY", w.sim.RootKey())
	case "link":
		scanned, phone := false, make(chan error, 1)
		err := daemonClient(ts).Pair(ctx, api.PairRequest{}, func(step api.PairStep) error {
			if step.Step != api.StepQR {
				return nil
			}
			if !scanned {
				scanned = true
				go func() { phone <- w.phone.ScanQR(ctx, step.QR) }()
			}
			return nil
		})
		ts.Check(err)
		ts.Check(<-phone)
		ts.Check(w.phone.WaitOnline(ctx))
	case "say":
		id, err := w.bob.SendText(ctx, strings.Join(args[1:], " "))
		ts.Check(err)
		w.said = append(w.said, id)
	case "online":
		ts.Check(w.phone.WaitOnline(ctx))
	case "drained":
		ts.Check(w.phone.WaitDrained(ctx))
	case "logout":
		w.phone.Unlink()
	case "off":
		w.phone.Refuse(503)
		w.phone.Drop()
	case "on":
		w.phone.Refuse(0)
	case "clock":
		d, err := time.ParseDuration(args[1])
		ts.Check(err)
		w.sim.SetClock(d)
	default:
		ts.Fatalf("phone %s: unknown", args[0])
	}
}

// scriptEndpoint is `endpoint start [SECRET]|returns SCRIPT|got-all`: an endpoint, whose URL is in
// $ENDPOINT; what it returns; everything that was written has arrived, signed where there is a
// secret.
func scriptEndpoint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: endpoint start|returns|got-all [args...]")
	}
	w := worldOf(ts)
	switch args[0] {
	case "start":
		if len(args) == 2 {
			w.secret = args[1]
		}
		w.endpoint = receiver.New(receiver.Options{Secret: w.secret})
		ts.Check(w.endpoint.Start())
		ts.Setenv("ENDPOINT", w.endpoint.URL())
	case "returns":
		script, err := receiver.ParseScript(args[1])
		ts.Check(err)
		w.endpoint.SetScript(script, false)
	case "got-all":
		ctx, cancel := untilLimited()
		defer cancel()
		if err := w.endpoint.WaitFor(ctx, func(receiver.Counts) bool { return len(w.missing()) == 0 }); err != nil {
			ts.Fatalf("%d of %d messages did not arrive: %v", len(w.missing()), len(w.said), err)
		}
		if c := w.endpoint.Counts(); w.secret != "" && (c.SignaturesInvalid > 0 || c.SignaturesValid == 0) {
			ts.Fatalf("signatures: %+v", c)
		}
	default:
		ts.Fatalf("endpoint %s: unknown", args[0])
	}
}

// missing lists the messages that the endpoint has not accepted.
func (w *world) missing() []string {
	var bodies strings.Builder
	for _, d := range w.endpoint.Deliveries() {
		if d.Accepted() {
			bodies.Write(d.Body)
		}
	}
	got := bodies.String()
	return slices.DeleteFunc(slices.Clone(w.said), func(id string) bool { return strings.Contains(got, id) })
}

// scriptPage is `page REGEXP [PATH]`: what the operator's page shows, as text, matches; with ! it
// does not.
func scriptPage(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: [!] page regexp [path]")
	}
	path := "/page/"
	if len(args) == 2 {
		path = args[1]
	}
	ctx, cancel := untilLimited()
	defer cancel()
	link, err := daemonClient(ts).OpenPage(ctx)
	ts.Check(err)
	jar, err := cookiejar.New(nil)
	ts.Check(err)
	client := &http.Client{Jar: jar, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	text := ""
	for _, url := range []string{link.URL, link.URL[:strings.Index(link.URL, "/page/")] + path} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		ts.Check(err)
		resp, err := client.Do(req)
		ts.Check(err)
		raw, err := io.ReadAll(resp.Body)
		ts.Check(err)
		ts.Check(resp.Body.Close())
		if resp.StatusCode != http.StatusOK {
			ts.Fatalf("GET %s: %s", path, resp.Status)
		}
		text = readText(string(raw))
	}
	if regexp.MustCompile(args[0]).MatchString(text) == neg {
		ts.Fatalf("the page %s: %s", path, text)
	}
}

var (
	unseen = regexp.MustCompile(`(?s)<(script|style|head|svg)\b.*?</(script|style|head|svg)>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

// readText is what a person reads of a page, in one line.
func readText(page string) string {
	page = tags.ReplaceAllString(unseen.ReplaceAllString(page, " "), " ")
	return strings.Join(strings.Fields(html.UnescapeString(page)), " ")
}

// scriptWaits is `waits N`: status says that so many deliveries are pending.
func scriptWaits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waits n")
	}
	want, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	c := daemonClient(ts)
	var st api.Status
	ctx, cancel := untilLimited()
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; <-tick.C {
		if st, err = c.Status(ctx); err == nil && st.Pending == want {
			return
		}
	}
	raw, _ := json.Marshal(st)
	ts.Fatalf("pending never was %d: %v, %s", want, err, raw)
}
