package wasim

import (
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// onlyConfirmed are the namespaces in which a client only wants to hear that it was heard.
var onlyConfirmed = []string{
	"abt", "blocklist", "bot", "disappearing_mode", "newsletter", "passive", "privacy", "status", "tos", "urn:xmpp:whatsapp:dirty",
	"urn:xmpp:whatsapp:push", "w", "w:biz", "w:p", "w:profile:picture", "w:qr", "w:stats", "w:sync:app:state",
}

// handleIQ returns an iq of the companion.
func (a *Account) handleIQ(c *conn, d *device, n *waBinary.Node) error {
	kind := attrString(*n, "type")
	if kind != "get" && kind != "set" {
		return nil // a result nobody waits for
	}
	if attrString(*n, "id") == "" || attrString(*n, "xmlns") == "" {
		a.srv.log.Warn("malformed iq refused", "id", attrString(*n, "id"), "xmlns", attrString(*n, "xmlns"))
		return c.send(iqError(n, 400, "bad-request"))
	}
	reply, after := a.replyToIQ(c, d, n, attrString(*n, "xmlns")+" "+kind)
	err := c.send(reply)
	if after != nil {
		after()
	}
	return err
}

// replyToIQ returns the reply, and what to do once it is sent.
func (a *Account) replyToIQ(c *conn, d *device, n *waBinary.Node, what string) (reply waBinary.Node, after func()) {
	switch what {
	case "encrypt get":
		if keys, ok := n.GetOptionalChildByTag("key"); ok {
			return iqResult(n, a.bundles(d, keys)), nil
		}
		if _, ok := n.GetOptionalChildByTag("digest"); ok {
			return iqResult(n, a.digest(d)), nil
		}
		return iqResult(n, a.preKeyCount(d)), nil
	case "encrypt set":
		if _, ok := n.GetOptionalChildByTag("list"); ok {
			if err := a.uploadPreKeys(d, n); err != nil {
				a.srv.log.Warn("prekeys refused", "error", err)
				return iqError(n, 406, "not-acceptable"), nil
			}
		}
		return iqResult(n), nil
	case "passive set":
		if _, ok := n.GetOptionalChildByTag("active"); ok {
			return iqResult(n), func() { a.activate(c, d) }
		}
		return iqResult(n), nil
	case "usync get":
		return iqResult(n, a.usync(n.GetChildByTag("usync"))), nil
	case "w:g2 get", "w:g2 set":
		return a.groupIQ(d, n)
	case "w:sync:app:state set":
		return a.syncState(c.ctx, d, n)
	case "privacy get":
		return iqResult(n, privacy()), nil
	case "blocklist get":
		return iqResult(n, waBinary.Node{Tag: "list"}), nil
	case "w:profile:picture get":
		return iqError(n, 404, "item-not-found"), nil
	case "w:m set":
		return iqResult(n, waBinary.Node{Tag: "media_conn", Attrs: waBinary.Attrs{
			"auth": mediaAuth, "ttl": 3600, "auth_ttl": 3600, "max_buckets": 12,
		}, Content: []waBinary.Node{{Tag: "host", Attrs: waBinary.Attrs{"hostname": "127.0.0.1"}}}}), nil
	case "w:mex get":
		return a.mex(n), nil
	case "newsletter set":
		return iqResult(n, waBinary.Node{Tag: "live_updates", Attrs: waBinary.Attrs{"duration": "90"}}), nil
	case "md set":
		if _, ok := n.GetOptionalChildByTag("remove-companion-device"); ok {
			return iqResult(n), func() { a.loggedOut(d) }
		}
		return iqResult(n), nil
	}
	if !slices.Contains(onlyConfirmed, attrString(*n, "xmlns")) {
		a.srv.log.Warn("iq of an unknown kind refused", "xmlns", attrString(*n, "xmlns"), "type", attrString(*n, "type"))
		return iqError(n, 501, "feature-not-implemented"), nil
	}
	return iqResult(n), nil
}

// loggedOut removes the companion at its own wish: no stream error, which would
// race with what the client does then.
func (a *Account) loggedOut(d *device) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.device == d {
		a.forgetDevice()
	}
}

func privacy() waBinary.Node {
	var categories []waBinary.Node
	for _, name := range []string{"groupadd", "last", "status", "profile", "readreceipts", "calladd"} {
		categories = append(categories, waBinary.Node{Tag: "category", Attrs: waBinary.Attrs{"name": name, "value": "all"}})
	}
	categories = append(categories, waBinary.Node{Tag: "category", Attrs: waBinary.Attrs{"name": "online", "value": "all"}})
	return waBinary.Node{Tag: "privacy", Content: categories}
}

func iqResult(n *waBinary.Node, content ...waBinary.Node) waBinary.Node {
	r := waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"from": asked(n), "type": "result", "id": n.Attrs["id"]}}
	if len(content) > 0 {
		r.Content = content
	}
	return r
}

func iqError(n *waBinary.Node, code int, text string) waBinary.Node {
	return waBinary.Node{
		Tag: "iq", Attrs: waBinary.Attrs{"from": asked(n), "type": "error", "id": n.Attrs["id"]},
		Content: []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": code, "text": text}}},
	}
}

// asked is whom an iq was addressed to.
func asked(n *waBinary.Node) types.JID {
	if to, ok := n.Attrs["to"].(types.JID); ok {
		return to
	}
	return types.ServerJID
}
