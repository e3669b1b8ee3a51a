package wasim

import (
	"context"
	"fmt"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Ring is a call of a contact.
type Ring struct {
	ID     string    // "" makes one
	At     time.Time // zero is now
	Video  bool
	Group  *Group // nil is a direct call
	Notice bool   // only <offer_notice>, which devices get that cannot take the call
}

// Call lets the contact call the account and returns the call's id. Like every call stanza it is
// queued.
func (c *Contact) Call(ctx context.Context, r Ring) (string, error) {
	if r.ID == "" {
		r.ID = strings.ToUpper(messageID("", 16))
	}
	media := "audio"
	offer := waBinary.Node{Tag: "offer"}
	if r.Video {
		media = "video"
	}
	content := []waBinary.Node{{Tag: "audio", Attrs: waBinary.Attrs{"enc": "opus", "rate": "16000"}}}
	if r.Video {
		content = append(content, waBinary.Node{Tag: "video", Attrs: waBinary.Attrs{"enc": "vp8", "orientation": "0"}})
	}
	offer.Content = content
	if r.Notice {
		offer = waBinary.Node{Tag: "offer_notice", Attrs: waBinary.Attrs{"media": media, "type": "contact"}}
		if r.Group != nil {
			offer.Attrs["type"] = "group"
		}
	}
	return r.ID, c.call(ctx, r, offer)
}

// EndCall ends a call: the reason is "timeout" for one that nobody took, "" when the caller hung
// up, or "accepted_elsewhere" and the like. A missed call of somebody who was offline is only this.
func (c *Contact) EndCall(ctx context.Context, r Ring, reason string) error {
	end := waBinary.Node{Tag: "terminate", Attrs: waBinary.Attrs{}}
	if reason != "" {
		end.Attrs["reason"] = reason
	}
	return c.call(ctx, r, end)
}

func (c *Contact) call(ctx context.Context, r Ring, what waBinary.Node) error {
	n := c.direct("call", stanzaID())
	for _, name := range []string{"sender_pn", "sender_lid"} {
		delete(n.Attrs, name)
	}
	n.Attrs["platform"], n.Attrs["version"] = "android", "2.26.30"
	if !r.At.IsZero() {
		n.Attrs["t"] = unix(r.At)
	}
	if what.Attrs == nil {
		what.Attrs = waBinary.Attrs{}
	}
	what.Attrs["call-id"], what.Attrs["call-creator"] = r.ID, n.Attrs["from"]
	if from, _ := n.Attrs["from"].(types.JID); from == c.lid {
		what.Attrs["caller_pn"] = c.pn
	}
	if r.Group != nil {
		if err := r.Group.mustHave(c); err != nil {
			return err
		}
		what.Attrs["group-jid"] = r.Group.jid
	}
	n.Content = []waBinary.Node{what}
	if err := c.acct.SendStanza(ctx, n); err != nil {
		return fmt.Errorf("call %s: %w", r.ID, err)
	}
	return nil
}
