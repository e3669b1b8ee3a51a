package page

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// everyPath is every page there is, with and without filters.
func everyPath() []string {
	return []string{
		"", "webhooks/wh_9QRT", "webhooks/wh_9QRT?failed=1", "deadletters", "deadletters?url=wh_9QRT&reason=503&since=1h&q=%2B49151", "deadletters?q=evt_7", "deadletters?cursor=from/0", "deadletters/dl_wh_9QRT_7",
		"events", "events?q=text+of&outcome=dead&from=2026-01-01T00:00", "live", "live?outcome=failure&url=wh_9QRT", "audit", "audit?who=mcp&q=wh_", "link",
		"webhooks/wh_9QRT/pause", "webhooks/wh_9QRT/resume", "webhooks/wh_9QRT/rotate-secret", "webhooks/wh_9QRT/remove", "deadletters/replay?all=1&url=wh_9QRT", "deadletters/replay?id=dl_wh_9QRT_7",
		"deadletters/purge?all=1&url=wh_9QRT", "events/replay?id=7&id=8", "link/unpair",
	}
}

var (
	inline = regexp.MustCompile(`<script(?:[^>]*)>[^<]|\sstyle=|\son[a-z]+=`)
	ids    = regexp.MustCompile(`\sid="([^"]+)"`)
	links  = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
)

// TestEveryPage: each is there, holds neither script nor style of its own nor anything from
// elsewhere, shows what strangers wrote as text, never a query, and no id twice.
//
// Mutation of cmd/internal/page/view/message.go: control characters of a stranger reach the page.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	known := map[string]bool{}
	for _, name := range append(filterNames(), "all", "id", "on", "cursor", "failed", "chat", "outcome", "from", "to", "before", "who", "what", "v", "from_zone", "to_zone") {
		known[name] = true
	}
	for _, path := range everyPath() {
		status, text := b.get(path)
		if status != http.StatusOK || !strings.Contains(text, "<h1") || !strings.HasSuffix(strings.TrimSpace(text), "</html>") {
			t.Errorf("%s: %d\n%s", path, status, text)
			continue
		}
		plain := strings.NewReplacer("&lt;", "", "&#34;", "").Replace(text)
		if m := inline.FindString(strings.ReplaceAll(plain, "onerror=alert(2)", "")); m != "" {
			t.Errorf("%s: script or style in the page: %q", path, m)
		}
		for _, bad := range []string{"<script>alert", "<img", "\u202e", "\u0007"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s: %q is in the page", path, bad)
			}
		}
		// the webhook's own page and the request of a letter have it, behind a click
		if strings.Contains(text, "secret-in-query") && !strings.HasPrefix(path, "webhooks/wh_9QRT?") && path != "webhooks/wh_9QRT" && path != "deadletters/dl_wh_9QRT_7" {
			t.Errorf("%s shows the query of a URL", path)
		}
		seen := map[string]bool{}
		for _, m := range ids.FindAllStringSubmatch(text, -1) {
			if seen[m[1]] {
				t.Errorf("%s: the id %s is there twice", path, m[1])
			}
			seen[m[1]] = true
		}
		for _, m := range links.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], Root) && !strings.HasPrefix(m[1], "#") && m[1] != "" {
				t.Errorf("%s leads to %s", path, m[1])
			}
			u, err := url.Parse(html.UnescapeString(m[1]))
			if err != nil {
				t.Errorf("%s leads to %s: %v", path, m[1], err)
				continue
			}
			// escaped once too often it would be another one, and the form would select all
			for name := range u.Query() {
				if !known[name] {
					t.Errorf("%s leads to %s, with a field %q", path, m[1], name)
				}
			}
		}
	}
}

