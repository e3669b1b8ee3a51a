package wasim

import (
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// person is what the server tells about a user.
type person struct {
	pn, lid   types.JID
	companion uint16 // device number of the own companion, 0 for contacts
}

// lookup finds a user by phone number, phone number JID or LID.
func (a *Account) lookup(user string) (person, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if user == a.pn.User || user == a.lid.User {
		p := person{pn: a.pn, lid: a.lid}
		if a.device != nil {
			p.companion = a.device.pn.Device
		}
		return p, true
	}
	if c := a.people[user]; c != nil {
		return person{pn: c.pn, lid: c.lid}, true
	}
	return person{}, false
}

// usync answers what the companion asks about users: devices, LID, whether a
// number is on WhatsApp.
func (a *Account) usync(d *device, request waBinary.Node) waBinary.Node {
	query := request.GetChildByTag("query")
	list := request.GetChildByTag("list")
	wanted := make(map[string]bool)
	for _, n := range query.GetChildren() {
		wanted[n.Tag] = true
	}
	var users []waBinary.Node
	for _, u := range list.GetChildrenByTag("user") {
		users = append(users, a.usyncUser(u, wanted))
	}
	return waBinary.Node{Tag: "usync", Attrs: request.Attrs, Content: []waBinary.Node{{Tag: "list", Content: users}}}
}

func (a *Account) usyncUser(u waBinary.Node, wanted map[string]bool) waBinary.Node {
	jid, byJID := u.Attrs["jid"].(types.JID)
	number := jid.User
	var asked []byte
	if contact, ok := u.GetOptionalChildByTag("contact"); ok {
		asked, _ = contact.Content.([]byte)
		before, _, _ := strings.Cut(string(asked), "@")
		number = digits(before)
	}
	p, found := a.lookup(number)
	answer := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{}}
	var content []waBinary.Node
	switch {
	case byJID:
		answer.Attrs["jid"] = jid
	case found:
		answer.Attrs["jid"], answer.Attrs["pn_jid"] = p.lid, p.pn
	default:
		answer.Attrs["pn_jid"] = types.NewJID(number, types.DefaultUserServer)
	}
	if wanted["contact"] {
		in := "out"
		if found {
			in = "in"
		}
		content = append(content, waBinary.Node{Tag: "contact", Attrs: waBinary.Attrs{"type": in}, Content: asked})
	}
	if wanted["devices"] && found {
		content = append(content, deviceList(p))
	}
	if wanted["lid"] && found {
		content = append(content, waBinary.Node{Tag: "lid", Attrs: waBinary.Attrs{"val": p.lid}})
	}
	if wanted["status"] && found {
		content = append(content, waBinary.Node{Tag: "status", Content: []byte("simulated")})
	}
	answer.Content = content
	return answer
}

func deviceList(p person) waBinary.Node {
	devices := []waBinary.Node{{Tag: "device", Attrs: waBinary.Attrs{"id": 0}}}
	if p.companion != 0 {
		devices = append(devices, waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"id": int(p.companion), "key-index": int(p.companion)}})
	}
	return waBinary.Node{Tag: "devices", Content: []waBinary.Node{{Tag: "device-list", Content: devices}}}
}

// bundles answers a request for prekeys of contacts and of the own phone.
func (a *Account) bundles(request waBinary.Node) waBinary.Node {
	var users []waBinary.Node
	for _, u := range request.GetChildrenByTag("user") {
		jid, _ := u.Attrs["jid"].(types.JID)
		answer := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": jid}}
		switch {
		case jid.Device != 0:
			answer.Content = []waBinary.Node{noSuchUser()}
		case a.isSelf(jid):
			answer.Content = a.phone.bundleNodes()
		default:
			if c := a.contact(jid); c != nil {
				answer.Content = c.party.bundleNodes()
			} else {
				answer.Content = []waBinary.Node{noSuchUser()}
			}
		}
		users = append(users, answer)
	}
	return waBinary.Node{Tag: "list", Content: users}
}

func noSuchUser() waBinary.Node {
	return waBinary.Node{Tag: "error", Attrs: waBinary.Attrs{"code": 404, "text": "item-not-found"}}
}
