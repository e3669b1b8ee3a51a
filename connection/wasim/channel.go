package wasim

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Channel is a newsletter that an account follows. Its messages are not encrypted. Methods are safe
// for concurrent use.
type Channel struct {
	acct *Account
	jid  types.JID
	own  atomic.Bool // the account may publish

	// Guarded by the account's lock.
	name      string
	followed  bool
	posts     map[string]post // by message id
	serverIDs int             // given out so far
	published []Received      // by the companion
}

// post is what a channel's later stanzas about a message name.
type post struct {
	ServerID int       `json:"server_id"`
	At       time.Time `json:"at"`
}

// NewChannel makes a channel that the account follows. The companion is not told.
func (a *Account) NewChannel(name string) *Channel {
	ch := &Channel{
		acct: a, name: name, followed: true, posts: make(map[string]post),
		jid: types.NewJID(fmt.Sprintf("1203631%011d", uint64(uint24(randomBytes(3)))<<8|uint64(randomBytes(1)[0])), types.NewsletterServer),
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.channels = append(a.channels, ch)
	return ch
}

// Channels lists the account's channels in the order they were made.
func (a *Account) Channels() []*Channel {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*Channel(nil), a.channels...)
}

// JID is the channel's address.
func (ch *Channel) JID() string { return ch.jid.String() }

// Name is the channel's name.
func (ch *Channel) Name() string { return ch.name }

// Post publishes a message and returns its id.
func (ch *Channel) Post(ctx context.Context, m *waE2E.Message, f Form) (string, error) {
	f.id(func() string { return strings.ToUpper(messageID("", 10)) })
	if f.At.IsZero() {
		f.At = ch.acct.srv.now()
	}
	a := ch.acct
	a.mu.Lock()
	p, known := ch.posts[f.ID]
	if !known {
		ch.serverIDs++
		p = post{ServerID: ch.serverIDs, At: f.At}
		ch.posts[f.ID] = p
	}
	a.mu.Unlock()
	return f.ID, ch.tell(ctx, "message", p, m, f)
}

// PostStatus publishes a status of the channel and returns its id.
func (ch *Channel) PostStatus(ctx context.Context, m *waE2E.Message) (string, error) {
	f := Form{At: ch.acct.srv.now()}
	f.id(func() string { return strings.ToUpper(messageID("", 10)) })
	a := ch.acct
	a.mu.Lock()
	ch.serverIDs++
	p := post{ServerID: ch.serverIDs, At: f.At}
	a.mu.Unlock()
	return f.ID, ch.tell(ctx, "status", p, m, f)
}

// Edit replaces what a message of the channel says.
func (ch *Channel) Edit(ctx context.Context, id string, m *waE2E.Message) error {
	p, err := ch.posted(id)
	if err != nil {
		return err
	}
	at := ch.acct.srv.now()
	return ch.tell(ctx, "message", p, m, Form{ID: id, At: p.At, Edit: string(types.EditAttributeAdminEdit), Meta: map[string]string{
		"msg_edit_t": strconv.FormatInt(at.UnixMilli(), 10), "original_msg_t": strconv.FormatInt(unix(p.At), 10),
	}})
}

// Delete removes a message of the channel: the stanza has an edit attribute and an empty plaintext.
func (ch *Channel) Delete(ctx context.Context, id string) error {
	p, err := ch.posted(id)
	if err != nil {
		return err
	}
	return ch.tell(ctx, "message", p, &waE2E.Message{}, Form{ID: id, Edit: string(types.EditAttributeAdminRevoke)})
}

func (ch *Channel) posted(id string) (post, error) {
	ch.acct.mu.Lock()
	defer ch.acct.mu.Unlock()
	p, ok := ch.posts[id]
	if !ok {
		return p, fmt.Errorf("channel %s: %w message %s", ch.jid, errUnknown, id)
	}
	return p, nil
}

// tell queues a message of the channel.
func (ch *Channel) tell(ctx context.Context, tag string, p post, m *waE2E.Message, f Form) error {
	raw := f.Plain
	if raw == nil {
		var err error
		if raw, err = proto.Marshal(m); err != nil {
			return fmt.Errorf("channel %s: marshal: %w", ch.jid, err)
		}
	}
	attrs := waBinary.Attrs{"id": f.ID, "from": ch.jid, "t": unix(ch.acct.srv.now()), "server_id": p.ServerID}
	f.onHead(attrs, m)
	plaintext := waBinary.Node{Tag: "plaintext", Content: raw}
	if media := mediaType(m); media != "" {
		plaintext.Attrs = waBinary.Attrs{"mediatype": media}
	}
	content := append(f.children(), plaintext)
	if f.Absent {
		content = f.children()
	}
	return ch.acct.SendStanza(ctx, waBinary.Node{Tag: tag, Attrs: attrs, Content: content})
}

// Count tells the companion how often a message was seen, and how often each reaction was given.
func (ch *Channel) Count(ctx context.Context, id string, views int, reactions map[string]int) error {
	p, err := ch.posted(id)
	if err != nil {
		return err
	}
	var given []waBinary.Node
	for code, n := range reactions {
		given = append(given, waBinary.Node{Tag: "reaction", Attrs: waBinary.Attrs{"code": code, "count": n}})
	}
	return ch.acct.SendStanza(ctx, ch.acct.notification(ch.jid, "newsletter", waBinary.Node{Tag: "live_updates", Content: []waBinary.Node{{
		Tag: "message", Attrs: waBinary.Attrs{"id": id, "server_id": p.ServerID, "t": unix(p.At), "type": "text"},
		Content: []waBinary.Node{{Tag: "views_count", Attrs: waBinary.Attrs{"count": views}}, {Tag: "reactions", Content: given}},
	}}}))
}

// Follow tells the companion that the account's phone follows the channel, or no longer does.
func (ch *Channel) Follow(ctx context.Context, on bool) error {
	ch.setFollowed(on)
	if on {
		return ch.acct.Mex(ctx, "NotificationNewsletterJoin", map[string]any{"xwa2_notify_newsletter_on_join": ch.metadata()})
	}
	return ch.acct.Mex(ctx, "NotificationNewsletterLeave", map[string]any{"xwa2_notify_newsletter_on_leave": map[string]any{"id": ch.JID(), "role": "GUEST"}})
}

// metadata describes the channel as the server's GraphQL does.
func (ch *Channel) metadata() map[string]any {
	text := func(s string) map[string]any { return map[string]any{"text": s, "id": "1", "update_time": "0"} }
	return map[string]any{
		"id": ch.JID(), "state": map[string]any{"type": "ACTIVE"},
		"thread_metadata": map[string]any{
			"creation_time": "1700000000", "invite": "0029Va0000000000000000000", "name": text(ch.name), "description": text(""),
			"subscribers_count": "1", "verification": "UNVERIFIED", "preview": map[string]any{"id": "", "type": "PREVIEW", "direct_path": ""},
			"settings": map[string]any{"reaction_codes": map[string]any{"value": "ALL"}},
		},
		"viewer_metadata": map[string]any{"mute": "OFF", "role": ch.role()},
	}
}

// Mex queues a notification whose content is GraphQL data: channels followed and left, and
// restrictions of the account.
func (a *Account) Mex(ctx context.Context, operation string, data map[string]any) error {
	raw, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return a.SendStanza(ctx, a.notification(types.ServerJID, "mex", waBinary.Node{Tag: "update", Attrs: waBinary.Attrs{"op_name": operation}, Content: raw}))
}
