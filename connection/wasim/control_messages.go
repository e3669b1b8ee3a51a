package wasim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"
)

// ownPhone is the sender name that stands for the account's own phone.
const ownPhone = "phone"

// maxCount bounds how many messages one request sends.
const maxCount = 100_000

// messageRoutes are what contacts and the own phone do in chats.
func messageRoutes() []route {
	return []route{
		{"POST", "/messages", `write as a contact, or from "phone" to a contact or group; count sends so many numbered ones; message takes any message in protobuf JSON`, `{"from":"Bob","text":"hello","group":"","to":"","count":1}`, controlSend},
		{"POST", "/receipts", `tell the companion its messages were delivered (""), read or played`, `{"from":"Bob","type":"read","ids":["3EB0…"],"group":""}`, controlReceipt},
		{"POST", "/auto-receipts", "answer every message the contact receives with these receipts; none turns it off", `{"from":"Bob","types":["","read"]}`, controlAutoReceipts},
		{"POST", "/presence", "show a contact available, or unavailable since last_seen (Unix seconds, 0 hidden)", `{"from":"Bob","available":false,"last_seen":1735689600}`, controlPresence},
		{"POST", "/typing", "show a contact composing, recording or paused", `{"from":"Bob","state":"composing","group":""}`, controlTyping},
		{"POST", "/corrupt", "make the contact's next count messages undecryptable", `{"from":"Bob","count":1}`, controlCorrupt},
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
		_, c, g, err := s.sender(in)
		switch {
		case err != nil:
			return nil, err
		case g != nil:
			return func(ctx context.Context, m *waE2E.Message) (string, error) { return c.SendGroup(ctx, g, m) }, nil
		}
		return c.Send, nil
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
		return func(ctx context.Context, m *waE2E.Message) (string, error) { return a.PhoneSendGroup(ctx, g, m) }, nil
	}
	to, err := a.findContact(in.To)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, m *waE2E.Message) (string, error) { return a.PhoneSend(ctx, to, m) }, nil
}

func controlReceipt(ctx context.Context, s *Server, in request) (any, error) {
	_, c, g, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	if g != nil {
		return nil, c.SendGroupReceipt(ctx, g, in.Type, in.IDs...)
	}
	return nil, c.SendReceipt(ctx, in.Type, in.IDs...)
}

func controlAutoReceipts(_ context.Context, s *Server, in request) (any, error) {
	_, c, _, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	c.AutoReceipt(in.Types...)
	return nil, nil
}

func controlPresence(ctx context.Context, s *Server, in request) (any, error) {
	_, c, _, err := s.sender(in)
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
	_, c, g, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	if g != nil {
		return nil, c.GroupTyping(ctx, g, in.State)
	}
	return nil, c.Typing(ctx, in.State)
}

func controlCorrupt(_ context.Context, s *Server, in request) (any, error) {
	_, c, _, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	c.CorruptNext(in.Count)
	return nil, nil
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
