package page

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// TestActions: each form does what it says, once, as the page, and leads where the outcome is seen.
//
// Mutation of sessions.go: a new secret is shown as often as the page is.
func TestActions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path   string
		fields []string
		did    string
		to     string
		shows  string
	}{
		{"webhooks/wh_9QRT/test", nil, "test wh_9QRT", "webhooks/wh_9QRT", "The test was not accepted"},
		{"webhooks/wh_9QRT/pause", nil, "pause wh_9QRT", "webhooks/wh_9QRT", "Nothing is sent to it"},
		{"webhooks/wh_9QRT/resume", nil, "resume wh_9QRT false", "webhooks/wh_9QRT", "Resumed"},
		{"webhooks/wh_9QRT/resume", []string{"skip", "1"}, "resume wh_9QRT true", "webhooks/wh_9QRT", "Resumed"},
		{"webhooks/wh_9QRT/rotate-secret", nil, "rotate wh_9QRT false", "webhooks/wh_9QRT", "whsec_bmV3IHNlY3JldA=="},
		{"webhooks/wh_9QRT/rotate-secret", []string{"promote", "1"}, "rotate wh_9QRT true", "webhooks/wh_9QRT", ""},
		{"webhooks/wh_9QRT/remove", nil, "remove wh_9QRT false", "", "2 events became dead letters"},
		{"webhooks/wh_9QRT/remove", []string{"purge", "1"}, "remove wh_9QRT true", "", "Removed wh_9QRT"},
		{"deadletters/replay", []string{"id", "dl_wh_9QRT_7", "rate", "5", "keep_going", "1"}, "replay [dl_wh_9QRT_7] all=false url= rate=5 keep=true", "deadletters", ""},
		{"deadletters/replay", []string{"all", "1", "url", "wh_9QRT"}, "replay [] all=false url=wh_9QRT rate=-1 keep=false", "deadletters", ""},
		{"deadletters/replay", []string{"all", "1"}, "replay [] all=true url= rate=-1 keep=false", "deadletters", ""},
		{"deadletters/stop", []string{"webhook", "wh_9QRT", "back", Root + "webhooks/wh_9QRT"}, "stop wh_9QRT", "webhooks/wh_9QRT", ""},
		{"deadletters/purge", []string{"id", "dl_wh_9QRT_7"}, "purge [dl_wh_9QRT_7] all=false  until=false", "deadletters", "Deleted 1 dead letter"},
		{"deadletters/purge", []string{"all", "1", "reason", "503", "until", "2026-01-01T00:00:00Z", "count", "1,204"}, "purge [] all=false 503 until=true", "deadletters", "Deleted 1,204 dead letters"},
		{"events/replay", []string{"id", "7", "id", "8", "webhook", "wh_7K2M"}, "events [7 8] to wh_7K2M", "events", ""},
		{"link/continue", []string{"confirm", "1"}, "continue passkey= confirm=true cancel=false", "link", "Linked"},
		{"link/connect", nil, "connect", "link", ""},
		{"link/disconnect", nil, "disconnect", "link", ""},
		{"link/unpair", nil, "unpair", "link", "Unlinked"},
	} {
		b := open(t, everything())
		status, to, text := b.post(tc.path, b.form(tc.fields...))
		if did := b.f.done(); status != http.StatusSeeOther || to != Root+tc.to || did != tc.did {
			t.Errorf("%s %v: %d to %q, did %q\n%s", tc.path, tc.fields, status, to, did, text)
			continue
		}
		if !strings.HasPrefix(b.f.by, "session of ") {
			t.Errorf("%s was done by %q", tc.path, b.f.by)
		}
		_, after := b.get(tc.to)
		if !strings.Contains(after, tc.shows) {
			t.Errorf("%s: %q is not shown after it", tc.path, tc.shows)
		}
		if _, again := b.get(tc.to); strings.Contains(again, `id="notice"`) {
			t.Errorf("%s: what it did is shown twice", tc.path)
		}
	}
}

// TestTheFormOfAGroupIsAboutTheGroup: a button beside a reason leads to a form that selects that
// webhook and reason, and nothing else, whatever it is called.
func TestTheFormOfAGroupIsAboutTheGroup(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	_, text := b.get("deadletters")
	found := regexp.MustCompile(`href="/page/(deadletters/(?:replay|purge)\?[^"]*reason[^"]*)"`).FindAllStringSubmatch(text, -1)
	if len(found) != 4 { // of what is removed or gone there is nothing to replay
		t.Fatalf("%d buttons beside the reasons", len(found))
	}
	for _, m := range found {
		link := html.UnescapeString(m[1])
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		_, form := b.get(link)
		for _, name := range []string{"url", "reason"} {
			if want := `name="` + name + `" value="` + u.Query().Get(name) + `"`; u.Query().Get(name) == "" || !strings.Contains(form, want) {
				t.Errorf("the form of %s has no %s", link, want)
			}
		}
	}
}

