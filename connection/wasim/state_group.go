package wasim

import (
	"time"

	"go.mau.fi/whatsmeow/types"
)

type savedGroup struct {
	User       string     `json:"user"`
	Creator    string     `json:"creator"`
	Created    time.Time  `json:"created"`
	Addressing Addressing `json:"addressing"`
	Subject    string     `json:"subject"`
	SubjectBy  string     `json:"subject_by"`
	SubjectAt  time.Time  `json:"subject_at"`
	Topic      string     `json:"topic,omitempty"`
	TopicID    string     `json:"topic_id,omitempty"`
	TopicBy    string     `json:"topic_by,omitempty"`
	TopicAt    time.Time  `json:"topic_at"`
	Version    int        `json:"version"`

	Settings        map[string]string `json:"settings,omitempty"`
	AnnounceVersion int               `json:"announce_version,omitempty"`
	Invite          string            `json:"invite,omitempty"`
	Community       bool              `json:"community,omitempty"`
	Parent          string            `json:"parent,omitempty"`
	DefaultSub      bool              `json:"default_sub,omitempty"`

	Members []savedMember `json:"members"`
}

type savedMember struct {
	LID  string `json:"lid"`
	Role string `json:"role,omitempty"`
}

func (g *Group) save() savedGroup {
	out := savedGroup{
		User: g.jid.User, Creator: g.creator.User, Created: g.created, Addressing: g.addressing,
		Subject: g.subject, SubjectBy: g.subjectBy.User, SubjectAt: g.subjectAt,
		Topic: g.topic, TopicID: g.topicID, TopicBy: g.topicBy.User, TopicAt: g.topicAt, Version: g.version,
		Settings: g.settings, AnnounceVersion: g.announceVersion, Invite: g.invite,
		Community: g.community, Parent: g.parent.User, DefaultSub: g.defaultSub,
	}
	for _, m := range g.members {
		out.Members = append(out.Members, savedMember{LID: m.lid.User, Role: m.role})
	}
	return out
}

func (in savedGroup) load(a *Account) *Group {
	user := func(s string) types.JID { return types.NewJID(s, types.HiddenUserServer) }
	g := &Group{
		acct: a, jid: types.NewJID(in.User, types.GroupServer), creator: user(in.Creator), created: in.Created, addressing: in.Addressing,
		subject: in.Subject, subjectBy: user(in.SubjectBy), subjectAt: in.SubjectAt,
		topic: in.Topic, topicID: in.TopicID, topicBy: user(in.TopicBy), topicAt: in.TopicAt, version: in.Version,
		settings: in.Settings, announceVersion: in.AnnounceVersion, invite: in.Invite,
		community: in.Community, defaultSub: in.DefaultSub,
	}
	if in.Parent != "" {
		g.parent = types.NewJID(in.Parent, types.GroupServer)
	}
	for _, m := range in.Members {
		one := a.member()
		if c := a.people[m.LID]; c != nil {
			one = c.member()
		}
		one.role = m.Role
		g.members = append(g.members, one)
	}
	return g
}
