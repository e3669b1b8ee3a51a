package model

import (
	"fmt"
	"sync"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
)

// leaseModel says what a receiver may get, and what its client must have been told. Safe for
// concurrent use.
type leaseModel struct {
	mu     sync.Mutex
	faults []string
	seen   leaseSeen
	unsure bool // writes of unknown outcome are made
	run    int  // how often the service was started

	id        outbox.SubID // of the life that is
	mood      int
	gapMood   int
	mayUntil  time.Time // until then something may be sent
	appending bool
	events    map[outbox.Seq]*leaseEvent // that are wanted
	chats     map[string]*leaseChat      // in this life
	from      outbox.Seq                 // where this life began
	cursor    outbox.Seq                 // what the client has: of the last request that it took
	// below it the client knows that events may be lost
	toldBelow outbox.Seq
	// the same, of what a refresh is about to tell
	tellBelow outbox.Seq
	// something was lost, or may have been, that no refresh has told
	lost, mayBeLost bool
	expiring        bool
}

type leaseEvent struct {
	chat      string
	delivered bool // in any life
	refused   bool
	refusals  int // in a row, in this life
	attempts  int // in this life
	open      bool
}

type leaseChat struct {
	open, highest outbox.Seq
	run           int // in which highest was sent
}

// leaseSeen counts what histories came to.
type leaseSeen struct{ delivered, refused, truncated, lives, gaps int }

func (s *leaseSeen) add(o leaseSeen) {
	s.delivered += o.delivered
	s.refused += o.refused
	s.truncated += o.truncated
	s.lives += o.lives
	s.gaps += o.gaps
}

func newLeaseModel() *leaseModel {
	return &leaseModel{events: map[outbox.Seq]*leaseEvent{}, chats: map[string]*leaseChat{}}
}

func (m *leaseModel) say(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault(format, args...)
}

func (m *leaseModel) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

func (m *leaseModel) appended(chat string, seq outbox.Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.events[seq] == nil {
		m.events[seq] = &leaseEvent{chat: chat}
	}
}

// begins notes where a life begins.
func (m *leaseModel) begins(from outbox.Seq, truncated bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.from == 0 { // the first one: nobody was owed anything before
		m.toldBelow = from
	}
	m.from, m.chats = from, map[string]*leaseChat{}
	m.lost, m.mayBeLost = truncated, truncated // the next refresh tells it again
	if m.cursor == 0 {
		m.cursor = from
	}
	if truncated {
		m.told(from)
		m.seen.truncated++
	}
	m.seen.lives++
	for _, e := range m.events {
		e.open, e.refusals, e.attempts = false, 0, 0
	}
}

// told notes that the client knows that events below seq may be lost. mu is held.
func (m *leaseModel) told(seq outbox.Seq) { m.toldBelow = max(m.toldBelow, seq) }

// judge judges the order and the watermark of a request. mu is held.
func (m *leaseModel) judge(seq, watermark outbox.Seq) {
	if watermark > seq {
		m.fault("the request of %d has the watermark %d", seq, watermark)
	}
	for s, e := range m.events {
		if s >= m.from && s < watermark && s >= m.toldBelow && s >= m.tellBelow && !e.delivered && !e.refused {
			m.fault("the request of %d says that %d is behind it (watermark %d): %+v", seq, s, watermark, *e)
		}
	}
}

// arrive judges an attempt that begins.
func (m *leaseModel) arrive(r dispatcher.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seq := r.Event.Seq
	e := m.events[seq]
	switch {
	case e == nil && !m.appending:
		m.fault("%d is sent, and nobody wants it: %+v", seq, r.Event)
		return
	case e == nil: // its append is not told yet
		e = &leaseEvent{chat: r.Event.Chat}
		m.events[seq] = e
	}
	if r.Sub != m.id || seq < m.from {
		m.fault("%d is sent for %s, from %d on it is %s", seq, r.Sub, m.from, m.id)
		return
	}
	if now := time.Now(); now.After(m.mayUntil) {
		m.fault("%d is sent at %v, its lease has ended at %v", seq, now, m.mayUntil)
	}
	m.judge(seq, r.Watermark)
	c := m.chats[e.chat]
	if c == nil {
		c = &leaseChat{}
		m.chats[e.chat] = c
	}
	switch before := m.events[c.highest]; {
	case c.open != 0:
		m.fault("%d is sent while %d of its chat is in flight", seq, c.open)
	case seq < c.highest && !(m.unsure && c.run < m.run):
		m.fault("%d is sent after %d of its chat", seq, c.highest)
	case seq > c.highest && before != nil && !before.delivered && !before.refused && !m.mayBeLost && !m.expiring && c.highest >= m.toldBelow:
		m.fault("%d is sent though %d of its chat is unfinished: %+v", seq, c.highest, *before)
	}
	c.open = seq
	if seq >= c.highest {
		c.highest, c.run = seq, m.run
	}
	e.open = true
}

// ended notes how an attempt ended.
func (m *leaseModel) ended(r dispatcher.Request, res dispatcher.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seq := r.Event.Seq
	e := m.events[seq]
	if e == nil {
		return
	}
	e.open = false
	if c := m.chats[e.chat]; c != nil && c.open == seq {
		c.open = 0
	}
	if r.Sub != m.id {
		return
	}
	const ours = "our own trouble, or throttled"
	kind := ""
	switch {
	case res.Class == outbox.ClassAddress, res.Class == outbox.ClassLocal, res.Status == 429:
		kind = ours
	case res.Status == 410, res.Status == 413:
		e.refused = true
		m.seen.refused++
	case res.Status == 400, res.Status == 307:
		kind = "refusal"
	}
	switch {
	case res.Class == outbox.ClassOK:
		e.delivered = true
		m.cursor = max(m.cursor, r.Watermark)
		m.seen.delivered++
	case kind == "refusal":
		if e.refusals++; e.refusals >= len(schedule()) {
			e.refused = true
			m.seen.refused++
		}
	case kind != ours:
		e.refusals = 0
	}
}

// telling notes that a refresh may tell what is lost below a sequence.
func (m *leaseModel) telling(below outbox.Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tellBelow = below
}

// refreshed notes what a refresh has told; what has expired lies below lostBelow.
func (m *leaseModel) refreshed(truncated bool, err error, lostBelow outbox.Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.lost && !truncated:
		m.fault("events were lost, and the refresh does not tell: %v", err)
	case truncated && !m.lost && !m.mayBeLost:
		m.fault("nothing was lost, and the refresh tells that something was: %v", err)
	}
	if truncated {
		m.seen.truncated++
		m.told(lostBelow)
	}
	m.tellBelow = 0
	if err == nil {
		m.lost, m.mayBeLost = false, false
	}
}

// expired notes that the lease may have lost something.
func (m *leaseModel) expired(some bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expiring = false
	m.lost = m.lost || some
	m.mayBeLost = m.mayBeLost || some || err != nil
}

// finish compares what became of everything. mu is held.
func (m *leaseModel) finish() {
	for seq, e := range m.events {
		if !e.delivered && !e.refused && seq >= m.toldBelow {
			m.fault("%d neither arrived, nor was it refused, nor was its loss told: %+v", seq, *e)
		}
	}
}