// TestTheCommandBesideAButton: it does what the button would, as the form is filled in; page.js
// writes it anew from the same base and flags.
func TestTheCommandBesideAButton(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	for path, want := range map[string]string{
		"deadletters/replay?all=1":                                                   "deadletter replay --all",
		"deadletters/replay?all=1&rate=20":                                           "deadletter replay --all",
		"deadletters/replay?all=1&rate=5&keep_going=1":                               "deadletter replay --all --rate 5 --keep-going",
		"deadletters/replay?id=dl_wh_9QRT_7&rate=0.5":                                "deadletter replay dl_wh_9QRT_7 --rate 0.5",
		"events/replay?id=7":                                                         "event replay 7 --url wh_7K2M",
		"events/replay?id=7&id=8&id=9&id=10":                                         "event replay 7 8 9 10 --url wh_7K2M",
		"events/replay?id=7&webhook=wh_9QRT&rate=0":                                  "event replay 7 --url wh_9QRT --rate 0",
		"webhooks/wh_9QRT/remove":                                                    "webhook remove wh_9QRT",
		"webhooks/wh_9QRT/remove?purge=1":                                            "webhook remove wh_9QRT --purge",
		"webhooks/wh_9QRT/resume?skip=1":                                             "webhook resume wh_9QRT --skip-to-now",
		"deadletters/purge?id=dl_wh_9QRT_7&rate=5&keep_going":                        "deadletter purge dl_wh_9QRT_7 --yes",
		"deadletters/purge?all=1&reason=503&until=2026-01-31T09:00:00.5Z":            "deadletter purge --reason 503 --until 2026-01-31T09:00:00.5Z --yes",
		"deadletters/replay?all=1&url=wh_9QRT&until=2026-01-31T09%3A00%3A00%2B01:00": "deadletter replay --url wh_9QRT --until 2026-01-31T08:00:00Z",
	} {
		if _, text := b.get(path); !strings.Contains(text, ">waoutbox "+want+"</code>") {
			t.Errorf("%s is not said to be %q:\n%s", path, want, text)
		}
	}
	_, _, text := b.post("deadletters/replay", b.form("all", "1", "rate", "fast", "keep_going", "1"))
	if !strings.Contains(text, `data-same="waoutbox deadletter replay --all">waoutbox deadletter replay --all --rate fast --keep-going<`) || !strings.Contains(text, `data-flag="--keep-going" checked`) {
		t.Errorf("what was chosen is gone after a refusal:\n%s", text)
	}
}

// TestAFormThatFailed: nothing leads to its path, where nothing is to be read.
func TestAFormThatFailed(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	status, _, text := b.post("settings", b.form("hide", "1", "back", strings.Repeat("x", maxForm)))
	if status != http.StatusUnprocessableEntity || !strings.Contains(text, "the form could not be read") || strings.Contains(text, "Try again") {
		t.Errorf("%d\n%s", status, text)
	}
}

// TestWhatAsksNamesTheAddress: of the webhook that is changed, without its query.
func TestWhatAsksNamesTheAddress(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	for _, rotating := range []bool{false, true} {
		if rotating {
			f.change(func() { f.status.Webhooks[1].RotationUntil = time.Now().Add(time.Hour) })
		}
		for _, what := range []string{"pause", "resume", "rotate-secret", "remove"} {
			if _, text := b.get("webhooks/wh_9QRT/" + what); !strings.Contains(text, " https://crm.example.com/hooks/wa") || strings.Contains(text, "secret-in-query") {
				t.Errorf("%s does not name the address:\n%s", what, text)
			}
		}
	}
}

// TestAPurgeSaysOfWhom: of each webhook how many, whether it is in use or not.
func TestAPurgeSaysOfWhom(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	_, text := b.get("deadletters/purge?id=dl_wh_9QRT_7&id=dl_wh_GONE_3&id=dl_wh_9QRT_8")
	if !strings.Contains(text, "<li>2 of crm.example.com (wh_9QRT)</li><li>1 of wh_GONE</li>") {
		t.Errorf("the form is\n%s", text)
	}
}

