package demo

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"

	"waoutbox/dispatcher/receiver"
)

// tally is what one endpoint has seen, per event.
type tally struct {
	mu     sync.Mutex
	events map[string]*eventTally
}

type eventTally struct {
	message   string // message id, "" for other events
	body      []byte
	accepted  bool
	replayed  bool // accepted as a replay
	attempts  int  // highest attempt number before a replay
	badSign   bool
	bodyMoved bool // the bytes were not the same on every attempt
}

func newTally() *tally { return &tally{events: map[string]*eventTally{}} }

func (t *tally) add(d receiver.Delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.events[d.EventID]
	if e == nil {
		e = &eventTally{message: messageID(d.Body), body: d.Body}
		t.events[d.EventID] = e
	}
	e.bodyMoved = e.bodyMoved || !bytes.Equal(e.body, d.Body)
	e.badSign = e.badSign || d.Signature != receiver.SignatureValid
	if d.Replay == 0 {
		e.attempts = max(e.attempts, d.Attempt)
	}
	if d.Accepted() {
		e.accepted = true
		e.replayed = e.replayed || d.Replay > 0
	}
}

// all answers a copy of what was seen.
func (t *tally) all() map[string]eventTally {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]eventTally, len(t.events))
	for id, e := range t.events {
		out[id] = *e
	}
	return out
}

// got reports whether a message was accepted at this endpoint, with the same bytes on every attempt.
func (t *tally) got(message string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e.message == message && e.accepted && !e.bodyMoved {
			return true
		}
	}
	return false
}

// messageBody is the part of an event's body the demo reads.
type messageBody struct {
	Data struct {
		Messages []struct {
			Key     struct{ ID string }
			Message struct{ Conversation string }
		}
	}
}

// messageID finds the message an event is about, "" for events without one.
func messageID(body []byte) string {
	var b messageBody
	if json.Unmarshal(body, &b) != nil || len(b.Data.Messages) == 0 {
		return ""
	}
	return b.Data.Messages[0].Key.ID
}

// messageText is the text of a plain message.
func messageText(body []byte) string {
	var b messageBody
	if json.Unmarshal(body, &b) != nil || len(b.Data.Messages) == 0 {
		return ""
	}
	return b.Data.Messages[0].Message.Conversation
}

// summary counts what came of it. Lost is counted from outside: every message the simulator counts as acknowledged, and the one
// the service sent, must have been accepted by both endpoints.
func (w *world) summary() Summary {
	w.mu.Lock()
	sum := Summary{Linked: w.linked, DeadLettered: w.dead}
	messages := make([]string, 0, len(w.said))
	for id := range w.said {
		messages = append(messages, id)
	}
	w.mu.Unlock()
	for _, a := range w.phone.Acked() {
		if a.Class == "message" && !slices.Contains(messages, a.ID) {
			messages = append(messages, a.ID)
		}
	}
	seen := map[string]bool{}
	for _, e := range []*endpoint{w.shop, w.crm} {
		for id, ev := range e.tally.all() {
			if !ev.accepted {
				continue
			}
			seen[id] = true
			sum.Delivered++
			if ev.attempts > 1 {
				sum.Retried++
			}
			if ev.replayed {
				sum.Replayed++
			}
			if !ev.badSign {
				sum.SignaturesValid++
			}
		}
		for _, id := range messages {
			if !e.tally.got(id) {
				sum.Lost++
			}
		}
	}
	sum.Events = len(seen)
	return sum
}
