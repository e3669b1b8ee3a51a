package admin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/outbox/outboxtest"
)

// looks counts the looks at the log.
type looks struct {
	*outboxtest.Fake
	n     atomic.Int64
	takes time.Duration // each of them
}

func (l *looks) Events(ctx context.Context, q outbox.EventQuery) (outbox.EventPage, error) {
	l.n.Add(1)
	<-time.After(l.takes) // of a bubble's clock
	return l.Fake.Events(ctx, q)
}

// subscriber is a service over an engine in memory, of which only the log is used.
type subscriber struct {
	*Service
	t   *testing.T
	log *looks
	n   atomic.Int64
}

func newSubscriber(t *testing.T) *subscriber {
	t.Helper()
	log := &looks{Fake: outboxtest.NewFake()}
	return &subscriber{t: t, log: log, Service: New(Options{
		Engine: log, StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		EventNames: []string{"message.received", "presence.update", "connection.update"},
		EventKinds: map[string][]string{"message.received": outbox.ChatKinds(), "presence.update": {outbox.KindDirect}, "connection.update": nil},
		Thin: func(ev outbox.Event, _ bool) (json.RawMessage, error) {
			if string(ev.Body) == "damaged" {
				return nil, errors.New("damaged")
			}
			return fmt.Appendf(nil, `{"sequence":%d}`, ev.Seq), nil
		},
	})}
}

// arrive appends events of a chat, now.
func (s *subscriber) arrive(name, chat string, n int) {
	s.t.Helper()
	for range n {
		ev := outbox.Event{Key: fmt.Sprintf("evt_%d", s.n.Add(1)), Name: name, Chat: chat, Time: time.Now(), Body: []byte("{}")}
		if strings.HasPrefix(chat, "damaged") {
			ev.Body = []byte("damaged")
		}
		if _, err := s.log.Append(s.t.Context(), ev); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *subscriber) poll(q api.OccurrenceQuery) api.OccurrencePage {
	s.t.Helper()
	page, err := s.Occurrences(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("Occurrences(%+v): %v", q, err)
	}
	return page
}

// ids are those of a page's events, without their prefix.
func ids(page api.OccurrencePage) string {
	var all []string
	for _, o := range page.Items {
		all = append(all, strings.TrimPrefix(o.ID, "evt_"))
	}
	return strings.Join(all, " ")
}

func (s *subscriber) want(q api.OccurrenceQuery, events string, truncated, more bool) api.OccurrencePage {
	s.t.Helper()
	page := s.poll(q)
	if ids(page) != events || page.Truncated != truncated || page.More != more {
		s.t.Fatalf("Occurrences(%+v) is %q, truncated %v, more %v; want %q, %v, %v", q, ids(page), page.Truncated, page.More, events, truncated, more)
	}
	return page
}

// A poll goes on where the one before ended, under its filter, in order; each event's cursor goes
// on behind it.
func TestPolls(t *testing.T) {
	t.Parallel()
	s := newSubscriber(t)
	s.arrive("message.received", "1@lid", 2)
	start := s.want(api.OccurrenceQuery{}, "", false, false)
	s.arrive("message.received", "1@lid", 2)       // 3 4
	s.arrive("presence.update", "1@lid", 1)        // 5
	s.arrive("message.received", "2@g.us", 2)      // 6 7
	s.arrive("connection.update", "connection", 1) // 8
	page := s.want(api.OccurrenceQuery{Cursor: start.Cursor}, "3 4 5 6 7 8", false, false)
	s.want(api.OccurrenceQuery{Cursor: page.Cursor}, "", false, false)
	s.want(api.OccurrenceQuery{Cursor: page.Items[2].Cursor}, "6 7 8", false, false)
	page = s.want(api.OccurrenceQuery{Cursor: start.Cursor, Limit: 2}, "3 4", false, true)
	s.want(api.OccurrenceQuery{Cursor: page.Cursor, Limit: 4}, "5 6 7 8", false, false)
	for _, c := range []struct {
		q    api.OccurrenceQuery
		want string
	}{
		{api.OccurrenceQuery{Events: []string{"message.received"}}, "3 4 6 7"},
		{api.OccurrenceQuery{Events: []string{"message.received"}, Kinds: []string{"group"}}, "6 7"},
		{api.OccurrenceQuery{Events: []string{"message.received", "presence.update"}, NotChats: []string{"2@g.us"}}, "3 4 5"},
		{api.OccurrenceQuery{Chats: []string{"1@lid"}}, "3 4 5"},
		{api.OccurrenceQuery{Events: []string{"connection.update"}}, "8"},
	} {
		c.q.Cursor = start.Cursor
		end := s.want(c.q, c.want, false, false)
		if full := s.poll(api.OccurrenceQuery{Cursor: start.Cursor}); end.Cursor != full.Cursor {
			t.Errorf("%+v ends at %s, and without a filter at %s", c.q, end.Cursor, full.Cursor)
		}
	}
	if o := page.Items[0]; o.Event != "message.received" || string(o.Data) != `{"sequence":3}` || o.Time.IsZero() {
		t.Errorf("occurrence %+v", o)
	}
}

// What cannot be asked for is refused, with the field.
func TestPollsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newSubscriber(t)
	for _, c := range []struct {
		q     api.OccurrenceQuery
		field string
	}{
		{api.OccurrenceQuery{Events: []string{"message.recieved"}}, ""},
		{api.OccurrenceQuery{Chats: []string{"nonsense"}}, "chats"},
		{api.OccurrenceQuery{Kinds: []string{"people"}}, "kinds"},
		{api.OccurrenceQuery{Events: []string{"presence.update"}, Kinds: []string{"group"}}, "events"},
		{api.OccurrenceQuery{Chats: []string{"1@lid"}, NotChats: []string{"1@lid"}}, "not_chats"},
		{api.OccurrenceQuery{Limit: 101}, "limit"},
		{api.OccurrenceQuery{MaxAgeMillis: -1}, "max_age_millis"},
		{api.OccurrenceQuery{WaitSeconds: 51}, "wait_seconds"},
	} {
		_, err := s.Occurrences(t.Context(), c.q)
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Field != c.field {
			t.Errorf("%+v: %+v", c.q, err)
		}
	}
}

