package page

import (
	"bufio"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// reading is a stream that is read.
type reading struct {
	resp  *http.Response
	lines chan string
}

// stream opens a stream, as the page's script does.
func (b *browser) stream(path string) *reading {
	b.t.Helper()
	resp, err := b.http.Get(b.base + Root + path) //nolint:bodyclose // end closes it
	if err != nil {
		b.t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || got != "text/event-stream" {
		b.t.Fatalf("%s: %d, %s", path, resp.StatusCode, got)
	}
	r := &reading{resp, make(chan string, 1000)}
	go func() {
		defer close(r.lines)
		in := bufio.NewReader(resp.Body)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			r.lines <- line
		}
	}()
	return r
}

func (r *reading) end() {
	r.resp.Body.Close()
	for range r.lines { // until its reader has ended
	}
}

// until reads up to the message that holds text, and returns all of it.
func (r *reading) until(t *testing.T, text string) string {
	t.Helper()
	var all strings.Builder
	limit := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				t.Fatalf("the stream ended before %q:\n%s", text, all.String())
			}
			all.WriteString(line)
			if line == "\n" && strings.Contains(all.String(), text) {
				return all.String()
			}
		case <-limit:
			t.Fatalf("no %q in:\n%s", text, all.String())
		}
	}
}

// over waits for the stream's end.
func (r *reading) over(t *testing.T) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case _, ok := <-r.lines:
			if !ok {
				return
			}
		case <-limit:
			t.Fatal("the stream does not end")
		}
	}
}

// TestStreamOfALogThatCannotBeRead: the list says why nothing comes, and no longer once it does.
func TestStreamOfALogThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	s := b.stream("stream?of=live")
	defer s.end()
	s.until(t, `"id":"ev-7"`)
	f.change(func() { f.fail = api.Errorf(api.CodeInternal, "a part of outbox.db cannot be read") })
	s.until(t, "a part of outbox.db cannot be read")
	f.change(func() { f.fail = nil })
	s.until(t, `{"id":"unreadlog","html":"\u003cdiv id=\"unreadlog\" class=\"none\"`)
}

// TestStreamOfWhatAFilterFinds: where that is nothing, it is not said that nothing is dead.
func TestStreamOfWhatAFilterFinds(t *testing.T) {
	t.Parallel()
	s := open(t, everything()).stream("stream?of=deadletters&url=wh_NONE")
	defer s.end()
	if text := s.until(t, `"id":"reasons"`); !strings.Contains(text, "Nothing matches.") || strings.Contains(text, "Nothing is dead") {
		t.Errorf("it sends\n%s", text)
	}
}

// TestStream: it sends the parts of its page, those that changed once more and no others, and says
// aloud what a person must hear.
func TestStream(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	s := b.stream("stream?of=overview")
	defer s.end()
	first := s.until(t, `"id":"hour"`)
	for _, part := range []string{"now", "deadcount", "head", "alarms", "facts", "hooks", "hour"} {
		if !strings.Contains(first, `"id":"`+part+`"`) {
			t.Errorf("the part %s is not sent", part)
		}
	}
	if strings.Contains(first, "event: say") {
		t.Error("what was there before is said aloud")
	}
	f.change(func() {
		f.status.Alarms = append(f.status.Alarms, api.Alarm{Code: "outbox_disk_full", Message: "The disk is full"})
	})
	next := s.until(t, "event: say")
	if !strings.Contains(next, "Disk full") || !strings.Contains(next, "4 alarms") || strings.Contains(next, `"id":"hooks"`) || strings.Contains(next, `"id":"facts"`) {
		t.Errorf("after an alarm came:\n%s", next)
	}
	f.change(func() { f.status.Alarms = f.status.Alarms[:3] })
	if ended := s.until(t, "event: say"); !strings.Contains(ended, "Ended: ") {
		t.Errorf("the end of an alarm is not said:\n%s", ended)
	}
}

// TestLiveStream: an event is sent when it is there, and again when its deliveries have changed.
//
// Mutation of stream.go: deliveries of the events that a live page began with do not change on it.
func TestLiveStream(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	s := b.stream("stream?of=live&after=7")
	defer s.end()
	if text := s.until(t, `"id":"ev-7"`); !strings.Contains(text, `"id":"rate"`) || strings.Contains(text, "event: line") {
		t.Errorf("what the page began with:\n%s", text)
	}
	f.change(func() {
		f.events[0].Deliveries[2].State = api.EventDelivered
	})
	if text := s.until(t, `"id":"ev-7"`); !strings.Contains(text, "archive.example.com delivered") {
		t.Errorf("a delivery of what the page began with:\n%s", text)
	}
	ev := f.events[0]
	ev.Deliveries = slices.Clone(ev.Deliveries)
	ev.Deliveries[2].State = api.EventPending
	ev.ID, ev.Sequence = "evt_8", 8
	f.change(func() { f.events = append(f.events, ev) })
	if text := s.until(t, "event: line"); !strings.Contains(text, `"id":"ev-8"`) || !strings.Contains(text, "waits for archive.example.com") || strings.Contains(text, "ev-7") {
		t.Errorf("a new event:\n%s", text)
	}
	f.change(func() { f.events[1].Deliveries[2].InFlight = true })
	if text := s.until(t, `"id":"ev-8"`); !strings.Contains(text, "archive.example.com in flight") || strings.Contains(text, "waits for") {
		t.Errorf("its first attempt is under way:\n%s", text)
	}
	f.change(func() {
		d := &f.events[1].Deliveries[2]
		d.Attempts, d.LastError = 1, &api.LastError{Class: "http", Status: 503}
	})
	if text := s.until(t, `"id":"ev-8"`); !strings.Contains(text, "archive.example.com 503 Service Unavailable, attempt 2 in flight") {
		t.Errorf("its second attempt is under way:\n%s", text)
	}
	f.change(func() {
		f.events[1].Deliveries = []api.EventDelivery{{Webhook: "wh_5XWB", URL: "https://archive.example.com/ingest", State: api.EventDelivered}}
	})
	if text := s.until(t, `"id":"ev-8"`); !strings.Contains(text, "event: part") || !strings.Contains(text, "archive.example.com delivered") {
		t.Errorf("its delivery:\n%s", text)
	}
}