// TestHeaders: what every response says to a browser.
func TestHeaders(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	for _, path := range []string{"", "nothing", "assets/page.js", "stream?of=nothing"} {
		resp, err := b.http.Get(b.base + Root + path)
		if err != nil {
			t.Fatal(err)
		}
		b.read(resp)
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "form-action 'self'") {
			t.Errorf("%s: the content policy is %q", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
}

// TestStyleSheet: each page brings the one style sheet that its policy names by a sum, and nothing
// else that styles it.
func TestStyleSheet(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	stranger := &http.Client{}
	for path, from := range map[string]*http.Client{"": b.http, "nothing": b.http, "deadletters": b.http, "deadletters/replay?all=1&url=wh_7K2M": b.http, "live": stranger} {
		resp, err := from.Get(b.base + Root + path)
		if err != nil {
			t.Fatal(err)
		}
		text := b.read(resp)
		_, rest, _ := strings.Cut(text, "<style>")
		style, rest, _ := strings.Cut(rest, "</style>")
		sum := sha256.Sum256([]byte(style))
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; ") {
			t.Errorf("%q: the policy is %q, for a style sheet of %d bytes", path, policy, len(style))
		}
		if strings.Contains(rest, "<style") || strings.Contains(text, "stylesheet") || strings.Contains(text, ` style="`) {
			t.Errorf("%q is styled by more than its style sheet", path)
		}
	}
}

// TestLeases: what an MCP client subscribed is marked in the list, on its own page and before it is
// removed, with its client, as whom that was let in, and its end; nothing that hides comes along.
func TestLeases(t *testing.T) {
	t.Parallel()
	f := everything()
	f.status.Webhooks[0].Lease = &api.Lease{Subscription: "sub_1", Principal: api.PrincipalToken, Client: "agent" + hostile, Ends: time.Now().Add(time.Hour)}
	f.status.Webhooks[1].Lease = &api.Lease{Subscription: "sub_2", Principal: api.PrincipalLocal}
	b := open(t, f)
	for path, wants := range map[string][]string{
		"":                        {"MCP client <bdi>agent", "MCP client <bdi>local"},
		"webhooks/wh_7K2M":        {"Subscribed by", "agent", "(http-token)", "unless its client renews it", "sub_1"},
		"webhooks/wh_9QRT":        {"an MCP client (local)", "never, unless it is removed"},
		"webhooks/wh_7K2M/remove": {"Its receiver is told"},
	} {
		status, text := b.get(path)
		for _, want := range wants {
			if status != http.StatusOK || !strings.Contains(text, want) {
				t.Errorf("%q: %d, no %q", path, status, want)
			}
		}
		for _, bad := range []string{"<script>alert", "<img", "\u202e", "\u0007"} {
			if strings.Contains(text, bad) {
				t.Errorf("%q: %q is in the page", path, bad)
			}
		}
	}
}

// TestHidden: with names and numbers hidden no page and no stream holds one, nor a message.
//
// Mutation of cmd/internal/page/view/message.go: hidden names are shown.
// Mutation of stream.go: a tab that was open before names were hidden goes on showing them.
// Mutation of deadletter.go: what an endpoint answered is shown while names are hidden.
func TestHidden(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	secret := regexp.MustCompile(ownNumber + "|" + bobNumber + "|204813927440123|Alice|Bob|the text")
	for _, path := range []string{"", "events", "live", "deadletters/dl_wh_9QRT_7"} {
		if _, text := b.get(path); !secret.MatchString(text) {
			t.Errorf("%s shows no name even when they are not hidden", path)
		}
	}
	if status, to, _ := b.post("settings", b.form("hide", "1", "back", Root+"live")); status != http.StatusSeeOther || to != Root+"live" {
		t.Fatalf("hiding: %d, to %s", status, to)
	}
	for _, path := range everyPath() {
		if strings.Contains(path, "q=") {
			continue // what was typed is shown
		}
		if _, text := b.get(path); secret.MatchString(text) {
			t.Errorf("%s shows %q", path, secret.FindString(text))
		}
	}
	s := b.stream("stream?of=live&hidden=1")
	defer s.end()
	if text := s.until(t, `"id":"ev-7"`); secret.MatchString(text) {
		t.Errorf("the stream shows %q", secret.FindString(text))
	}
	if _, text := b.get("webhooks/wh_9QRT"); !strings.Contains(text, "“•••”") {
		t.Error("what an endpoint answered, which may name people, is shown")
	}
	// a tab that was made before, and one that was made after it was hidden, once it is no longer
	other := b.stream("stream?of=live")
	defer other.end()
	if text := other.until(t, "event: anew"); strings.Contains(text, "ev-7") {
		t.Errorf("another tab is sent\n%s", text)
	}
	b.post("settings", b.form("hide", "0"))
	s.until(t, "event: anew")
	s.over(t)
}

// TestHiddenIsRemembered: by the browser, for its next session, also at another port.
//
// Mutation of sessions.go: the next session shows what was hidden.
func TestHiddenIsRemembered(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	b.post("settings", b.form("hide", "1"))
	b.post("settings", b.form("exact", "1"))
	for _, shows := range []string{"", "0"} {
		if shows != "" {
			b.post("settings", b.form("hide", shows))
		}
		next, base := newServer(t, everything())
		b.base = base
		if status, _ := b.get(strings.TrimPrefix(next.Link(base).URL, base+Root)); status != http.StatusOK {
			t.Fatalf("the next session: %d", status)
		}
		if _, text := b.get(""); strings.Contains(text, ownNumber) != (shows == "0") || strings.Contains(text, " ago<") {
			t.Errorf("the next session, after hide=%q, shows\n%s", shows, text)
		}
	}
}

// TestNothingIsSetUp: the first page says the first step.
func TestNothingIsSetUp(t *testing.T) {
	t.Parallel()
	b := open(t, &fakeService{status: api.Status{Link: api.Link{State: api.LinkUnlinked}}})
	if _, text := b.get(""); !strings.Contains(text, "Not linked yet") || !strings.Contains(text, "Show the code") {
		t.Errorf("an empty service shows\n%s", text)
	}
	for _, path := range []string{"deadletters", "events", "live", "audit", "link"} {
		if status, _ := b.get(path); status != http.StatusOK {
			t.Errorf("%s of an empty service: %d", path, status)
		}
	}
}

// TestARefusedSubscription: the audit page says where its events were to be sent.
func TestARefusedSubscription(t *testing.T) {
	t.Parallel()
	f := everything()
	f.trail = []api.AuditRecord{{
		Caller: api.CallerMCP, Client: "agent", Operation: "events.subscribe", Object: "message.received", URL: "https://evil.example/collect?…", Outcome: api.AuditRefused,
		Code: string(api.CodeHostNotAllowed),
	}}
	if _, text := open(t, f).get("audit"); !strings.Contains(text, "https://evil.example/collect?… (message.received)") {
		t.Errorf("the page shows\n%s", text)
	}
}

// TestWhatCannotBeRead: a page says so, and never shows an empty list for it.
//
// Mutation of deadletters.go: an empty list stands for one that cannot be read.
func TestWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	f.fail = api.Errorf(api.CodeInternal, "a part of outbox.db cannot be read")
	for path, part := range map[string]string{
		"deadletters": "Filter dead letters", "events": "Search events", "events?q=text": "Search events", "live": "Filter live events", "audit": "Filter the audit trail", "audit?who=mcp": "Filter the audit trail",
		"webhooks/wh_9QRT": "Settings",
	} {
		status, text := b.get(path)
		if none := regexp.MustCompile("No dead letter|No event|events? match|Nothing is dead|None: everything|None yet|None of the newest|Nothing matches|Nothing is recorded").FindString(text); none != "" {
			t.Errorf("%s says %q of what it could not read", path, none)
		}
		if status != http.StatusOK || !strings.Contains(text, "a part of outbox.db cannot be read") || !strings.Contains(text, "waoutbox doctor") || !strings.Contains(text, part) {
			t.Errorf("%s: %d\n%s", path, status, text)
		}
	}
	if status, text := b.get(""); status != http.StatusOK || !strings.Contains(text, "3 alarms") || !strings.Contains(text, "cannot be read now") || strings.Contains(text, "none is kept") {
		t.Errorf("the overview goes with it: %d", status)
	}
	for _, path := range []string{"webhooks/wh_NONE", "deadletters/dl_wh_9QRT_8", "nothing", "webhooks/wh_9QRT/nothing"} {
		if status, text := b.get(path); status != http.StatusNotFound || !strings.Contains(text, "Not found") {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// TestAFilterThatIsNotUnderstood: the page says so, and is there with its filter.
func TestAFilterThatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	for _, path := range []string{"deadletters?q=nobody", "deadletters?until=soon", "deadletters?q=evt_8"} {
		status, text := b.get(path)
		if status != http.StatusOK || !strings.Contains(text, "The filter was not understood") || !strings.Contains(text, "Filter dead letters") || !strings.Contains(text, "dl_wh_9QRT_7") || strings.Contains(text, "all=1&amp;q=") {
			t.Errorf("%s: %d\n%s", path, status, text)
		}
	}
	f.fail = api.Errorf(api.CodeInvalidEvents, "unknown event")
	for _, path := range []string{"events?event=x", "events?q=text+of&event=x", "live?event=x"} {
		if status, text := b.get(path); strings.Contains(text, "so far") || strings.Contains(text, "Go on with older ones") || status != http.StatusOK || !strings.Contains(text, "The filter was not understood") || strings.Contains(text, "cannot be read now") {
			t.Errorf("%s: %d\n%s", path, status, text)
		}
	}
}

// TestNothingFound: each list says which filter found nothing, and how to clear it.
func TestNothingFound(t *testing.T) {
	t.Parallel()
	f := everything()
	f.letters, f.trail = nil, nil
	f.log = func(context.Context, api.EventQuery) (api.EventPage, error) { return api.EventPage{}, nil }
	b := open(t, f)
	for path, want := range map[string]string{
		"events?q=order+%3C7%3E&outcome=dead": "No event matches: Dead somewhere, order &lt;7&gt;. ",
		"live?outcome=failure&url=wh_NONE":    "None of the newest events matches: wh_NONE, Only with a failure. ",
		"audit?who=mcp&since=today&q=wh_":     "Nothing matches: Agents, Today, wh_. ",
		"deadletters?url=wh_9QRT&reason=503":  "No dead letter matches: crm.example.com, 503 Service Unavailable. ",
	} {
		if _, text := b.get(path); !strings.Contains(text, want) || !strings.Contains(text, ">Clear the ") {
			t.Errorf("%s does not say %q:\n%s", path, want, text)
		}
	}
	b.post("settings", b.form("hide", "1"))
	if _, text := b.get("events?q=Bob&outcome=dead"); !strings.Contains(text, "No event matches: Dead somewhere, •••. ") {
		t.Errorf("with names hidden:\n%s", text)
	}
}

// TestTheCommandOfAList: it lists what the page does.
func TestTheCommandOfAList(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	for path, want := range map[string]string{
		"deadletters": "deadletter list<", "deadletters?url=wh_9QRT&reason=503&q=%2B4915": "deadletter list --url wh_9QRT --reason 503 --chat &#43;4915<",
		"events": "event list<", "events?event=message.received&from=2026-01-31T09:00&from_zone=60&q=text": "event list --event message.received --since 2026-01-31T08:00:00Z<",
		"": "webhook add URL<",
	} {
		if _, text := b.get(path); !strings.Contains(text, "<code>waoutbox "+want) {
			t.Errorf("%s does not say %q:\n%s", path, want, text)
		}
	}
}

// TestARemovedWebhook: its page says so, and leads to the dead letters that are left of it.
func TestARemovedWebhook(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	if status, text := b.get("webhooks/wh_GONE"); status != http.StatusNotFound || !strings.Contains(text, "/page/deadletters?url=wh_GONE") {
		t.Errorf("%d\n%s", status, text)
	}
	if _, text := b.get("webhooks/wh_NONE"); strings.Contains(text, "Its dead letters") {
		t.Errorf("of one that never was:\n%s", text)
	}
}

// TestElsewhere: a dead letter's page says when another webhook is tried again.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	f := everything()
	d := &f.events[0].Deliveries[2]
	d.Attempts, d.Due = 1, time.Now().Add(3*time.Minute+30*time.Second)
	if _, text := open(t, f).get("deadletters/dl_wh_9QRT_7"); !strings.Contains(text, "again in 3 min<") {
		t.Errorf("the page is\n%s", text)
	}
}

// TestLettersAreListedNewestFirst: over all webhooks, page by page, as long as they are not too
// many; then as they are stored, which is said. Each is on one page.
func TestLettersAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	next := regexp.MustCompile(`href="/page/deadletters\?([^"]*)#letters">Next page`)
	shown := regexp.MustCompile(`name="id" value="(dl_wh_9QRT_\d+)"`)
	for _, n := range []int{130, sortedLetters + 10} {
		f := everything()
		one := f.letters[0]
		f.letters = nil
		for i := range n {
			one.ID, one.FailedAt = fmt.Sprintf("dl_wh_9QRT_%d", i), time.Now().Add(time.Duration(i*7%n)*time.Second-time.Hour*24)
			f.letters = append(f.letters, one)
		}
		f.died = int64(n) - 1249 // as many as are counted
		b := open(t, f)
		seen, path := map[string]bool{}, "deadletters"
		var order []string
		for path != "" {
			_, text := b.get(path)
			if sorted := strings.Contains(text, "newest first, 25 a page"); sorted != (n <= sortedLetters) {
				t.Fatalf("of %d: said to be sorted %v", n, sorted)
			}
			for _, m := range shown.FindAllStringSubmatch(text, -1) {
				if seen[m[1]] {
					t.Fatalf("%s is on two pages, the last %s", m[1], path)
				}
				seen[m[1]] = true
				order = append(order, m[1])
			}
			m := next.FindStringSubmatch(text)
			if path = ""; m != nil {
				path = "deadletters?" + html.UnescapeString(m[1])
			}
		}
		if len(seen) != n {
			t.Errorf("of %d letters %d are listed", n, len(seen))
		}
		at := map[string]time.Time{}
		for _, l := range f.letters {
			at[l.ID] = l.FailedAt
		}
		if sorted := slices.IsSortedFunc(order, func(x, y string) int { return at[y].Compare(at[x]) }); sorted != (n <= sortedLetters) {
			t.Errorf("%d letters are listed newest first: %v", n, sorted)
		}
	}
}

