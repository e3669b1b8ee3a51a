package wasim

import (
	"context"
	"errors"
	"fmt"
)

// groupRoutes change groups, so that the companion is told.
func groupRoutes() []route {
	return []route{
		{"POST", "/groups/joined", "tell the companion it was added to the group", `{"group":"Team"}`, controlJoined},
		{"POST", "/groups/subject", "rename the group", `{"group":"Team","by":"Bob","subject":"Ours"}`, controlSubject},
		{"POST", "/groups/members", `add, remove, promote or demote; who "phone" is the account itself, for remove`, `{"group":"Team","by":"Bob","action":"add","who":["Eve"]}`, controlMembers},
		{"POST", "/groups/set", "change a setting: announcement, not_announcement, locked, unlocked, ephemeral, not_ephemeral, membership_approval_mode, member_add_mode, invite, description, suspended, unsuspended or delete, with its value as text", `{"group":"Team","by":"Bob","state":"ephemeral","text":"86400"}`, controlGroupSet},
		{"POST", "/groups/change", "tell any change, as the child of the notification; nothing is recorded", `{"group":"Team","by":"Bob","node":{"tag":"growth_locked","attrs":{"type":"invite"}}}`, controlGroupChange},
		{"POST", "/communities", "make a community of groups, each by JID or subject", `{"subject":"Town","members":["Bob"],"who":["Team"]}`, controlNewCommunity},
		{"POST", "/communities/link", "link a group to a community, or with action unlink take it out", `{"subject":"Town","by":"Bob","group":"Team","action":"link"}`, controlLinkGroup},
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

// byOf finds the member who changes a group.
func (s *Server) byOf(in request) (*Account, *Group, *Contact, error) {
	a, g, err := s.groupOf(in)
	if err != nil {
		return nil, nil, nil, err
	}
	by, err := a.findContact(in.By)
	return a, g, by, err
}

func controlGroupSet(ctx context.Context, s *Server, in request) (any, error) {
	_, g, by, err := s.byOf(in)
	if err != nil {
		return nil, err
	}
	return nil, g.Set(ctx, by, in.State, in.Text)
}

func controlGroupChange(ctx context.Context, s *Server, in request) (any, error) {
	_, g, by, err := s.byOf(in)
	if err != nil {
		return nil, err
	}
	n, err := readNode(in.Node)
	if err != nil {
		return nil, err
	}
	return nil, g.Change(ctx, by, n)
}

func controlNewCommunity(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	if in.Subject == "" {
		return nil, errors.New("a community needs a subject")
	}
	members, err := a.findContacts(in.Members)
	if err != nil {
		return nil, err
	}
	var groups []*Group
	for _, name := range in.Who {
		g, err := a.findGroup(name)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return a.NewCommunity(in.Subject, members, groups...).view(), nil
}

func controlLinkGroup(ctx context.Context, s *Server, in request) (any, error) {
	a, g, by, err := s.byOf(in)
	if err != nil {
		return nil, err
	}
	parent, err := a.findGroup(in.Subject)
	if err != nil {
		return nil, err
	}
	if in.Action == "unlink" {
		return nil, parent.Unlink(ctx, by, g)
	}
	return nil, parent.Link(ctx, by, g)
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
