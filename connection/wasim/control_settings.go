package wasim

import (
	"context"
	"fmt"
	"time"
)

// settingRoutes are what somebody does on the account's phone that its companion is told.
func settingRoutes() []route {
	return []route{
		{"POST", "/push-name", "change the account's name on its phone and sync it to the companion, which needs one to show presence", `{"name":"Shop"}`, controlPushName},
		{"POST", "/contacts/save", "put a name for a contact into the phone's address book", `{"contact":"Bob","name":"Bob Builder"}`, controlSaveContact},
		{"POST", "/star", "star a message from a contact, or from \"phone\", in a direct chat or a group, or take the star away", `{"from":"Bob","group":"","id":"3A…","on":true}`, controlStar},
		{"POST", "/mute", "mute the chat with a contact or a group for a while, or with 0s make it heard", `{"contact":"Bob","group":"","for":"8h"}`, controlMute},
		{"POST", "/read", "tell that messages of a contact were read on the own phone", `{"from":"Bob","ids":["3A…"]}`, controlRead},
	}
}

func controlPushName(ctx context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	return nil, a.SetPushName(ctx, in.Name)
}

func controlSaveContact(ctx context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	c, err := a.findContact(in.Contact)
	if err != nil {
		return nil, err
	}
	return nil, a.SaveContact(ctx, c, in.Name)
}

func controlStar(ctx context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	sender, chat := a.LID(), ""
	if in.From != ownPhone {
		c, err := a.findContact(in.From)
		if err != nil {
			return nil, err
		}
		sender, chat = c.LID(), c.LID()
	}
	if in.To != "" {
		to, err := a.findContact(in.To)
		if err != nil {
			return nil, err
		}
		chat = to.LID()
	}
	if in.Group != "" {
		g, err := a.findGroup(in.Group)
		if err != nil {
			return nil, err
		}
		chat = g.JID()
	}
	if chat == "" {
		return nil, fmt.Errorf("a message of the phone itself is in the chat of to or group")
	}
	return nil, a.Star(ctx, chat, sender, in.ID, in.On)
}

func controlMute(ctx context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	length, err := time.ParseDuration(in.For)
	if err != nil {
		return nil, fmt.Errorf("for %q is no duration such as 8h", in.For)
	}
	if in.Group != "" {
		g, err := a.findGroup(in.Group)
		if err != nil {
			return nil, err
		}
		return nil, a.Mute(ctx, g.JID(), length)
	}
	c, err := a.findContact(in.Contact)
	if err != nil {
		return nil, err
	}
	return nil, a.Mute(ctx, c.LID(), length)
}

func controlRead(ctx context.Context, s *Server, in request) (any, error) {
	c, _, err := s.sender(in)
	if err != nil {
		return nil, err
	}
	return nil, c.acct.PhoneRead(ctx, c, in.IDs...)
}
