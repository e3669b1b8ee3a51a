package wasim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
)

// ownPhone is the sender name that stands for the account's own phone.
const ownPhone = "phone"

// statusGroup is the group name that stands for the status.
const statusGroup = "status"

// maxCount bounds how many messages one request sends.
const maxCount = 100_000

// messageRoutes are what contacts and the own phone do in chats.
func messageRoutes() []route {
	return []route{
		{"POST", "/messages", `write as a contact, or from "phone" to a contact or group; count sends so many numbered ones; message takes any message in protobuf JSON; group "status" posts a status; form changes the stanza (id, at, edit, type, attrs, meta, enc_type, enc_version, hide, plain, unavailable, absent)`, `{"from":"Bob","text":"hello","group":"","to":"","count":1,"form":{"edit":"1"}}`, controlSend},
		{"POST", "/receipts", `tell the companion its messages were delivered (""), read or played`, `{"from":"Bob","type":"read","ids":["3EB0…"],"group":""}`, controlReceipt},
		{"POST", "/auto-receipts", "send these receipts for every message the contact receives; none turns it off", `{"from":"Bob","types":["","read"]}`, controlAutoReceipts},
		{"POST", "/presence", "show a contact available, or unavailable since last_seen (Unix seconds, 0 hidden)", `{"from":"Bob","available":false,"last_seen":1735689600}`, controlPresence},
		{"POST", "/typing", "show a contact composing, recording or paused", `{"from":"Bob","state":"composing","group":""}`, controlTyping},
		{"POST", "/corrupt", "make the contact's next count messages undecryptable", `{"from":"Bob","count":1}`, controlCorrupt},
		{"POST", "/forget-sessions", "let the contact start new sessions, as after a restored backup", `{"from":"Bob"}`, controlForgetSessions},
		{"POST", "/reinstall", "give the contact a new phone with a new identity, of which the companion is told", `{"from":"Bob"}`, controlReinstall},
		{"POST", "/prekeys/use", "use up to count of the companion's one-time prekeys up", `{"count":1000}`, controlUsePreKeys},
		{"POST", "/history", "let the own phone send the companion a part of the history, HistorySync in protobuf JSON", `{"message":{"syncType":"RECENT","conversations":[]}}`, controlHistory},
		{"POST", "/addressing", "choose which JID leads in a contact's or group's stanzas", `{"from":"Bob","group":"","addressing":"pn"}`, controlAddressing},
	}
}

func controlSend(ctx context.Context, s *Server, in request) (any, error) {
	send, err := s.sending(in)
	if err != nil {
		return nil, err
	}
	if in.Count < 0 || in.Count > maxCount {
		return nil, fmt.Errorf("count %d is not between 1 and %d", in.Count, maxCount)
	}
	if in.Count > 1 && in.Form.ID != "" {
		return nil, errors.New("several messages cannot have one id")
	}
	ids := []string{}
	for i := range max(in.Count, 1) {
		m := &waE2E.Message{}
		switch {
		case len(in.Message) > 0:
			if err := protojson.Unmarshal(in.Message, m); err != nil {
				return nil, fmt.Errorf("message is no WhatsApp message: %w", err)
			}
		case in.Count > 1:
			m.Conversation = proto.String(fmt.Sprintf("%s %d", in.Text, i+1))
		case in.Text == "" && (in.Form.Plain != nil || in.Form.Absent || in.Form.Unavailable != ""):
			// the form says what goes in the place of a message
		case in.Text == "":
			return nil, errors.New("neither text nor message given")
		default:
			m.Conversation = proto.String(in.Text)
		}
		id, err := send(ctx, m)
		if err != nil {
			return nil, fmt.Errorf("after %d messages: %w", i, err)
		}
		ids = append(ids, id)
	}
	return map[string]any{"ids": ids}, nil
}

// sending is how the messages of a request leave.
func (s *Server) sending(in request) (func(context.Context, *waE2E.Message) (string, error), error) {
	if in.From != ownPhone {
		c, g, err := s.sender(in)
		switch {
		case err != nil:
			return nil, err
		case in.Group == statusGroup:
			return func(ctx context.Context, m *waE2E.Message) (string, error) { return c.PostStatus(ctx, m, in.Form) }, nil
		case g != nil:
			return func(ctx context.Context, m *waE2E.Message) (string, error) { return c.SendGroupAs(ctx, g, m, in.Form) }, nil
		}
		return func(ctx context.Context, m *waE2E.Message) (string, error) { return c.SendAs(ctx, m, in.Form) }, nil
	}
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	if in.Group == statusGroup {
		return func(ctx context.Context, m *waE2E.Message) (string, error) { return a.PhonePostStatus(ctx, m, in.Form) }, nil
	}
	if in.Group != "" {
		g, err := a.findGroup(in.Group)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, m *waE2E.Message) (string, error) {
			return a.PhoneSendGroupAs(ctx, g, m, in.Form)
		}, nil
	}
	to, err := a.findContact(in.To)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, m *waE2E.Message) (string, error) { return a.PhoneSendAs(ctx, to, m, in.Form) }, nil
}

func controlReceipt(ctx context.Context, s *Server, in request) (any, error) {
	c, g, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	if g != nil {
		return nil, c.SendGroupReceipt(ctx, g, in.Type, in.IDs...)
	}
	return nil, c.SendReceipt(ctx, in.Type, in.IDs...)
}

func controlAutoReceipts(_ context.Context, s *Server, in request) (any, error) {
	c, _, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	c.AutoReceipt(in.Types...)
	return nil, nil
}

func controlPresence(ctx context.Context, s *Server, in request) (any, error) {
	c, _, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	var seen time.Time
	if in.LastSeen != 0 {
		seen = time.Unix(in.LastSeen, 0)
	}
	return nil, c.SetPresence(ctx, in.Available, seen)
}

func controlTyping(ctx context.Context, s *Server, in request) (any, error) {
	c, g, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	if g != nil {
		return nil, c.GroupTyping(ctx, g, in.State)
	}
	return nil, c.Typing(ctx, in.State)
}

func controlCorrupt(_ context.Context, s *Server, in request) (any, error) {
	c, _, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	c.CorruptNext(in.Count)
	return nil, nil
}

func controlForgetSessions(_ context.Context, s *Server, in request) (any, error) {
	c, _, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	c.ForgetSessions()
	return nil, nil
}

func controlReinstall(ctx context.Context, s *Server, in request) (any, error) {
	c, _, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	return nil, c.Reinstall(ctx)
}

func controlUsePreKeys(ctx context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	left, err := a.UsePreKeys(ctx, in.Count)
	return map[string]any{"left": left}, err
}

func controlHistory(ctx context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	h := &waHistorySync.HistorySync{}
	if err := protojson.Unmarshal(in.Message, h); err != nil {
		return nil, fmt.Errorf("message is no HistorySync: %w", err)
	}
	id, err := a.SendHistory(ctx, h)
	return map[string]any{"ids": []string{id}}, err
}

func controlAddressing(_ context.Context, s *Server, in request) (any, error) {
	mode, err := addressing(in.Address)
	if err != nil {
		return nil, err
	}
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	if in.Group != "" {
		g, err := a.findGroup(in.Group)
		if err != nil {
			return nil, err
		}
		g.SetAddressing(mode)
		return nil, nil
	}
	c, err := a.findContact(in.From)
	if err != nil {
		return nil, err
	}
	c.SetAddressing(mode)
	return nil, nil
}
