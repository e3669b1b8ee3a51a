package wasim

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"
)

// channelRoutes are what channels publish.
func channelRoutes() []route {
	return []route{
		{"POST", "/channels", "add a channel that the account follows; the companion is not told", `{"name":"News"}`, controlNewChannel},
		{"GET", "/channels", "list an account's channels", "?account=491515550100", controlChannels},
		{"POST", "/channels/messages", `publish in a channel; action "edit" or "delete" changes the message id, "status" publishes a status`, `{"channel":"News","text":"hello","action":"","id":""}`, controlPublish},
		{"POST", "/channels/follow", "follow a channel on the phone, or leave it", `{"channel":"News","on":true}`, controlFollow},
	}
}

// callRoutes are calls of contacts.
func callRoutes() []route {
	return []route{
		{"POST", "/calls", "call the account; notice sends only what devices get that cannot take the call", `{"from":"Bob","video":false,"group":"","notice":false}`, controlCall},
		{"POST", "/calls/end", `end a call; the reason "timeout" makes it a missed one`, `{"from":"Bob","id":"…","reason":"timeout","group":""}`, controlEndCall},
	}
}

func (a *Account) findChannel(name string) (*Channel, error) {
	for _, ch := range a.Channels() {
		if name == ch.JID() || name == ch.Name() {
			return ch, nil
		}
	}
	return nil, fmt.Errorf("%w channel %q", errUnknown, name)
}

func (ch *Channel) view() map[string]string {
	return map[string]string{"jid": ch.JID(), "name": ch.Name()}
}

func controlNewChannel(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, errors.New("a channel needs a name")
	}
	return a.NewChannel(in.Name).view(), nil
}

func controlChannels(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	list := []map[string]string{}
	for _, ch := range a.Channels() {
		list = append(list, ch.view())
	}
	return map[string]any{"channels": list}, nil
}

func (s *Server) channelOf(in request) (*Channel, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	return a.findChannel(in.Channel)
}

func controlPublish(ctx context.Context, s *Server, in request) (any, error) {
	ch, err := s.channelOf(in)
	if err != nil {
		return nil, err
	}
	m := &waE2E.Message{}
	if in.Text != "" {
		m.ExtendedTextMessage = &waE2E.ExtendedTextMessage{Text: proto.String(in.Text)}
	}
	if len(in.Message) > 0 {
		if err := protojson.Unmarshal(in.Message, m); err != nil {
			return nil, fmt.Errorf("message is no WhatsApp message: %w", err)
		}
	}
	var id string
	switch in.Action {
	case "":
		id, err = ch.Post(ctx, m, in.Form)
	case "status":
		id, err = ch.PostStatus(ctx, m)
	case "edit":
		id, err = in.ID, ch.Edit(ctx, in.ID, m)
	case "delete":
		id, err = in.ID, ch.Delete(ctx, in.ID)
	default:
		err = fmt.Errorf("action %q is not edit, delete or status", in.Action)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"ids": []string{id}}, nil
}

func controlFollow(ctx context.Context, s *Server, in request) (any, error) {
	ch, err := s.channelOf(in)
	if err != nil {
		return nil, err
	}
	return nil, ch.Follow(ctx, in.On)
}

// ringOf reads a call from a request.
func (s *Server) ringOf(in request) (*Contact, Ring, error) {
	c, g, err := s.sender(in)
	return c, Ring{ID: in.ID, At: in.at(), Video: in.Video, Group: g, Notice: in.Notice}, err
}

func controlCall(ctx context.Context, s *Server, in request) (any, error) {
	c, r, err := s.ringOf(in)
	if err != nil {
		return nil, err
	}
	id, err := c.Call(ctx, r)
	return map[string]any{"id": id}, err
}

func controlEndCall(ctx context.Context, s *Server, in request) (any, error) {
	c, r, err := s.ringOf(in)
	if err != nil {
		return nil, err
	}
	return nil, c.EndCall(ctx, r, in.Reason)
}
