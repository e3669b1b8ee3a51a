package page

import (
	"context"
	"html"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// held lets a search stand still after its first step, until it is let go or stopped.
type held struct {
	begun atomic.Int64
	go_   chan struct{}
}

func (h *held) step(ctx context.Context, first bool) error {
	if first {
		h.begun.Add(1)
		return nil
	}
	select {
	case <-h.go_:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var stopKey = regexp.MustCompile(`name="key" value="([^"]+)"`)

// stop stops the search that a page shows, and returns the page that follows.
func (b *browser) stop(text, back string) string {
	b.t.Helper()
	m := stopKey.FindStringSubmatch(text)
	if m == nil {
		b.t.Fatalf("there is no way to stop:\n%s", text)
	}
	if status, to, _ := b.post("search/stop", b.form("key", html.UnescapeString(m[1]), "back", Root+back)); status != http.StatusSeeOther || to != Root+back {
		b.t.Fatalf("stopping: %d to %q", status, to)
	}
	_, after := b.get(back)
	return after
}

// TestALongSearchOfEvents: the page is there at once and says how far it is and what was found; its
// stream goes on with that, and leads to the page of its end; or somebody stops it, and what was
// found is shown, with a way to go on. Without script the page loads itself anew.
func TestALongSearchOfEvents(t *testing.T) {
	t.Parallel()
	h := &held{go_: make(chan struct{})}
	f := everything()
	f.log = func(ctx context.Context, q api.EventQuery) (api.EventPage, error) {
		ev, page := f.events[0].Event, api.EventPage{Last: 1000, Whole: 1}
		if err := h.step(ctx, q.From == 0); err != nil {
			return page, err
		}
		if q.From == 0 {
			page.Next, page.More = 400, true
		}
		ev.Sequence = 7 + q.From
		page.Items = []api.Event{ev}
		return page, nil
	}
	b := open(t, f)
	const path = "events?q=text+of"
	_, text := b.get(path)
	for _, want := range []string{"Searching: 600 of 18,204 events, 1 found so far", `<progress max="18204" value="600"`, "seq 7<", "1 or more of 18,204 events match", `<noscript><meta http-equiv="refresh" content="1">`, "searching=1"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q on\n%s", want, text)
		}
	}
	stopped := b.stop(text, path)
	if strings.Contains(stopped, "Searching:") || !strings.Contains(stopped, "seq 7<") || !strings.Contains(stopped, "Looked at 600 of 18,204 events.") || !strings.Contains(stopped, "before=400") {
		t.Errorf("after it was stopped:\n%s", stopped)
	}
	if _, text := b.get(path); !strings.Contains(text, "Searching:") || h.begun.Load() != 2 {
		t.Errorf("the page loaded anew has begun %d searches", h.begun.Load())
	}
	s := b.stream("stream?of=events&q=text+of&searching=1")
	defer s.end()
	s.until(t, "1 found so far")
	close(h.go_)
	s.until(t, "event: anew")
	if _, text := b.get(path); strings.Contains(text, "Searching:") || !strings.Contains(text, "2 of 18,204 events match") || !strings.Contains(text, "Looked at 18,204 of 18,204 events.") || h.begun.Load() != 2 {
		t.Errorf("at its end, %d searches were begun:\n%s", h.begun.Load(), text)
	}
}

// TestALongSearchOfDeadLetters: as that of events, but one that was stopped goes on from there with
// what it has found; how many match is said at its end.
func TestALongSearchOfDeadLetters(t *testing.T) {
	t.Parallel()
	h := &held{go_: make(chan struct{})}
	f := everything()
	f.died = 100_000 - 1249
	f.walk = func(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
		page := api.DeadLetterPage{Looked: 2048}
		if err := h.step(ctx, q.Cursor == ""); err != nil {
			return page, err
		}
		one := f.letters[0].DeadLetter
		if q.Cursor == "" {
			page.NextCursor = "dl_wh_9QRT_7/0"
		} else {
			one.ID, one.LastError, one.FailedAt = "dl_wh_9QRT_9", api.LastError{Class: "timeout"}, one.FailedAt.Add(time.Second)
		}
		page.Items = []api.DeadLetter{one}
		return page, nil
	}
	starts := 0
	walk := f.walk
	f.walk = func(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error) {
		if q.Cursor == "" {
			starts++
		}
		return walk(ctx, q)
	}
	b := open(t, f)
	const path, on = "deadletters?q=%2B49151", "deadletters?on=1&q=%2B49151"
	_, text := b.get(path)
	for _, want := range []string{"Searching: 2,048 of 100,000 dead letters, 1 found so far", `value="dl_wh_9QRT_7"`, "503 Service Unavailable", "Replay…"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q on\n%s", want, text)
		}
	}
	stopped := b.stop(text, path)
	if strings.Contains(stopped, "Searching:") || !strings.Contains(stopped, "Stopped after 2,048 of 100,000 dead letters") || !strings.Contains(stopped, `value="dl_wh_9QRT_7"`) || strings.Contains(stopped, "Replay 1…") && strings.Contains(stopped, "1 match") ||
		!strings.Contains(stopped, html.EscapeString("/page/"+on)+`">Search on`) {
		t.Errorf("after it was stopped:\n%s", stopped)
	}
	idle := b.stream("stream?of=deadletters&q=%2B49151")
	if text := idle.until(t, `"id":"matches"`); strings.Contains(text, "1,204") || !strings.Contains(text, "503 Service Unavailable") {
		t.Errorf("the stream of the page goes through all of them though it was stopped:\n%s", text)
	}
	idle.end()
	if _, text := b.get(on); !strings.Contains(text, "Searching: 2,048 of 100,000 dead letters, 1 found so far") || !strings.Contains(text, `value="dl_wh_9QRT_7"`) {
		t.Errorf("it does not go on from where it was stopped:\n%s", text)
	}
	close(h.go_)
	s := b.stream("stream?of=deadletters&on=1&q=%2B49151&searching=1")
	defer s.end()
	s.until(t, "event: anew")
	_, text = b.get(on)
	if starts != 1 {
		t.Errorf("it began %d times", starts)
	}
	if at, before := strings.Index(text, `value="dl_wh_9QRT_9"`), strings.Index(text, `value="dl_wh_9QRT_7"`); strings.Contains(text, "Searching:") || !strings.Contains(text, "Replay 2…") || !strings.Contains(text, "No answer") || at < 0 || before < at {
		t.Errorf("at its end, the newest first:\n%s", text)
	}
}

// TestASearchEndsWithItsSession: nobody can see what it finds.
func TestASearchEndsWithItsSession(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	f := everything()
	f.log = func(ctx context.Context, q api.EventQuery) (api.EventPage, error) {
		select {
		case <-ctx.Done():
			close(ended)
			return api.EventPage{}, ctx.Err()
		case <-time.After(10 * time.Second):
			return api.EventPage{}, nil
		}
	}
	b := open(t, f)
	b.get("events?q=text")
	b.post("end", b.form())
	<-ended
}
