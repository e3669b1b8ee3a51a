package page

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

const statusCause = "read the status: a part of outbox.db cannot be read"

// TestAStatusThatCannotBeRead: every page keeps its frame and shows what else can be read, and says
// in one place why the status is not there, and what to do. Nothing is claimed of what is not
// known.
func TestAStatusThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := everything()
	f.blind = api.Errorf(api.CodeInternal, statusCause)
	b := open(t, f)
	claims := regexp.MustCompile(`No alarm|All is well|Not linked|not linked|Link a phone|None yet|No webhook is added|Nothing waits|nothing waits|No dead letter|None is new|No event|\b0 new in\b|<dd>0 |of 0 events`)
	for path, parts := range map[string][]string{
		"":                                   {"<h1>Overview", "message.received", "Events from WhatsApp", "Which webhooks there are is not known"},
		"webhooks/wh_9QRT":                   {"Settings", "X-Tenant", "Recent attempts", "Test now", "503 Service Unavailable"},
		"deadletters":                        {"<h1>1,249 dead letters", "Filter dead letters", "By reason", "dl_wh_9QRT_7"},
		"deadletters?url=wh_9QRT&reason=503": {"<h1>1,249 dead letters", "dl_wh_9QRT_7"},
		"deadletters/dl_wh_9QRT_7":           {"Dead: 4 attempts", `<span class="state off">Unknown`, "The same event elsewhere", "Replay…"},
		"events":                             {"<h1>Events", "seq 7", "archive.example.com"},
		"events?q=text+of":                   {"<h1>1 events match", "seq 7"},
		"live":                               {"Live events", `id="ev-7"`, "archive.example.com"},
		"live?url=wh_5XWB":                   {`id="ev-7"`},
		"audit":                              {"Who changed what", "wh_9QRT"},
		"link":                               {"<h1>Link<", "Whether a phone is linked is not known"},
	} {
		status, text := b.get(path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		for _, part := range append(parts, `aria-label="Pages"`, "The status cannot be read now", statusCause, "waoutbox doctor", "icon-alarm.svg", "End the session", "~/state") {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q", path, part)
			}
		}
		if strings.Count(text, statusCause) != 1 {
			t.Errorf("%s says why %d times", path, strings.Count(text, statusCause))
		}
		if text = strings.ReplaceAll(text, "All, removed ones too", ""); claims.MatchString(text) {
			t.Errorf("%s claims %q", path, claims.FindString(text))
		}
	}
	if _, text := b.get(""); strings.Contains(text, "Failed attempts") {
		t.Error("the overview claims that no attempt failed")
	}
	// these could not say what they do
	for _, path := range []string{"events/replay?id=7", "link/unpair"} {
		if status, text := b.get(path); status != http.StatusInternalServerError || !strings.Contains(text, `aria-label="Pages"`) {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// TestAWebhookThatCannotBeRead: its page shows what else is known of it, and none of its buttons.
func TestAWebhookThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := everything()
	f.blind = api.Errorf(api.CodeInternal, statusCause)
	f.hidden = api.Errorf(api.CodeInternal, "read the webhook: a part of outbox.db cannot be read")
	status, text := open(t, f).get("webhooks/wh_9QRT")
	for _, part := range []string{"<h1>wh_9QRT", "read the webhook: a part of outbox.db", "Recent attempts", "503 Service Unavailable", "what waits cannot be counted now"} {
		if status != http.StatusOK || !strings.Contains(text, part) {
			t.Errorf("%d, no %q", status, part)
		}
	}
	if strings.Contains(text, "hookactions") || strings.Contains(text, "Signed") {
		t.Error("it shows buttons or settings of what it does not know")
	}
}

// TestStreamOfAStatusThatCannotBeRead: an open page goes on, says so in its place and aloud, and no
// longer once the status is there again; alarms do not end meanwhile.
func TestStreamOfAStatusThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := everything()
	s := open(t, f).stream("stream?of=deadletters")
	defer s.end()
	s.until(t, `"id":"reasons"`)
	f.change(func() { f.blind = api.Errorf(api.CodeInternal, statusCause) })
	text := s.until(t, "event: say\ndata: {\"text\":\"The status cannot be read\"}")
	f.change(func() { f.blind = nil })
	text += s.until(t, `{"id":"statusunread","html":"\u003cdiv id=\"statusunread\" class=\"none\"`)
	if !strings.Contains(text, statusCause) || strings.Contains(text, "Ended: ") || strings.Contains(text, "event: trouble") {
		t.Errorf("it sends\n%s", text)
	}
}
