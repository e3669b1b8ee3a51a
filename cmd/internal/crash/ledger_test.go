package crash

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"waoutbox/outbox"
)

const (
	secret   = "the ledger checks signatures"
	inFlight = 16
	attempts = 4 // of a schedule
)

// ledger is what the world outside knows: which events were acknowledged, and every POST. It judges
// by rules of its own and shares none with the code under test. Safe for concurrent use.
type ledger struct {
	mu     sync.Mutex
	life   int
	faults []string
	doubts []doubt

	begun map[string]int          // bursts by base, with their size
	acked map[string]outbox.Seq   // events by key
	keys  map[outbox.Seq]string   // the reverse; from POSTs too
	hooks map[string]*hook        // by path
	kill  map[string][]time.Time  // when the last 2xx of this life were given, by path
	tally map[string]*tallyOfLife // what the last life sent again, by path

	subscribers map[string]*subscriber // by name
	lease       *leased
}

// doubt is a fault unless the delivery had expired. That is said before it happens, but a line of
// the process may be read later than a POST.
type doubt struct {
	hook  *hook
	seq   outbox.Seq
	fault string
}

// certain makes faults of the doubts that stay when everything the process said was read. mu is
// held.
func (l *ledger) certain() {
	for _, d := range l.doubts {
		if d.seq >= d.hook.expired {
			l.faults = append(l.faults, d.fault)
		}
	}
	l.doubts = nil
}

// hook is one webhook.
type hook struct {
	id      outbox.SubID
	ordered bool
	bounds  []bound // when it was owed messages
	posts   map[outbox.Seq]*delivery
	chats   map[string]*chat
	purged  map[outbox.Seq]bool
	expired outbox.Seq // what was unfinished below it may have expired
}

// bound says that a webhook is owed messages, or none, from a sequence on.
type bound struct {
	from outbox.Seq
	owed bool
}

// delivery is what was seen of one event at one webhook.
type delivery struct {
	delivered bool // ever
	replay    int
	attempt   int
	status    int // of the last attempt, 0 while it was not answered
	life      int
}

func (d *delivery) finished() bool {
	return d.replay > 0 || d.status/100 == 2 || d.attempt == attempts && d.status != 0
}

// chat is the order of one chat at one webhook.
type chat struct {
	highest outbox.Seq // that ever arrived, replays left out
	last    outbox.Seq // that arrived in this life
	life    int
	open    *post // being handled
}

// post is one request.
type post struct {
	life            int
	path, id        string
	seq             outbox.Seq
	attempt, replay int
	body            []byte
	delivery        *delivery
	chat            *chat
}

// tallyOfLife counts what a life sends again of what the one before had done.
type tallyOfLife struct {
	repeats  int // had a 2xx
	allowed  int // in flight, and deliveries of the 50 ms before the kill
	allowed2 int // of 25 ms
}

func newLedger() *ledger {
	l := &ledger{
		begun: map[string]int{}, acked: map[string]outbox.Seq{}, keys: map[outbox.Seq]string{}, hooks: map[string]*hook{},
		kill: map[string][]time.Time{}, tally: map[string]*tallyOfLife{},
		subscribers: map[string]*subscriber{}, lease: newLeased(),
	}
	for _, name := range subscribers() {
		l.subscribers[name] = &subscriber{got: map[outbox.Seq]bool{}}
	}
	for _, path := range hooks() {
		l.hooks[path] = &hook{ordered: path != "unordered", posts: map[outbox.Seq]*delivery{}, chats: map[string]*chat{}, purged: map[outbox.Seq]bool{}}
	}
	return l
}

// fault notes a broken promise. mu is held.
func (l *ledger) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf("life %d: ", l.life)+fmt.Sprintf(format, args...))
}

// begin notes that a burst may be stored from now on.
func (l *ledger) begin(base string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun[base] = n
}

// ack notes that a burst was acknowledged.
func (l *ledger) ack(base string, seqs []outbox.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, key := range (burst{base, len(seqs)}).keys() {
		if was, ok := l.acked[key]; ok && was != seqs[i] {
			l.fault("%s was acknowledged as %d and again as %d", key, was, seqs[i])
		}
		l.acked[key] = seqs[i]
		l.named(seqs[i], key)
	}
	if len(seqs) != l.begun[base] {
		l.fault("%d events of %s were acknowledged as %d sequences", l.begun[base], base, len(seqs))
	}
	delete(l.begun, base)
}

// named notes which event a sequence is. mu is held.
func (l *ledger) named(seq outbox.Seq, key string) {
	if was, ok := l.keys[seq]; ok && was != key {
		l.fault("sequence %d is %s and %s", seq, was, key)
	}
	l.keys[seq] = key
}

// stored notes how a webhook lies on disk.
func (l *ledger) stored(path, id string, from outbox.Seq, owed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hooks[path]
	if h == nil || h.id != "" && h.id != outbox.SubID(id) {
		l.fault("the webhook %s has the id %s", path, id)
		return
	}
	h.id = outbox.SubID(id)
	if n := len(h.bounds); n > 0 && h.bounds[n-1] == (bound{from, owed}) {
		return
	}
	h.bounds = append(h.bounds, bound{from, owed})
}

// purge notes that a dead letter may be gone from now on.
func (l *ledger) purge(path string, seq outbox.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hooks[path].purged[seq] = true
}

// expire notes that what is unfinished below a sequence may be expired from now on.
func (l *ledger) expire(path string, below outbox.Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if path == leasePath {
		l.lease.expired = max(l.lease.expired, below)
		return
	}
	l.hooks[path].expired = max(l.hooks[path].expired, below)
}

