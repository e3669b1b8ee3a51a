package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"waoutbox/outbox"
)

// schedule of every webhook.
func schedule() []time.Duration {
	return []time.Duration{0, time.Second, 3 * time.Second, 10 * time.Second}
}

// model says what endpoints may get and what must be there in the end. Safe for concurrent use.
type model struct {
	mu     sync.Mutex
	faults []string
	own    int // replays that nobody had asked for: redrives
	events map[outbox.Seq]modelEvent
	keys   map[string]outbox.Seq
	hooks  map[outbox.SubID]*modelHook
	run    int // how often the service was started
	// writes of unknown outcome are made: what was delivered may be sent again by the next run
	unsure bool
	leapt  time.Duration // by how much the clock of the machine has been set at most
}

type modelEvent struct {
	key, name, chat, alt, body string
}

// chats are the addresses that events have.
func chats() [][2]string {
	return [][2]string{{"1@lid", "491@s.whatsapp.net"}, {"2@lid", ""}, {"3@s.whatsapp.net", "3@lid"}, {"4-5@g.us", ""}, {"status@broadcast", ""}, {"connection", ""}}
}

// wish is a filter, and what it means.
type wish struct {
	filter outbox.Filter
	wants  func(e modelEvent) bool
}

func wishes() []wish {
	anything := []string{"*"}
	return []wish{
		{outbox.Filter{Events: anything}, func(modelEvent) bool { return true }},
		{outbox.Filter{Events: []string{"message.received"}}, func(e modelEvent) bool { return e.name == "message.received" }},
		{outbox.Filter{Events: anything, Chats: []string{"491@s.whatsapp.net", "3@lid"}}, func(e modelEvent) bool { return e.chat == "1@lid" && e.alt != "" || e.chat == "3@s.whatsapp.net" }},
		{outbox.Filter{Events: anything, NotChats: []string{"2@lid", "4-5@g.us"}}, func(e modelEvent) bool { return e.chat != "2@lid" && e.chat != "4-5@g.us" }},
		{outbox.Filter{Events: anything, Kinds: []string{"group", "status"}}, func(e modelEvent) bool { return e.chat == "4-5@g.us" || e.chat == "status@broadcast" }},
		{outbox.Filter{Events: anything, Kinds: []string{"direct"}}, func(e modelEvent) bool { return strings.HasSuffix(e.chat, "@lid") || strings.HasSuffix(e.chat, "net") }},
		{outbox.Filter{}, func(modelEvent) bool { return false }},
	}
}

// nothing is the wish of a removed webhook.
const nothing = 6

// modelHook is one webhook.
type modelHook struct {
	epochs    []modelEpoch
	change    *int // the wish that is being stored
	unordered bool // for all that is known
	changes   int
	removed   bool // at some time
	seen      map[outbox.Seq]*modelDelivery
	chats     map[string]*modelChat
	purged    map[outbox.Seq]bool
	asked     map[outbox.Seq]int  // how often its replay was asked for
	again     map[outbox.Seq]bool // its redelivery was: whatever the filter was then
	redriven  bool                // what died in an outage may be replayed once by itself
	expired   outbox.Seq          // what was unfinished below it may have expired
}

type modelEpoch struct {
	from outbox.Seq
	wish int
}

type modelDelivery struct {
	open      bool
	run       int
	replay    int
	attempt   int
	end       time.Time
	delivered bool // by its last attempt
	final     bool // its last attempt was
	free      bool // its last attempt cost nothing
	ever      bool // delivered by some attempt
}

type modelChat struct {
	open    outbox.Seq // in flight
	highest outbox.Seq
}

func newModel() *model {
	return &model{events: map[outbox.Seq]modelEvent{}, keys: map[string]outbox.Seq{}, hooks: map[outbox.SubID]*modelHook{}}
}

// fault notes a broken rule. mu is held.
func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

// appended notes what an append returned.
func (m *model) appended(evs []modelEvent, seqs []outbox.Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, e := range evs {
		if seq, ok := m.keys[e.key]; ok && seq != seqs[i] {
			m.fault("%s was appended as %d and as %d", e.key, seq, seqs[i])
			continue
		} else if ok {
			continue // what it was first it stays
		}
		if other, ok := m.events[seqs[i]]; ok && other.key != e.key {
			m.fault("%d is %s and %s", seqs[i], other.key, e.key)
		}
		m.keys[e.key], m.events[seqs[i]] = seqs[i], e
	}
}

