package connection

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// stormRounds names the environment variable with the number of rounds of TestGroupStorm.
const stormRounds = "WAOUTBOX_STORM_ROUNDS"

// storm is people who write to the account, and to whom it writes, while things go wrong.
type storm struct {
	*rig
	ctx    context.Context
	people []*wasim.Contact
	teams  []*wasim.Group
	random *rand.Rand // of what goes wrong

	client sync.RWMutex // held for writing while the service is started again
	chats  map[string]*sync.Mutex
	mu     sync.Mutex
	came   map[string][]string // the texts of each chat, in order
	sent   map[string]string   // the id of each text that was sent
	newest map[string]string   // the id of the last message of each chat
	worst  atomic.Int64        // how long a send took, at most
	news   atomic.Int64
	slow   func(string) error
}

// write has somebody write directly, and to the group, as phones do: with a secret.
func (s *storm) write(p *wasim.Contact, text string) {
	m := &waE2E.Message{Conversation: &text, MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: []byte(strings.Repeat(text[:1], 32))}}
	chat := p.PN()
	send := func() (string, error) { return p.Send(s.ctx, m) }
	if text[len(text)-1]%2 == 0 {
		team := s.teams[0]
		chat = team.JID()
		send = func() (string, error) { return p.SendGroup(s.ctx, team, proto.CloneOf(m)) }
	}
	lock := s.chats[chat]
	lock.Lock()
	defer lock.Unlock()
	id, err := send()
	if err != nil {
		s.t.Errorf("%s: %v", text, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.came[chat] = append(s.came[chat], text)
	s.newest[chat] = id
}

// send has the account write to somebody, until it is said to be sent.
func (s *storm) send(in api.Send) string {
	for {
		s.client.RLock()
		c := s.Client
		s.client.RUnlock()
		from := time.Now()
		got, err := c.Send(s.ctx, in)
		took := time.Since(from)
		for w := s.worst.Load(); err == nil && int64(took) > w; w = s.worst.Load() {
			s.worst.CompareAndSwap(w, int64(took))
		}
		if err == nil {
			return got.MessageID
		}
		if s.ctx.Err() != nil {
			s.t.Errorf("send %s to %s: %v", in.Text, in.To, err)
			return ""
		}
		pause(s.ctx, 5*time.Millisecond)
	}
}

// sendOne sends the n-th message of a round, to one of the people, the group, or somebody new.
func (s *storm) sendOne(round, n int) {
	text := fmt.Sprintf("sent %d.%d", round, n)
	in := api.Send{Text: text, IdempotencyKey: text}
	p := s.people[n%len(s.people)]
	switch n % 4 {
	case 0:
		p = s.acc.NewContact("New", strconv.FormatInt(15550300000+s.news.Add(1), 10))
		p.AutoReceipt("")
		in.To = p.LID()
	case 1:
		in.To = s.teams[0].JID()
	case 2:
		s.mu.Lock()
		id := s.newest[p.PN()]
		s.mu.Unlock()
		if id != "" {
			s.send(api.Send{To: p.LID(), Reaction: &api.Reaction{MessageID: id, Emoji: "👍", Author: p.LID()}, IdempotencyKey: text + " r"})
		}
		in.To = p.LID()
	default:
		in.To = p.LID()
	}
	id := s.send(in)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[text] = id
}

func (s *storm) lockStore(d time.Duration) {
	db, err := sql.Open("sqlite", "file:"+s.path+"?_pragma=busy_timeout(10000)&_txlock=immediate")
	must(s.t, err)
	defer db.Close()
	tx, err := db.BeginTx(s.ctx, nil)
	if err != nil {
		return
	}
	pause(s.ctx, d)
	_ = tx.Rollback()
}

// trouble is what goes wrong; the names are for what is printed.
func (s *storm) trouble() map[string]func() {
	pick := func() *wasim.Contact { return s.people[1+s.random.IntN(len(s.people)-1)] }
	change := func(f func(c *Client)) func() {
		return func() {
			s.client.RLock()
			defer s.client.RUnlock()
			f(s.Client)
		}
	}
	reopen := func(c *Client) {
		for {
			if l, err := c.Connect(s.ctx); err == nil && l.State == api.LinkConnected || s.ctx.Err() != nil {
				return
			}
			pause(s.ctx, 5*time.Millisecond)
		}
	}
	return map[string]func(){
		"drop":     s.acc.Drop,
		"stream":   func() { s.acc.StreamError("503") },
		"replaced": change(func(c *Client) { s.acc.Replace(); pause(s.ctx, 20*time.Millisecond); reopen(c) }),
		"closed":   change(func(c *Client) { _, _ = c.Disconnect(s.ctx); reopen(c) }),
		"restarted": func() {
			s.client.Lock()
			defer s.client.Unlock()
			s.restart()
		},
		"full": func() {
			room := s.fillDisk("INSERT ON whatsmeow_event_buffer")
			pause(s.ctx, 100*time.Millisecond)
			room()
		},
		"no sessions": func() {
			room := s.fillDisk("UPDATE ON whatsmeow_sessions")
			pause(s.ctx, 50*time.Millisecond)
			room()
		},
		"locked": func() { s.lockStore(300 * time.Millisecond) },
		"refused": func() {
			s.engine.Hook(func(op string) error {
				if op == "Append" {
					return outbox.ErrFull
				}
				return nil
			})
			pause(s.ctx, 50*time.Millisecond)
			s.engine.Hook(s.slow)
		},
		"name": func() { _ = s.acc.SetPushName(s.ctx, fmt.Sprint("Shop ", s.random.IntN(100))) },
		"member": func() {
			if err := s.teams[0].Add(s.ctx, s.people[0], s.acc.NewContact("Member", strconv.FormatInt(15550400000+s.news.Add(1), 10))); err != nil {
				s.t.Error(err)
			}
		},
		"leaves": func() {
			x := s.acc.NewContact("Leaver", strconv.FormatInt(15550500000+s.news.Add(1), 10))
			_ = s.teams[0].Add(s.ctx, s.people[0], x)
			_ = s.teams[0].Remove(s.ctx, s.people[0], x)
		},
		"star":    func() { _ = s.acc.SaveContact(s.ctx, pick(), fmt.Sprint("Name ", s.random.IntN(100))) },
		"prekeys": func() { _, _ = s.acc.UsePreKeys(s.ctx, 300) },
		"addressing": func() {
			pick().SetAddressing([]wasim.Addressing{wasim.ByPN, wasim.ByLID, wasim.ByPNAlone}[s.random.IntN(3)])
		},
		"fault": func() {
			all := []fault.Fault{
				{From: fault.Server, Tag: "message", Effect: fault.Twice},
				{From: fault.Server, Tag: "message", Effect: fault.CutAfter},
				{From: fault.Server, Tag: "message", Effect: fault.CutBefore},
				{From: fault.Companion, Tag: "receipt", Effect: fault.CutBefore},
				{From: fault.Companion, Tag: "receipt", Effect: fault.Lose},
				{From: fault.Companion, Tag: "ack", Effect: fault.Lose},
				{From: fault.Companion, Tag: "message", Effect: fault.CutAfter},
				{From: fault.Companion, Tag: "iq", Effect: fault.CutBefore},
			}
			f := all[s.random.IntN(len(all))]
			f.Skip = s.random.IntN(20)
			must(s.t, s.acc.Fault(f))
		},
		"repeat": func() { // the same message, with another time
			s.mu.Lock()
			id := s.newest[pick().PN()]
			s.mu.Unlock()
			if id != "" {
				_ = s.acc.Repeat(s.ctx, id, time.Now())
			}
		},
		"bigger": func() {
			for range 3 {
				s.acc.Drop()
				pause(s.ctx, 30*time.Millisecond)
			}
		},
		"receipts": func() {
			s.mu.Lock()
			ids := make([]string, 0)
			for _, id := range s.sent {
				ids = append(ids, id)
			}
			s.mu.Unlock()
			for _, id := range ids[:min(len(ids), 5)] {
				if id != "" {
					_ = pick().SendReceipt(s.ctx, "read", id)
				}
			}
		},
	}
}

// TestGroupStorm: messages are decrypted ahead of what is stored while the account sends, the link
// is cut, closed and replaced, disks are full and locked, and the service is started again. Every
// message arrives once and in its chat's order, every send under one id, and all go on writing.
func TestGroupStorm(t *testing.T) {
	rounds := 4
	if v := os.Getenv(stormRounds); v != "" {
		n, err := strconv.Atoi(v)
		must(t, err)
		rounds = n
	}
	const each, seed = 30, 9
	r := linkedRig(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit+time.Duration(rounds)*time.Minute)
	t.Cleanup(cancel)
	s := &storm{rig: r, ctx: ctx, random: rand.New(rand.NewPCG(seed, 1)), chats: make(map[string]*sync.Mutex), came: make(map[string][]string), sent: make(map[string]string), newest: make(map[string]string)}
	for i := range 6 {
		p := r.acc.NewContact(fmt.Sprint("Person ", i), strconv.Itoa(15550200000+i))
		p.AutoReceipt("")
		s.people = append(s.people, p)
		s.chats[p.PN()] = new(sync.Mutex)
	}
	s.teams = append(s.teams, r.acc.NewGroup("Team", s.people...))
	s.chats[s.teams[0].JID()] = new(sync.Mutex)
	hung := context.AfterFunc(ctx, func() {
		stacks := make([]byte, 4<<20)
		t.Logf("it hangs: %s", stacks[:runtime.Stack(stacks, true)])
	})
	defer hung()
	troubles := s.trouble()
	names := slices.Sorted(maps.Keys(troubles))
	s.slow = func(op string) error {
		if op == "Append" {
			pause(ctx, time.Duration(1+rand.IntN(8))*time.Millisecond)
		}
		return nil
	}
	s.engine.Hook(s.slow)
	for round := range rounds {
		var wg sync.WaitGroup
		held := s.random.IntN(2) == 0
		if held {
			s.acc.Hold(true)
		}
		for i, p := range s.people {
			wg.Go(func() {
				for n := range each {
					s.write(p, fmt.Sprintf("%d.%d.%d", i, round, n))
				}
			})
		}
		if held {
			wg.Wait()
			s.acc.Hold(false)
		}
		for k := range 3 {
			wg.Go(func() {
				for n := range 4 {
					s.sendOne(round, k*4+n)
				}
			})
		}
		var what []string
		for range 3 {
			name := names[s.random.IntN(len(names))]
			what = append(what, name)
			pause(ctx, time.Duration(s.random.IntN(60))*time.Millisecond)
			troubles[name]()
		}
		wg.Wait()
		t.Logf("round %d: %v held %v, pending %d, worst send %v", round, what, held, len(r.acc.Pending()), time.Duration(s.worst.Load()))
		if ctx.Err() != nil {
			break
		}
	}
	r.acc.ClearFaults()
	r.acc.Drop()
	if err := r.acc.WaitDrained(ctx); err != nil {
		t.Fatalf("%d pending: %v; link %+v, alarms %v", len(r.acc.Pending()), err, r.Link(), r.Alarms())
	}
	for i, p := range s.people {
		s.write(p, fmt.Sprintf("%d.after.1", i))
		s.write(p, fmt.Sprintf("%d.after.2", i))
		s.send(api.Send{To: p.LID(), Text: fmt.Sprint("after ", i), IdempotencyKey: fmt.Sprint("after ", i)})
		s.sent[fmt.Sprint("after ", i)] = "x"
	}
	s.send(api.Send{To: s.teams[0].JID(), Text: "after", IdempotencyKey: "after"})
	s.sent["after"] = "x"
	must(t, r.acc.WaitDrained(ctx))
	s.compare()
	for _, a := range r.Alarms() {
		t.Errorf("alarm %+v", a)
	}
	t.Logf("worst send %v", time.Duration(s.worst.Load()))
}

func (s *storm) compare() {
	texts := make(map[string][]string)
	for _, ev := range s.named(translate.MessageReceived) {
		var b struct {
			Data struct {
				Messages []struct {
					Key struct {
						RemoteJID, RemoteJIDAlt string
						ID                      string
					}
					Message struct{ Conversation string }
				}
			}
		}
		must(s.t, json.Unmarshal(ev.Body, &b))
		m := b.Data.Messages[0]
		chat := m.Key.RemoteJID
		for _, p := range s.people {
			if chat == p.LID() {
				chat = p.PN()
			}
		}
		if m.Message.Conversation == "" {
			s.t.Errorf("no text: %s", ev.Body)
		}
		texts[chat] = append(texts[chat], m.Message.Conversation)
	}
	for chat, want := range s.came {
		if got := texts[chat]; !slices.Equal(got, want) {
			s.t.Errorf("%s: got %d, want %d", chat, len(got), len(want))
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					s.t.Errorf(" first difference at %d: got %q want %q", i, got[min(i, len(got)):min(i+6, len(got))], want[i:min(i+6, len(want))])
					break
				}
			}
		}
	}
	count := make(map[string]map[string]bool)
	for _, p := range s.acc.Contacts() {
		for _, m := range p.Received() {
			if count[m.Text] == nil {
				count[m.Text] = make(map[string]bool)
			}
			count[m.Text][m.ID] = true
		}
	}
	for text := range s.sent {
		if n := len(count[text]); n != 1 {
			s.t.Errorf("%q was received under %d ids", text, n)
		}
	}
}