// TestWhenAHeldDeliveryIsTried: not before its webhook goes on. It said nothing, its own time being
// over.
func TestWhenAHeldDeliveryIsTried(t *testing.T) {
	t.Parallel()
	f := everything()
	f.status.Webhooks[2].Status, f.status.Webhooks[2].NextTryAt = api.WebhookHeld, time.Now().Add(3*time.Minute+30*time.Second)
	d := &f.events[0].Deliveries[2]
	d.Attempts, d.LastError, d.Due = 1, &api.LastError{Class: "http", Status: 429}, time.Now().Add(-time.Second)
	if _, text := open(t, f).get("events"); !strings.Contains(text, "archive.example.com 429 Too Many Requests, attempt 2 in 3 min") {
		t.Errorf("the page shows\n%s", text)
	}
}

// TestExactTimes: the switch turns ages into times.
func TestExactTimes(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	if _, text := b.get(""); !strings.Contains(text, "1 h ago<") {
		t.Error("no time is an age")
	}
	b.post("settings", b.form("exact", "1"))
	if _, text := b.get(""); strings.Contains(text, " ago<") || !strings.Contains(text, time.Now().Format("2 Jan, 15:")) && !strings.Contains(text, time.Now().Add(-time.Hour).Format("2 Jan, 15:")) {
		t.Error("times are not exact")
	}
}

