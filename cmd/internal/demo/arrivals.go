package demo

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"

	"waoutbox/dispatcher/receiver"
)

// arrivals is what one endpoint has seen, per event.
type arrivals struct {
	mu     sync.Mutex
	events map[string]*arrival
}

type arrival struct {
	message     string // message id, "" for other events
	body        []byte
	accepted    bool
	replayed    bool // accepted as a replay
	attempts    int  // highest attempt number before a replay
	badSign     bool
	bodyChanged bool // the bytes were not the same on every attempt
}

func newArrivals() *arrivals { return &arrivals{events: map[string]*arrival{}} }

func (t *arrivals) add(d receiver.Delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.events[d.EventID]
	if e == nil {
		e = &arrival{message: messageID(d.Body), body: d.Body}
		t.events[d.EventID] = e
	}
	e.bodyChanged = e.bodyChanged || !bytes.Equal(e.body, d.Body)
	e.badSign = e.badSign || d.Signature != receiver.SignatureValid
	if d.Replay == 0 {
		e.attempts = max(e.attempts, d.Attempt)
	}
	if d.Accepted() {
		e.accepted = true
		e.replayed = e.replayed || d.Replay > 0
	}
}

// all returns a copy of what was seen.
func (t *arrivals) all() map[string]arrival {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]arrival, len(t.events))
	for id, e := range t.events {
		out[id] = *e
	}
	return out
}

// acceptedMessage reports whether a message was accepted at this endpoint, with the same bytes on
// every attempt.
func (t *arrivals) acceptedMessage(message string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e.message == message && e.accepted && !e.bodyChanged {
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

// summary counts what came of it. Lost is counted from outside: every message the simulator counts
// as acknowledged, and the one the service sent, must have been accepted by both endpoints.
func (s *setup) summary() Summary {
	s.mu.Lock()
	sum := Summary{Linked: s.linked, DeadLettered: s.dead}
	messages := make([]string, 0, len(s.texts))
	for id := range s.texts {
		messages = append(messages, id)
	}
	s.mu.Unlock()
	for _, a := range s.phone.Acked() {
		if a.Class == "message" && !slices.Contains(messages, a.ID) {
			messages = append(messages, a.ID)
		}
	}
	seen := map[string]bool{}
	for _, e := range []*endpoint{s.shop, s.crm} {
		for id, ev := range e.arrivals.all() {
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
			if !e.arrivals.acceptedMessage(id) {
				sum.Lost++
			}
		}
	}
	sum.Events = len(seen)
	return sum
}
