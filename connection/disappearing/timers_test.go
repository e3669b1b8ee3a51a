package disappearing

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

var (
	bob  = types.NewJID("204813927440123", types.HiddenUserServer)
	team = types.NewJID("120363025846172094", types.GroupServer)
	sent = time.Unix(1735689600, 0)
	now  = sent.Add(time.Hour)
)

// memory is a store, and counts what is written.
type memory struct {
	values map[string][]byte
	writes int
	err    error
}

func (m *memory) Kept(_ context.Context, name string) ([]byte, error) { return m.values[name], m.err }

func (m *memory) Keep(_ context.Context, name string, value []byte) error {
	if m.err == nil {
		m.values[name] = value
		m.writes++
	}
	return m.err
}

func from(chat types.JID, m *waE2E.Message) *events.Message {
	return &events.Message{Info: types.MessageInfo{Timestamp: sent, MessageSource: types.MessageSource{Chat: chat}}, Message: m}
}

func text(seconds uint32, set int64) *waE2E.Message {
	return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{ContextInfo: &waE2E.ContextInfo{Expiration: &seconds, EphemeralSettingTimestamp: &set}}}
}

func setting(seconds uint32, set int64) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: &seconds, EphemeralSettingTimestamp: &set}}
}

// Mutation of timers.go: a member of a group decides when what the account writes there disappears.
func TestTold(t *testing.T) {
	restored := from(bob, text(60, 5))
	restored.SourceWebMsg = &waWeb.WebMessageInfo{}
	for name, tt := range map[string]struct {
		evt  any
		want Timer
		ok   bool
	}{
		"a message with one":        {from(bob, text(60, 5)), Timer{60, 5}, true},
		"one without a time":        {from(bob, text(60, 0)), Timer{60, 0}, true},
		"a time to come":            {from(bob, text(60, math.MaxInt64)), Timer{60, sent.Unix()}, true},
		"a message without":         {from(bob, text(0, 5)), Timer{}, false},
		"a plain text":              {from(bob, &waE2E.Message{Conversation: proto.String("x")}), Timer{}, false},
		"turned off":                {from(bob, setting(0, 7)), Timer{0, 7}, true},
		"turned on, no time":        {from(bob, setting(86400, 0)), Timer{86400, sent.Unix()}, true},
		"another protocol message":  {from(bob, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REVOKE.Enum()}}), Timer{}, false},
		"a member of a group":       {from(team, text(60, 5)), Timer{}, false},
		"a copy from the phone":     {restored, Timer{}, false},
		"a group's change":          {&events.GroupInfo{JID: team, Timestamp: sent, Ephemeral: &types.GroupEphemeral{IsEphemeral: true, DisappearingTimer: 60}}, Timer{60, sent.Unix()}, true},
		"a group's end of it":       {&events.GroupInfo{JID: team, Timestamp: sent, Ephemeral: &types.GroupEphemeral{}}, Timer{0, sent.Unix()}, true},
		"another change of a group": {&events.GroupInfo{JID: team, Timestamp: sent}, Timer{}, false},
		"a group that was joined":   {&events.JoinedGroup{GroupInfo: types.GroupInfo{JID: team}}, Timer{0, now.Unix()}, true},
		"something else":            {&events.Connected{}, Timer{}, false},
	} {
		chat, got, ok := Told(tt.evt, now)
		if ok != tt.ok || ok && (got != tt.want || chat != bob && chat != team) {
			t.Errorf("%s: %v in %s, %v; want %v, %v", name, got, chat, ok, tt.want, tt.ok)
		}
	}
}

// The newest timer counts, is written once, and is there after a restart.
func TestTimers(t *testing.T) {
	m := &memory{values: make(map[string][]byte)}
	timers, ctx := New(m), t.Context()
	if _, known, err := timers.Of(ctx, bob); known || err != nil {
		t.Errorf("known from nothing: %v", err)
	}
	for _, timer := range []Timer{{60, 5}, {60, 5}, {90, 4}, {90, 0}, {120, 6}, {120, 6}} {
		if err := timers.Note(ctx, bob, timer); err != nil {
			t.Fatal(err)
		}
	}
	for _, timers := range []*Timers{timers, New(m)} {
		if got, known, err := timers.Of(ctx, bob); got != (Timer{120, 6}) || !known || err != nil || m.writes != 2 {
			t.Errorf("%v, %v, %v after %d writes", got, known, err, m.writes)
		}
	}
	timers.Forget()
	m.err = errors.New("the disk is full")
	if _, known, err := timers.Of(ctx, bob); known || err == nil {
		t.Error("a store that cannot be read says nothing")
	}
	if err := timers.Note(ctx, bob, Timer{1, 9}); err == nil {
		t.Error("a store that cannot be written says nothing")
	}
	m.err, m.values["timer "+bob.String()] = nil, []byte("{")
	if _, _, err := timers.Of(ctx, bob); err == nil {
		t.Error("a value that cannot be read")
	}
}