// TestTypedTimesAreOfTheBrowser: where its script says its zone, else of this machine.
//
// Mutation of events.go: a time that was typed in the browser's zone is taken for one of this
// machine's.
func TestTypedTimesAreOfTheBrowser(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	began := f.events[0].Time
	for minutes, zone := range map[string]*time.Location{"&from_zone=330": time.FixedZone("", 330*60), "&from_zone=-480": time.FixedZone("", -480*60), "": time.Local, "&from_zone=x": time.Local, "&from_zone=99999": time.Local} { //nolint:gosmopolitan // the page's own
		for ago, found := range map[time.Duration]bool{5 * time.Minute: true, -5 * time.Minute: false} {
			path := "events?from=" + began.Add(-ago).In(zone).Format("2006-01-02T15:04") + minutes
			if _, text := b.get(path); strings.Contains(text, "seq 7<") != found {
				t.Errorf("%s finds what is of %v: %v", path, began.In(zone), !found)
			}
		}
	}
}

// What failed, and the command that says why: it is on this state, and was on the usual one.
func TestAnErrorNamesTheState(t *testing.T) {
	c := &call{s: &Server{o: Options{Command: func(words ...string) string {
		return strings.Join(append([]string{"waoutbox --state-dir /x"}, words...), " ")
	}}}}
	if got := c.said(errors.New("it is closed; see waoutbox status")); got != "it is closed; see waoutbox --state-dir /x status" {
		t.Error(got)
	}
}