// TestHowManyMatchIsOfNow: beside the buttons for all that match, as letters die.
func TestHowManyMatchIsOfNow(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	if _, text := b.get("deadletters"); !strings.Contains(text, "Replay 1,249…") || !strings.Contains(text, "Purge 1,249…") || !strings.Contains(text, "1,249 match") {
		t.Errorf("the page says\n%s", text)
	}
	s := b.stream("stream?of=deadletters")
	defer s.end()
	s.until(t, "1,249 match")
	f.change(func() { f.died, f.status.Dead = 5, f.status.Dead+5 })
	text := s.until(t, "1,254 match")
	if !strings.Contains(text, "Replay 1,254…") || !strings.Contains(text, "Purge 1,254…") {
		t.Errorf("after five died:\n%s", text)
	}
	f.change(func() { f.fail, f.status.Dead = api.Errorf(api.CodeInternal, "it cannot be read"), f.status.Dead+1 })
	if text := s.until(t, `"id":"matches"`); !strings.Contains(text, "Replay…") || strings.Contains(text, "Replay 0") {
		t.Errorf("when they cannot be counted:\n%s", text)
	}
}

// TestAReplayCountsWhatItLeavesOut: what cannot be read, and what is dead no longer.
func TestAReplayCountsWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	f := everything()
	f.runs[0].Unreplayable, f.runs[0].Missing, f.runs[0].Left = 3, 1, 54
	f.runs[1].State, f.runs[1].Unreplayable, f.runs[1].Failed, f.runs[1].Delivered = api.ReplayDone, 1, 0, 9
	_, text := open(t, f).get("deadletters")
	for _, want := range []string{"<b>54</b> left · 3 cannot be read and stay dead, 1 dead no longer · ", "9 delivered, 0 failed, 2 left, 1 cannot be read and stays dead"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q on\n%s", want, text)
		}
	}
}

// TestStreamsEnd: with the service at once, so that they hold no stop up; there are only so many.
//
// Mutation of stream.go: an open page holds a stop.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	b.page.streams = make(chan struct{}, 1)
	s := b.stream("stream?of=overview")
	defer s.end()
	s.until(t, `"id":"head"`)
	resp, err := b.http.Get(b.base + Root + "stream?of=overview")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more than there may be: %d", resp.StatusCode)
	}
	b.page.Close()
	s.over(t)
}

// TestAStreamWithoutASession says so, so that the browser does not try again.
func TestAStreamWithoutASession(t *testing.T) {
	t.Parallel()
	_, base := newServer(t, everything())
	req, err := http.NewRequest(http.MethodGet, base+Root+"stream?of=overview", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	client := &http.Client{}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(raw) != endedMessage {
		t.Errorf("%d %q %v", resp.StatusCode, raw, err)
	}
}

// TestTheTabHasTheAlarms: its title and its icon, whatever page it is of, also while nobody looks.
//
// Mutation of render.go: the tab looks calm amid alarms.
func TestTheTabHasTheAlarms(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	for path, want := range map[string]string{"": "3 alarms · waoutbox", "live": "3 alarms · Live · waoutbox", "deadletters/dl_wh_9QRT_7": "3 alarms · Dead: "} {
		if _, text := b.get(path); !strings.Contains(text, "<title>"+want) || !strings.Contains(text, `href="/page/assets/icon-alarm.svg"`) {
			t.Errorf("the tab of %q:\n%.600s", path, text)
		}
	}
	s := b.stream("stream?of=live")
	defer s.end()
	s.until(t, `"text":"3 alarms · Live · waoutbox","icon":"/page/assets/icon-alarm.svg"`)
	f.change(func() { f.status.Alarms = nil })
	s.until(t, `"text":"Live · waoutbox","icon":"/page/assets/icon.svg"`)
	if _, text := b.get("glance"); text != `{"alarms":"","icon":"/page/assets/icon.svg"}`+"\n" {
		t.Errorf("a tab that nobody looks at is told %q", text)
	}
	for _, icon := range []string{"icon.svg", "icon-alarm.svg"} {
		if status, text := b.get("assets/" + icon); status != http.StatusOK || !strings.Contains(text, "<svg") {
			t.Errorf("%s: %d", icon, status)
		}
	}
}

// TestAFormOfAStreamLeadsToItsPage: what was rendered anew leads back to the page, and not to its
// stream.
//
// Mutation of stream.go: a button of a part that changed by itself leads to the stream.
func TestAFormOfAStreamLeadsToItsPage(t *testing.T) {
	t.Parallel()
	b := open(t, everything())
	for path, want := range map[string]string{
		"stream?of=deadletters&after=7&reason=503": "/page/deadletters?reason=503", "stream?of=webhook&id=wh_9QRT": "/page/webhooks/wh_9QRT", "stream?of=events": "/page/events",
	} {
		s := b.stream(path)
		if text := s.until(t, `"id":"replays"`); !strings.Contains(text, `name=\"back\" value=\"`+want+`\"`) {
			t.Errorf("a form of %s leads elsewhere:\n%s", path, text)
		}
		s.end()
	}
}