// owes reports whether the event of a sequence is owed to h.
func (h *hook) owes(seq outbox.Seq) bool {
	owed := false
	for _, b := range h.bounds {
		if b.from <= seq {
			owed = b.owed
		}
	}
	return owed
}

// arrive judges a request and returns the status it gets.
func (l *ledger) arrive(p *post) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := keyOf(p.body)
	h := l.hooks[p.path]
	want := event(key)
	if h == nil || p.id != key || !bytes.Equal(p.body, want.Body) {
		l.fault("a POST to /%s of %d: id %q, body %.60q…", p.path, p.seq, p.id, p.body)
		return 400
	}
	l.named(p.seq, key)
	d := h.posts[p.seq]
	if p.life < l.life || p.path == "gone" && d != nil && p.replay < d.replay {
		// The kill, or the removal, cut it off when it was on its way, and it is read only now.
		return status(p)
	}
	first := d == nil
	if first {
		d = &delivery{}
		h.posts[p.seq] = d
	}
	p.delivery = d
	l.attempted(p, d, first)
	// what a removal cuts off is still on its way after a revival
	if h.ordered && p.path != "gone" {
		l.inOrder(h, p, want.Chat, first)
	}
	d.replay, d.attempt, d.status, d.life = p.replay, p.attempt, 0, p.life
	return status(p)
}

// attempted judges the number of an attempt. mu is held.
func (l *ledger) attempted(p *post, d *delivery, first bool) {
	switch {
	case first:
		if p.attempt != 1 {
			l.fault("the first attempt of %d at /%s says attempt %d", p.seq, p.path, p.attempt)
		}
	case p.replay > d.replay:
		if p.attempt != 1 {
			l.fault("the first attempt of replay %d of %d at /%s says attempt %d", p.replay, p.seq, p.path, p.attempt)
		}
	case p.replay < d.replay:
		l.fault("%d at /%s: replay %d comes after replay %d", p.seq, p.path, p.replay, d.replay)
	case p.attempt == d.attempt && p.life > d.life: // cut by the kill
		if d.status/100 == 2 {
			l.tallyOf(p.path).repeats++
		}
	case p.attempt == d.attempt+1 && d.status != 0 && d.status/100 != 2:
	default:
		l.fault("%d at /%s: attempt %d (replay %d, life %d) comes after attempt %d (life %d), which got %d",
			p.seq, p.path, p.attempt, p.replay, p.life, d.attempt, d.life, d.status)
	}
}

// inOrder judges the order of a chat. mu is held.
func (l *ledger) inOrder(h *hook, p *post, jid string, first bool) {
	c := h.chats[jid]
	if c == nil {
		c = &chat{}
		h.chats[jid] = c
	}
	p.chat = c
	if c.open != nil && c.open.life == p.life {
		l.fault("/%s: %d is sent while %d of the same chat is in flight", p.path, p.seq, c.open.seq)
	}
	c.open = p
	if c.life != p.life {
		c.life, c.last = p.life, 0
	}
	if p.replay > 0 {
		return
	}
	if p.seq < c.last {
		l.fault("/%s: %d is sent after %d of the same chat", p.path, p.seq, c.last)
	}
	c.last = p.seq
	if first && p.seq < c.highest {
		l.fault("/%s: %d is sent for the first time after %d of the same chat", p.path, p.seq, c.highest)
	}
	if first && c.highest > 0 && !h.posts[c.highest].finished() {
		l.doubts = append(l.doubts, doubt{h, c.highest, fmt.Sprintf("life %d: /%s: %d is sent though %d of the same chat is unfinished: %+v",
			p.life, p.path, p.seq, c.highest, *h.posts[c.highest])})
	}
	c.highest = max(c.highest, p.seq)
}

// status is what a request gets, by its webhook and its event.
func status(p *post) int {
	if p.path != "flaky" {
		return 200
	}
	failing := 0
	switch h := hash(p.id); {
	case h%17 == 0: // until it is replayed
		failing = attempts
		if p.replay > 0 {
			failing = int(h/17) % 3
		}
	case h%5 == 0:
		failing = 1 + int(h/5)%3
	}
	if p.attempt <= failing {
		return 503
	}
	return 200
}

// answered notes what a request got.
func (l *ledger) answered(p *post, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := p.delivery
	if d == nil {
		return // refused
	}
	if status == 200 {
		d.delivered = true
		if p.life == l.life {
			l.kill[p.path] = append(l.kill[p.path], time.Now())
		}
	}
	if d.life == p.life && d.replay == p.replay && d.attempt == p.attempt {
		d.status = status
	}
	if p.chat != nil && p.chat.open == p {
		p.chat.open = nil
	}
}

func (l *ledger) tallyOf(path string) *tallyOfLife {
	t := l.tally[path]
	if t == nil {
		t = &tallyOfLife{}
		l.tally[path] = t
	}
	return t
}

// begins notes which life may make requests from now on.
func (l *ledger) begins(life int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.life = life
}

// died ends a life, which was killed at this moment, and returns what it had sent again of what the
// life before it had done.
func (l *ledger) died(at time.Time) (repeats []tallyOfLife) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tally {
		repeats = append(repeats, *t)
	}
	clear(l.tally)
	for path, times := range l.kill {
		t := l.tallyOf(path)
		t.allowed, t.allowed2 = inFlight, inFlight
		for _, given := range slices.Backward(times) {
			if age := at.Sub(given); age <= 50*time.Millisecond {
				t.allowed++
				if age <= 25*time.Millisecond {
					t.allowed2++
				}
			}
		}
	}
	clear(l.kill)
	return repeats
}
