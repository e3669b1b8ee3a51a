package wasim

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Own makes the account the channel's owner, so that the companion may publish in it.
func (ch *Channel) Own() { ch.own.Store(true) }

// role is what the account is in the channel.
func (ch *Channel) role() string {
	if ch.own.Load() {
		return "OWNER"
	}
	return "SUBSCRIBER"
}

// WaitPublished blocks until the companion has published n messages in the channel, and returns
// them.
func (ch *Channel) WaitPublished(ctx context.Context, n int) ([]Received, error) {
	var out []Received
	err := ch.acct.until(ctx, func() (bool, error) {
		out = append([]Received(nil), ch.published...)
		return len(out) >= n, nil
	})
	if err != nil {
		return out, fmt.Errorf("wait for %d messages in the channel %s (%d so far): %w", n, ch.name, len(out), err)
	}
	return out, nil
}

// publish takes a message of the companion for a channel and returns its number there, or the error
// code to refuse it with.
func (a *Account) publish(n *waBinary.Node, to types.JID) (serverID, code int) {
	ch, err := a.findChannel(to.String())
	if err != nil {
		return 0, 404
	}
	if !ch.own.Load() {
		return 0, 403
	}
	raw, _ := n.GetChildByTag("plaintext").Content.([]byte)
	m := &waE2E.Message{}
	if err := proto.Unmarshal(raw, m); err != nil || len(raw) == 0 {
		return 0, 400
	}
	id := attrString(*n, "id")
	a.mu.Lock()
	defer a.mu.Unlock()
	ch.serverIDs++
	ch.posts[id] = post{ServerID: ch.serverIDs, At: time.Now()}
	ch.published = append(ch.published, Received{ID: id, Chat: ch.JID(), Text: textOf(m), At: time.Now(), Message: m})
	a.changed.notify()
	return ch.serverIDs, 0
}
