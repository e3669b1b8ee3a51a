package wasim

import (
	"context"
	"fmt"
)

// groupRoutes change groups, so that the companion is told.
func groupRoutes() []route {
	return []route{
		{"POST", "/groups/joined", "tell the companion it was added to the group", `{"group":"Team"}`, controlJoined},
		{"POST", "/groups/subject", "rename the group", `{"group":"Team","by":"Bob","subject":"Ours"}`, controlSubject},
		{"POST", "/groups/members", `add, remove, promote or demote; who "phone" is the account itself, for remove`, `{"group":"Team","by":"Bob","action":"add","who":["Eve"]}`, controlMembers},
	}
}

func (s *Server) groupOf(in request) (*Account, *Group, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, nil, err
	}
	g, err := a.findGroup(in.Group)
	return a, g, err
}

func controlJoined(ctx context.Context, s *Server, in request) (any, error) {
	_, g, err := s.groupOf(in)
	if err != nil {
		return nil, err
	}
	return nil, g.Joined(ctx)
}

func controlSubject(ctx context.Context, s *Server, in request) (any, error) {
	a, g, err := s.groupOf(in)
	if err != nil {
		return nil, err
	}
	by, err := a.findContact(in.By)
	if err != nil {
		return nil, err
	}
	return nil, g.SetSubject(ctx, by, in.Subject)
}

func controlMembers(ctx context.Context, s *Server, in request) (any, error) {
	a, g, err := s.groupOf(in)
	if err != nil {
		return nil, err
	}
	by, err := a.findContact(in.By)
	if err != nil {
		return nil, err
	}
	if in.Action == "remove" && len(in.Who) == 1 && in.Who[0] == ownPhone {
		return nil, g.RemoveAccount(ctx, by)
	}
	who, err := a.findContacts(in.Who)
	if err != nil {
		return nil, err
	}
	switch in.Action {
	case "add":
		err = g.Add(ctx, by, who...)
	case "remove":
		err = g.Remove(ctx, by, who...)
	case "promote":
		err = g.Promote(ctx, by, who...)
	case "demote":
		err = g.Demote(ctx, by, who...)
	default:
		err = fmt.Errorf("action %q is not add, remove, promote or demote", in.Action)
	}
	return nil, err
}
