package wasim

import (
	"maps"

	"go.mau.fi/whatsmeow/types"
)

type savedChannel struct {
	User      string          `json:"user"`
	Name      string          `json:"name"`
	Followed  bool            `json:"followed"`
	Own       bool            `json:"own,omitempty"`
	Posts     map[string]post `json:"posts"`
	ServerIDs int             `json:"server_ids"`
}

func (ch *Channel) save() savedChannel {
	return savedChannel{User: ch.jid.User, Name: ch.name, Followed: ch.followed, Own: ch.own.Load(), Posts: maps.Clone(ch.posts), ServerIDs: ch.serverIDs}
}

func (in savedChannel) load(a *Account) *Channel {
	ch := &Channel{
		acct: a, jid: types.NewJID(in.User, types.NewsletterServer), name: in.Name, followed: in.Followed,
		posts: in.Posts, serverIDs: in.ServerIDs,
	}
	ch.own.Store(in.Own)
	if ch.posts == nil {
		ch.posts = make(map[string]post)
	}
	return ch
}