// Whoever may have missed something is told so, and goes on: after a removal, with the cursor of a
// copy, of the future or of nothing, over a damaged event, and after a limit of age.
//
// Mutation of occurrences.go: whoever was away while events were removed is not told.
// Mutation of outbox/position.go: the cursor of another log is taken for one of this.
// Mutation of occurrences.go: a damaged event is passed over without a word.
func TestTruncated(t *testing.T) {
	t.Parallel()
	s := newSubscriber(t)
	first := s.poll(api.OccurrenceQuery{})
	s.arrive("message.received", "1@lid", 3)
	after := s.want(api.OccurrenceQuery{Cursor: first.Cursor, Limit: 2}, "1 2", false, true)
	for _, bad := range []string{"x", "!", first.Cursor + "AA", base64.RawURLEncoding.EncodeToString([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00fake-0")),
		outbox.Position("fake-0", 5), outbox.Position("another", 2), "AAAA"} {
		page := s.want(api.OccurrenceQuery{Cursor: bad}, "", true, false)
		s.want(api.OccurrenceQuery{Cursor: page.Cursor}, "", false, false)
	}
	s.want(api.OccurrenceQuery{Cursor: outbox.Position("fake-0", 4)}, "", false, false)

	trim := func(want int) {
		t.Helper()
		if n, _, err := s.log.Trim(t.Context(), time.Now().Add(time.Minute), want); n != want || err != nil {
			t.Fatalf("Trim = %d, %v", n, err)
		}
	}
	trim(1)
	s.want(api.OccurrenceQuery{Cursor: first.Cursor}, "2 3", true, false)
	s.want(api.OccurrenceQuery{Cursor: after.Cursor}, "3", false, false)
	trim(1)
	s.want(api.OccurrenceQuery{Cursor: after.Cursor}, "3", false, false) // it had the second one
	trim(1)
	page := s.want(api.OccurrenceQuery{Cursor: after.Cursor}, "", true, false)
	s.want(api.OccurrenceQuery{Cursor: page.Cursor}, "", false, false)

	s.arrive("message.received", "1@lid", 1)
	s.arrive("message.received", "damaged@lid", 1)
	s.arrive("message.received", "1@lid", 1)
	page = s.want(api.OccurrenceQuery{Cursor: page.Cursor}, "4 6", true, false)
	s.want(api.OccurrenceQuery{Cursor: page.Cursor}, "", false, false)

	if err := s.log.RenewState(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.want(api.OccurrenceQuery{Cursor: page.Items[0].Cursor}, "", true, false)
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSubscriber(t)
		start := s.poll(api.OccurrenceQuery{MaxAgeMillis: 1}) // of now
		if start.Truncated {
			t.Error("now is truncated by age")
		}
		s.arrive("message.received", "1@lid", 1)
		<-time.After(time.Hour)
		s.arrive("message.received", "1@lid", 1)
		<-time.After(time.Minute)
		s.want(api.OccurrenceQuery{Cursor: start.Cursor, MaxAgeMillis: (2 * time.Hour).Milliseconds()}, "1 2", false, false)
		s.want(api.OccurrenceQuery{Cursor: start.Cursor, MaxAgeMillis: (2 * time.Minute).Milliseconds()}, "2", true, false)
		s.want(api.OccurrenceQuery{Cursor: start.Cursor, MaxAgeMillis: 1}, "", true, false)
		s.want(api.OccurrenceQuery{Cursor: start.Cursor, MaxAgeMillis: 1 << 62}, "1 2", false, false)
	})
}

// A poll of which nothing matches looks at a bounded part of the log, advances, and says that there
// may be more.
//
// Mutation of occurrences.go: a poll looks through the whole log.
func TestNarrowPollsAreBounded(t *testing.T) {
	t.Parallel()
	s := newSubscriber(t)
	start := s.poll(api.OccurrenceQuery{})
	s.arrive("message.received", "1@lid", 40_000)
	s.arrive("message.received", "2@g.us", 1)
	q := api.OccurrenceQuery{Cursor: start.Cursor, Kinds: []string{"group"}}
	polls := 0
	for {
		before := s.log.n.Load()
		page := s.poll(q)
		if polls++; s.log.n.Load()-before > occurrenceSteps+1 {
			t.Fatalf("one poll looked %d times", s.log.n.Load()-before)
		}
		if len(page.Items) == 1 {
			break
		}
		if !page.More || page.Cursor == q.Cursor || polls > 20 {
			t.Fatalf("poll %d is %+v", polls, page)
		}
		q.Cursor = page.Cursor
	}
	if polls < 3 {
		t.Errorf("%d polls passed 40,000 events", polls)
	}
}

// On a machine that reads slowly a page looks at less.
//
// Mutation of occurrences.go: on a slow machine a poll that finds nothing takes as long as it
// likes.
func TestSlowPollsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSubscriber(t)
		start := s.poll(api.OccurrenceQuery{})
		s.arrive("message.received", "1@lid", 20_000)
		s.log.takes = 20 * time.Millisecond
		began := time.Now()
		page := s.poll(api.OccurrenceQuery{Cursor: start.Cursor, Kinds: []string{"group"}})
		if took := time.Since(began); took > 100*time.Millisecond || !page.More || page.Cursor == start.Cursor {
			t.Errorf("a poll took %s and is %+v", took, page)
		}
	})
}