// TestAPurgeOfManyIsTyped: more than a hundred are deleted only by whoever types how many, and
// never more than the form spoke of.
//
// Mutation of actions.go: many are deleted by a slip of the hand.
// Mutation of actions.go: a purge takes what died since its form was read.
func TestAPurgeOfManyIsTyped(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	_, text := b.get("deadletters/purge?all=1")
	if !strings.Contains(text, `data-must="1204"`) || !strings.Contains(text, `name="until"`) || !strings.Contains(text, "Keep them") {
		t.Errorf("the form is\n%s", text)
	}
	until := regexp.MustCompile(`name="until" value="([^"]+)"`).FindStringSubmatch(text)
	if until == nil || !strings.Contains(text, ">waoutbox deadletter purge --until "+until[1]+" --yes</code>") || !strings.Contains(text, "all 1,204, of every webhook") {
		t.Errorf("the command would not delete what the form does, which is until %v:\n%s", until, text)
	}
	for _, count := range []string{"", "1203", "12", "all", "-1204", "1204x"} {
		status, _, text := b.post("deadletters/purge", b.form("all", "1", "until", "2026-01-01T00:00:00Z", "count", count))
		if status != http.StatusUnprocessableEntity || !strings.Contains(text, "type their number, 1204") || b.f.done() != "" {
			t.Errorf("typed %q: %d", count, status)
		}
	}
	// without the moment of the form it would take those that died since
	if status, _, _ := b.post("deadletters/purge", b.form("all", "1", "count", "1204")); status != http.StatusUnprocessableEntity || b.f.done() != "" {
		t.Errorf("without a moment: %d", status)
	}
}

// TestAFailedActionIsSaid: the form is there again, with the sentence of the command line.
func TestAFailedActionIsSaid(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	status, _, text := b.post("deadletters/replay", b.form("id", "dl_wh_9QRT_7", "rate", "fast"))
	if status != http.StatusUnprocessableEntity || !strings.Contains(text, "is no rate") || !strings.Contains(text, `value="dl_wh_9QRT_7"`) || !strings.Contains(text, "Replay 42") {
		t.Errorf("%d\n%s", status, text)
	}
	if status, _, text := b.post("webhooks/wh_NONE/pause", b.form()); status != http.StatusNotFound || !strings.Contains(text, "no webhook") {
		t.Errorf("a webhook that is gone: %d\n%s", status, text)
	}
}

// TestPairing: codes are shown when they are asked for, the same to every tab, and as they change;
// one round is asked for once, however often the page is loaded.
func TestPairing(t *testing.T) {
	t.Parallel()
	f := everything()
	f.status.Link = api.Link{State: api.LinkUnlinked}
	b := open(t, f)
	if _, text := b.get("link"); strings.Contains(text, `class="qr"`) || !strings.Contains(text, "Show the code") || f.done() != "" {
		t.Errorf("a code before it was asked for, or\n%s", text)
	}
	shown := make(chan struct{})
	go func() { defer close(shown); f.step <- api.PairStep{Step: api.StepQR, QR: "first", N: 1, Of: 6} }()
	if status, to, _ := b.post("link/pair", b.form()); status != http.StatusSeeOther || to != Root+"link" {
		t.Errorf("asking for one: %d to %s", status, to)
	}
	<-shown
	first := code(t, b)
	s := b.stream("stream?of=link")
	defer s.end()
	s.until(t, "Code 1 of 6")
	f.step <- api.PairStep{Step: api.StepQR, QR: "second", N: 2, Of: 6}
	s.until(t, "Code 2 of 6")
	if second := code(t, b); second == first {
		t.Error("the second code is drawn as the first")
	}
	if did := f.done(); did != "pair " {
		t.Errorf("asked for: %s", did)
	}
	go func() { f.typed <- api.PairStep{Step: api.StepCode, Code: "ABCD-1234", Phone: "491515550100"} }()
	b.post("link/code", b.form("phone", "+49 151 5550100"))
	_, text := b.get("link")
	if !strings.Contains(text, "Code 2 of 6") {
		t.Errorf("the code to scan is gone:\n%s", text)
	}
	// before the one to scan on a phone, and after it elsewhere
	if !regexp.MustCompile(`(?s)here-only".*id="code8-here">ABCD-1234<.*class="qr".*elsewhere-only".*id="code8">ABCD-1234<`).MatchString(text) {
		t.Errorf("the code to type is not in both places:\n%s", text)
	}
	for _, m := range ids.FindAllStringSubmatch(text, -1) {
		if strings.Count(text, ` id="`+m[1]+`"`) != 1 {
			t.Errorf("the id %s is there twice", m[1])
		}
	}
	f.change(func() { f.status.Link = api.Link{State: api.LinkConnected, Account: ownNumber + "@s.whatsapp.net"} })
	f.step <- api.PairStep{Step: api.StepLinked}
	s.until(t, "The linked account")
	if text := s.until(t, `event: say`); !strings.Contains(text, "Linked") {
		t.Error("it is not said aloud")
	}
}

// code is the drawing of the code that is shown.
func code(t *testing.T, b *browser) string {
	t.Helper()
	_, text := b.get("link")
	_, rest, found := strings.Cut(text, `class="qr"`)
	if !found {
		t.Fatalf("no code is shown:\n%s", text)
	}
	drawn, _, _ := strings.Cut(rest, "</svg>")
	return drawn
}