// changing notes what a webhook may want from now on: the change may be stored before anybody is
// told.
func (m *model) changing(id outbox.SubID, w int, unordered bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.hooks[id]
	if h == nil {
		h = &modelHook{seen: map[outbox.Seq]*modelDelivery{}, chats: map[string]*modelChat{}, purged: map[outbox.Seq]bool{}, asked: map[outbox.Seq]int{}, again: map[outbox.Seq]bool{}}
		m.hooks[id] = h
	}
	h.change = &w
	h.changes++
	h.unordered = h.unordered || unordered
	h.removed = h.removed || w == nothing
}

// ordered notes that a lane knows that its webhook is ordered, by the change that was the last one
// then: chats are in order from now on, whatever was sent before.
func (m *model) ordered(id outbox.SubID, change int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.hooks[id]; h.unordered && h.changes == change {
		h.unordered, h.chats = false, map[string]*modelChat{}
	}
}

// changesOf returns how often a webhook was changed.
func (m *model) changesOf(id outbox.SubID) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hooks[id].changes
}

// put notes from where on it does.
func (m *model) put(id outbox.SubID, from outbox.Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.hooks[id]
	h.epochs = append(h.epochs, modelEpoch{from, *h.change})
	h.change = nil
}

// mayReplay notes that dead letters may become pending, or go.
func (m *model) mayReplay(id outbox.SubID, seqs []outbox.Seq, purge bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, seq := range seqs {
		m.hooks[id].asked[seq]++
		if purge {
			m.hooks[id].purged[seq] = true
		}
	}
}

// mayRedrive notes that what died in an outage may be replayed by itself: each letter once, and
// what was replayed before never.
func (m *model) mayRedrive(id outbox.SubID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hooks[id].redriven = true
}

// replays is how often a delivery may have been replayed.
func (h *modelHook) replays(seq outbox.Seq) int {
	if h.redriven {
		return h.asked[seq] + 1
	}
	return h.asked[seq]
}

// mayRedeliver notes that events may be sent again, if the filter in force wants them.
func (m *model) mayRedeliver(id outbox.SubID, seqs []outbox.Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, seq := range seqs {
		m.hooks[id].asked[seq]++
		m.hooks[id].again[seq] = true
	}
}

// everWanted reports whether some filter the webhook has had wants an event: which one was in force
// when its redelivery was made nobody can tell.
func (h *modelHook) everWanted(e modelEvent) bool {
	return slices.ContainsFunc(h.epochs, func(ep modelEpoch) bool { return wishes()[ep.wish].wants(e) })
}

// expire notes that what is unfinished below a sequence may expire from now on.
func (m *model) expire(id outbox.SubID, below outbox.Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.hooks[id]; h != nil {
		h.expired = max(h.expired, below)
	}
}

// forgive lets everything expire, and all dead letters go.
func (m *model) forgive() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.hooks {
		for seq := range m.events {
			h.purged[seq] = true
			h.expired = max(h.expired, seq+1)
		}
	}
}

// known returns the sequences of all events.
func (m *model) known() []outbox.Seq {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.events))
}

// owes reports whether an event is owed to h: by the last epoch that began at or before it.
func (h *modelHook) owes(seq outbox.Seq, e modelEvent) bool {
	owed := false
	for _, ep := range h.epochs {
		if ep.from <= seq {
			owed = wishes()[ep.wish].wants(e)
		}
	}
	return owed
}

// arrive judges an attempt that begins.
func (m *model) arrive(id outbox.SubID, ev outbox.Event, attempt, replay int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h, e := m.hooks[id], m.events[ev.Seq]
	if e.key != ev.Key || e.body != string(ev.Body) || e.chat != ev.Chat {
		// an append that is not told yet is known by its own words
		if _, known := m.events[ev.Seq]; known {
			m.fault("%s/%d is sent as %s %q, stored was %+v", id, ev.Seq, ev.Key, ev.Body, e)
		}
		e = modelEvent{key: ev.Key, name: ev.Name, chat: ev.Chat, alt: ev.ChatAlt}
	}
	if !h.owes(ev.Seq, e) && !(h.again[ev.Seq] && h.everWanted(e)) && (h.change == nil || !wishes()[*h.change].wants(e)) {
		m.fault("%s/%d (%+v) is not owed: %+v", id, ev.Seq, e, h.epochs)
	}
	d := h.seen[ev.Seq]
	fresh := d == nil
	if fresh {
		d = &modelDelivery{}
		h.seen[ev.Seq] = d
	}
	m.numbered(id, h, ev.Seq, d, attempt, replay)
	if !h.unordered {
		m.inOrder(id, h, ev, replay, fresh)
	}
	d.open, d.run, d.replay, d.attempt, d.delivered, d.final, d.free = true, m.run, replay, attempt, false, false, false
}