// A page holds a bounded number of bytes, and the next one goes on behind it.
//
// Mutation of occurrences.go: a page that is full of bytes goes on behind what it has not returned.
func TestPagesAreSmall(t *testing.T) {
	t.Parallel()
	s := newSubscriber(t)
	large := fmt.Sprintf(`{"pad":%q}`, strings.Repeat("x", 60<<10))
	s.o.Thin = func(outbox.Event, bool) (json.RawMessage, error) { return json.RawMessage(large), nil }
	start := s.poll(api.OccurrenceQuery{})
	s.arrive("message.received", "1@lid", 12)
	page := s.want(api.OccurrenceQuery{Cursor: start.Cursor}, "1 2 3 4 5", false, true)
	page = s.want(api.OccurrenceQuery{Cursor: page.Cursor}, "6 7 8 9 10", false, true)
	s.want(api.OccurrenceQuery{Cursor: page.Cursor}, "11 12", false, false)
}

// A poll that waits returns with what comes, and empty when nothing that it wants does.
func TestPollsThatWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSubscriber(t)
		start := s.poll(api.OccurrenceQuery{})
		q := api.OccurrenceQuery{Cursor: start.Cursor, Events: []string{"message.received"}, WaitSeconds: 50}
		began := time.Now()
		time.AfterFunc(10*time.Second, func() { s.arrive("presence.update", "1@lid", 1) })
		time.AfterFunc(20*time.Second, func() { s.arrive("message.received", "1@lid", 1) })
		s.want(q, "2", false, false)
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("it came after %v", took)
		}
		began = time.Now()
		q.Events, q.WaitSeconds = []string{"connection.update"}, 7
		s.want(q, "", false, false)
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("nothing came for %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Occurrences(ctx, q); api.CodeOf(err) != api.CodeTimeout {
			t.Errorf("a caller that gives up gets %v", err)
		}
	})
}

