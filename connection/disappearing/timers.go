// Package disappearing keeps after how long messages of each chat disappear, as far as events have
// told: what is sent into such a chat has to say so itself.
package disappearing

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Store keeps what outlives the process.
type Store interface {
	// Kept returns what Keep stored under a name, nil if nothing was.
	Kept(ctx context.Context, name string) ([]byte, error)
	Keep(ctx context.Context, name string, value []byte) error
}

// Timer is after how long messages of a chat disappear.
type Timer struct {
	Seconds uint32 `json:"seconds"`       // 0: they do not
	Set     int64  `json:"set,omitempty"` // when somebody chose that, unix seconds; 0: not known
}

// Timers are those of an account's chats. Safe for concurrent use.
type Timers struct {
	store Store
	mu    sync.Mutex
	known map[types.JID]Timer
}

// New returns the timers that a store keeps.
func New(store Store) *Timers {
	return &Timers{store: store, known: make(map[types.JID]Timer)}
}

// Forget begins anew, as for another account.
func (t *Timers) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.known)
}

// Of returns the timer of a chat; known is false where nothing has told of it.
func (t *Timers) Of(ctx context.Context, chat types.JID) (timer Timer, known bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(ctx, chat)
}

func (t *Timers) of(ctx context.Context, chat types.JID) (timer Timer, known bool, err error) {
	if timer, known = t.known[chat]; known {
		return timer, true, nil
	}
	raw, err := t.store.Kept(ctx, name(chat))
	if err != nil || raw == nil {
		return Timer{}, false, err
	}
	if err := json.Unmarshal(raw, &timer); err != nil {
		return Timer{}, false, fmt.Errorf("read the timer of a chat: %w", err)
	}
	t.known[chat] = timer
	return timer, true, nil
}

// Note keeps the timer of a chat, unless a newer one is known. It writes only what is new.
func (t *Timers) Note(ctx context.Context, chat types.JID, timer Timer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, known, err := t.of(ctx, chat)
	if err != nil || known && (old.Set > timer.Set || old == timer) {
		return err
	}
	raw, err := json.Marshal(timer)
	if err != nil {
		return err
	}
	if err := t.store.Keep(ctx, name(chat), raw); err != nil {
		return err
	}
	t.known[chat] = timer
	return nil
}

func name(chat types.JID) string { return "timer " + chat.String() }

// Told returns the timer that an event of the library tells of, and its chat; false: it tells of
// none. Most messages of a chat without one say nothing.
func Told(evt any, now time.Time) (chat types.JID, timer Timer, ok bool) {
	switch e := evt.(type) {
	case *events.GroupInfo:
		if e.Ephemeral == nil {
			return types.JID{}, Timer{}, false
		}
		return e.JID, ofGroup(*e.Ephemeral, e.Timestamp), true
	case *events.JoinedGroup:
		return e.JID, ofGroup(e.GroupEphemeral, now), true
	case *events.Message:
		timer, ok := ofMessage(e.Message, e.Info.Timestamp)
		return e.Info.Chat.ToNonAD(), timer, ok && e.SourceWebMsg == nil && isPerson(e.Info.Chat)
	}
	return types.JID{}, Timer{}, false
}

func ofGroup(e types.GroupEphemeral, at time.Time) Timer {
	timer := Timer{Set: at.Unix()}
	if e.IsEphemeral {
		timer.Seconds = e.DisappearingTimer
	}
	return timer
}

// OfGroup is the timer that WhatsApp tells of a group now.
func OfGroup(info *types.GroupInfo, now time.Time) Timer { return ofGroup(info.GroupEphemeral, now) }

// isPerson reports whether messages of the chat tell its timer. In a group its notifications do: a
// member's message would tell whatever its writer likes.
func isPerson(chat types.JID) bool {
	return chat.Server == types.DefaultUserServer || chat.Server == types.HiddenUserServer
}

// ofMessage returns the timer that a message sets, or with which it was sent, at the latest when
// the message was.
func ofMessage(m *waE2E.Message, at time.Time) (Timer, bool) {
	if p := m.GetProtocolMessage(); p != nil {
		if p.GetType() != waE2E.ProtocolMessage_EPHEMERAL_SETTING {
			return Timer{}, false
		}
		set := at.Unix()
		if told := p.GetEphemeralSettingTimestamp(); told > 0 {
			set = min(set, told)
		}
		return Timer{Seconds: p.GetEphemeralExpiration(), Set: set}, true
	}
	info := contextOf(m)
	if info.GetExpiration() == 0 {
		return Timer{}, false
	}
	return Timer{Seconds: info.GetExpiration(), Set: min(max(info.GetEphemeralSettingTimestamp(), 0), at.Unix())}, true
}

// contextOf returns the context of a message's content, nil where it has none.
func contextOf(m *waE2E.Message) (info *waE2E.ContextInfo) {
	m.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return true
		}
		of := fd.Message().Fields().ByName("contextInfo")
		if of != nil && v.Message().Has(of) {
			info, _ = v.Message().Get(of).Message().Interface().(*waE2E.ContextInfo)
		}
		return info == nil
	})
	return info
}