// numbered judges the number of an attempt and its time. mu is held.
func (m *model) numbered(id outbox.SubID, h *modelHook, seq outbox.Seq, d *modelDelivery, attempt, replay int) {
	say := func(what string) {
		m.fault("%s/%d: attempt %d of replay %d %s: %+v, asked for %d replays", id, seq, attempt, replay, what, *d, h.asked[seq])
	}
	waits := schedule()
	if replay > h.asked[seq] && attempt == 1 {
		m.own++
	}
	switch {
	case d.open:
		say("begins while another is open")
	case attempt < 1 || attempt > len(waits):
		say("is none of the schedule")
	case replay == 1 && attempt == 1 && h.again[seq] && (d.delivered || d.final && h.purged[seq]):
		// it was delivered, or purged: nothing was left of it, so that its replays are counted anew
	case replay > h.replays(seq):
		say("was not asked for")
	case replay < d.replay:
		say("is of an earlier replay")
	case replay > d.replay || d.attempt == 0:
		if attempt != 1 {
			say("is not the first")
		}
	case attempt == d.attempt && (d.free || m.unsure && m.run > d.run):
	case d.delivered || d.final:
		say("comes after the end")
	case attempt != d.attempt+1:
		say("follows another")
	default:
		// what is due is stored by the clock of the machine
		wait := waits[attempt-1]
		if d.run != m.run {
			wait -= m.leapt
		}
		if at := time.Now(); at.Before(d.end.Add(wait)) {
			say(fmt.Sprintf("comes %v after the one before", at.Sub(d.end)))
		}
	}
}

// inOrder judges the order of a chat. mu is held.
func (m *model) inOrder(id outbox.SubID, h *modelHook, ev outbox.Event, replay int, fresh bool) {
	c := h.chats[ev.Chat]
	if c == nil {
		c = &modelChat{}
		h.chats[ev.Chat] = c
	}
	if c.open != 0 {
		m.fault("%s/%d is sent while %d of its chat is in flight", id, ev.Seq, c.open)
	}
	c.open = ev.Seq
	if replay > 0 || h.removed {
		return
	}
	if ev.Seq < c.highest && (fresh || !m.unsure) {
		m.fault("%s/%d is sent after %d of its chat", id, ev.Seq, c.highest)
	}
	if before := h.seen[c.highest]; fresh && before != nil && before.replay == 0 && !before.delivered && !before.final && !h.purged[c.highest] && c.highest >= h.expired {
		m.fault("%s/%d is sent though %d of its chat is unfinished: %+v", id, ev.Seq, c.highest, *before)
	}
	c.highest = max(c.highest, ev.Seq)
}

// answered notes how an attempt ended: delivered, rejected for good, or free of charge.
func (m *model) answered(id outbox.SubID, ev outbox.Event, delivered, rejected, free bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.hooks[id]
	d := h.seen[ev.Seq]
	d.open, d.end, d.delivered, d.free = false, time.Now(), delivered, free
	d.ever = d.ever || delivered
	d.final = rejected || !delivered && d.attempt == len(schedule())
	if c := h.chats[ev.Chat]; c != nil && c.open == ev.Seq {
		c.open = 0
	}
}

// remains is what lies on disk of a webhook's dead letters: single ones, and ranges in which all
// that was owed has expired.
type remains struct {
	dead    []outbox.Seq
	expired [][2]outbox.Seq
}

func (r remains) has(seq outbox.Seq) bool {
	return slices.Contains(r.dead, seq) || slices.ContainsFunc(r.expired, func(x [2]outbox.Seq) bool { return x[0] <= seq && seq <= x[1] })
}

// ended compares what became of everything with what lies on disk.
func (m *model) ended(dead map[outbox.SubID]remains) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, h := range m.hooks {
		for seq, e := range m.events {
			d, isDead, owed := h.seen[seq], dead[id].has(seq), h.owes(seq, e)
			switch {
			case !owed && h.again[seq]:
			case !owed && slices.Contains(dead[id].dead, seq):
				m.fault("%s/%d is dead, and was never owed", id, seq)
			case !owed:
			case isDead && h.again[seq] && d != nil && d.ever:
				// what is to be sent once more may expire, be skipped, or lose its event
			case isDead && d != nil && d.delivered && !h.removed && !m.unsure && slices.Contains(dead[id].dead, seq):
				m.fault("%s/%d is dead, and its last attempt was delivered: %+v", id, seq, *d)
			case isDead && !h.removed && seq >= h.expired && (d == nil || !d.final && !m.unsure):
				m.fault("%s/%d is dead, and had not spent its schedule: %+v", id, seq, d)
			case !isDead && (d == nil || !d.ever) && !h.purged[seq]:
				m.fault("%s/%d (%+v) was neither delivered nor is it dead: %+v", id, seq, e, d)
			}
		}
	}
	return m.faults
}