// A stream says where it begins, brings what there is and what comes, in order, and goes on saying
// where it stands while nothing comes that it wants.
//
// Mutation of occurrences.go: a stream on which nothing comes says nothing.
func TestStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSubscriber(t)
		start := s.poll(api.OccurrenceQuery{})
		s.arrive("message.received", "1@lid", 250)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel() // a test that fails would wait for the stream without end
		type told struct {
			at   time.Duration
			page api.OccurrencePage
		}
		var all []told
		ended := make(chan error, 1)
		began := time.Now()
		go func() {
			ended <- s.StreamOccurrences(ctx, api.OccurrenceQuery{Events: []string{"message.received"}, Cursor: start.Cursor}, func(p api.OccurrencePage) error {
				all = append(all, told{time.Since(began), p})
				return nil
			})
		}()
		synctest.Wait()
		if n := len(all); n != 4 || len(all[0].page.Items) != 0 || all[0].page.Cursor != start.Cursor || len(all[1].page.Items) != 100 || len(all[3].page.Items) != 50 {
			t.Fatalf("it began with %d pages", n)
		}
		<-time.After(5 * time.Second)
		s.arrive("presence.update", "1@lid", 1) // moves the cursor on
		<-time.After(30 * time.Second)
		s.arrive("message.received", "1@lid", 3)
		<-time.After(time.Second)
		synctest.Wait()
		if len(all) != 7 {
			t.Fatalf("then came %+v", all[4:])
		}
		beats, last := all[4:6], all[6]
		if len(last.page.Items) != 3 || last.at < 35*time.Second || last.at > 35*time.Second+2*streamRest {
			t.Fatalf("then came %+v", all[4:])
		}
		for i, b := range beats {
			if b.at != time.Duration(i+1)*heartbeat || len(b.page.Items) != 0 || b.page.Cursor == all[3].page.Cursor || b.page.Truncated {
				t.Errorf("heartbeat %+v", b)
			}
		}
		// what is removed before it was read is told, once
		q := api.OccurrenceQuery{Cursor: start.Cursor}
		if n, _, err := s.log.Trim(t.Context(), time.Now(), 10); n != 10 || err != nil {
			t.Fatal(n, err)
		}
		stop := errors.New("enough")
		truncated, items := 0, 0
		err := s.StreamOccurrences(t.Context(), q, func(p api.OccurrencePage) error {
			if p.Truncated {
				truncated++
			}
			if items += len(p.Items); items == 244 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || truncated != 1 {
			t.Errorf("%v, told %d times of a gap", err, truncated)
		}
		cancel()
		if err := <-ended; err == nil {
			t.Error("a cancelled stream ended with nil")
		}
	})
}

// As many streams as may be open are, and the next one after one has ended.
//
// Mutation of occurrences.go: streams without number are open.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSubscriber(t)
		var cancels []context.CancelFunc
		ended := make(chan error, maxStreams)
		for range maxStreams {
			ctx, cancel := context.WithCancel(t.Context())
			cancels = append(cancels, cancel)
			go func() {
				ended <- s.StreamOccurrences(ctx, api.OccurrenceQuery{}, func(api.OccurrencePage) error { return nil })
			}()
		}
		synctest.Wait()
		enough := errors.New("enough")
		one := func() error {
			return s.StreamOccurrences(t.Context(), api.OccurrenceQuery{}, func(api.OccurrencePage) error { return enough })
		}
		if err := one(); api.CodeOf(err) != api.CodeTooManyStreams {
			t.Errorf("one too many: %v", err)
		}
		if n := s.streams.Load(); n != maxStreams {
			t.Errorf("%d are open", n)
		}
		cancels[0]()
		<-ended
		if err := one(); !errors.Is(err, enough) {
			t.Errorf("after one has ended: %v", err)
		}
		for _, cancel := range slices.Backward(cancels) {
			cancel()
		}
		for range maxStreams - 1 {
			<-ended
		}
	})
}
