package recent

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

const (
	// MaxAttempts is how many attempts are kept of a webhook, one by one.
	MaxAttempts = 100
	// Minutes is for how many minutes attempts are counted, the one that runs included.
	Minutes = 60
	// MaxMessage bounds the kept message of an attempt, in bytes.
	MaxMessage = 256
	// MaxExcerpt bounds what is kept of the response to a failed request, in bytes: with
	// MaxAttempts of them that is 20 kB of a webhook.
	MaxExcerpt = 200
)

// Attempt is how one attempt ended.
type Attempt struct {
	At      time.Time // when it began; zero: there is none
	Took    time.Duration
	Seq     outbox.Seq
	Event   string // its name
	Attempt int    // from 1 within the schedule
	Replay  int    // 0, or how often the delivery was replayed
	Status  int    // HTTP status, 0 without a response
	Class   outbox.Class
	Outcome string // one of the dispatcher's outcomes
	Message string // what went wrong, at most MaxMessage bytes, without secrets; "" when delivered
	// start of the body that a failed request was answered with: the endpoint's own words, without
	// the secrets of the request; at most MaxExcerpt bytes of UTF-8
	Excerpt string
}

// Minute counts what happened in one minute.
type Minute struct {
	At        time.Time // its start
	Delivered int64     // attempts that delivered
	Failed    int64     // requests that failed; those that were not made are not counted
	Dead      int64     // deliveries that became dead letters, for whatever reason
	// Waiting is how many deliveries were pending at the last Sample of this minute; Known says
	// whether there was one.
	Waiting int64
	Known   bool
}

// Summary is what happened lately to one webhook.
type Summary struct {
	Success   Attempt // the last attempt that delivered
	Failure   Attempt // the last request that failed
	Delivered int64   // attempts that delivered in the last hour
	Failed    int64   // requests that failed in the last hour
	Rising    Rising
}

// Recent is a dispatcher.Observer. The zero value is ready. Safe for concurrent use: a lane waits
// for nothing longer than the copy of what is kept of its own webhook.
type Recent struct {
	mu    sync.RWMutex
	hooks map[outbox.SubID]*hook
}

// hook is what is kept of one webhook.
type hook struct {
	unused bool // it was not in the last sample; Recent.mu guards it

	mu               sync.Mutex
	success, failure Attempt
	attempts         []Attempt // a ring once it holds MaxAttempts
	oldest           int       // of the ring
	minutes          [Minutes]minute
	risingSince      time.Time
}

// Attempted satisfies dispatcher.Observer.
func (r *Recent) Attempted(e dispatcher.AttemptEnd) {
	a := Attempt{
		At: e.Start, Took: e.Took, Seq: e.Seq, Event: e.Event, Attempt: e.Attempt, Replay: e.Replay,
		Status: e.Result.Status, Class: e.Result.Class, Outcome: e.Outcome, Message: short(e.Result.Message),
	}
	if e.Outcome != dispatcher.OutcomeDelivered {
		a.Excerpt = excerpt(e.Result.Excerpt)
	}
	h := r.hook(e.Sub)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.attempts) < MaxAttempts {
		h.attempts = append(h.attempts, a)
	} else {
		h.attempts[h.oldest] = a
		h.oldest = (h.oldest + 1) % MaxAttempts
	}
	switch m := h.minute(e.Start.Add(e.Took)); e.Outcome {
	case dispatcher.OutcomeDelivered:
		m.delivered++
		h.success = a
	case dispatcher.OutcomeNotAttempted: // no request, or one that we cut off: the state says why
	default:
		m.failed++
		h.failure = a
	}
}

// Ended satisfies dispatcher.Observer.
func (r *Recent) Ended(e dispatcher.DeliveryEnd) {
	if !e.Dead {
		return
	}
	now := time.Now()
	h := r.hook(e.Sub)
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.minute(now)
	m.dead += int64(e.Count)
	h.rise(m, e, now)
}

// Sample says how many deliveries are pending now, of every webhook in use. What is kept of another
// one is forgotten when it is not in the next sample either.
func (r *Recent) Sample(pending map[outbox.SubID]int64) {
	now := time.Now()
	for id, n := range pending {
		h := r.hook(id)
		h.mu.Lock()
		m := h.minute(now)
		m.waiting, m.known = n, true
		h.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, h := range r.hooks {
		_, used := pending[id]
		if !used && h.unused {
			delete(r.hooks, id)
		}
		h.unused = !used
	}
}

// LaneEnded keeps nothing of a webhook any more: it was removed, or the service ends.
func (r *Recent) LaneEnded(id outbox.SubID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.hooks, id)
}

// Summary returns what is known of a webhook; zero when that is nothing.
func (r *Recent) Summary(id outbox.SubID) Summary {
	h := r.find(id)
	if h == nil {
		return Summary{}
	}
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Summary{Success: h.success, Failure: h.failure, Rising: h.rising(now)}
	for _, m := range h.minutes {
		if m.within(now) {
			s.Delivered += m.delivered
			s.Failed += m.failed
		}
	}
	return s
}

// Minutes returns the last hour by minute, the oldest first and the one that runs last: always
// Minutes of them.
func (r *Recent) Minutes(id outbox.SubID) []Minute {
	now := minuteOf(time.Now())
	out := make([]Minute, Minutes)
	for i := range out {
		out[i].At = time.Unix((now-Minutes+1+int64(i))*60, 0).UTC()
	}
	h := r.find(id)
	if h == nil {
		return out
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range out {
		m := h.minutes[slot(now-Minutes+1+int64(i))]
		if m.at == out[i].At.Unix()/60 {
			out[i].Delivered, out[i].Failed, out[i].Dead, out[i].Waiting, out[i].Known = m.delivered, m.failed, m.dead, m.waiting, m.known
		}
	}
	return out
}

// Attempts returns the last attempts, at most MaxAttempts, the newest first.
func (r *Recent) Attempts(id outbox.SubID) []Attempt {
	h := r.find(id)
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.attempts)
	out := make([]Attempt, n)
	for i := range out {
		out[i] = h.attempts[(h.oldest+n-1-i)%n]
	}
	return out
}

func (r *Recent) find(id outbox.SubID) *hook {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.hooks[id]
}

// hook returns what is kept of a webhook, from now on if nothing was.
func (r *Recent) hook(id outbox.SubID) *hook {
	if h := r.find(id); h != nil {
		return h
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hooks == nil {
		r.hooks = map[outbox.SubID]*hook{}
	}
	if r.hooks[id] == nil {
		r.hooks[id] = &hook{}
	}
	return r.hooks[id]
}

// excerpt returns the start of a response, whole characters and nothing that is none, in memory of
// its own.
func excerpt(body []byte) string {
	return strings.ToValidUTF8(string(body[:min(len(body), MaxExcerpt)]), "")
}

// short returns the start of a message, whole characters, in memory of its own.
func short(text string) string {
	if len(text) <= MaxMessage {
		return text
	}
	cut := MaxMessage
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.Clone(text[:cut])
}
