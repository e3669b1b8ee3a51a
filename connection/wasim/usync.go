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

// usync returns what the companion asks about users: devices, LID, whether a
// number is on WhatsApp.
func (a *Account) usync(request waBinary.Node) waBinary.Node {
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
	reply := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{}}
	var content []waBinary.Node
	switch {
	case byJID:
		reply.Attrs["jid"] = jid
	case found:
		reply.Attrs["jid"], reply.Attrs["pn_jid"] = p.lid, p.pn
	default:
		reply.Attrs["pn_jid"] = types.NewJID(number, types.DefaultUserServer)
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
	if wanted["lid"] && found && jid.Server != types.HiddenUserServer { // a LID has none
		content = append(content, waBinary.Node{Tag: "lid", Attrs: waBinary.Attrs{"val": p.lid}})
	}
	if wanted["status"] && found {
		content = append(content, waBinary.Node{Tag: "status", Content: []byte("simulated")})
	}
	reply.Content = content
	return reply
}

func deviceList(p person) waBinary.Node {
	devices := []waBinary.Node{{Tag: "device", Attrs: waBinary.Attrs{"id": 0}}}
	if p.companion != 0 {
		devices = append(devices, waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"id": int(p.companion), "key-index": int(p.companion)}})
	}
	return waBinary.Node{Tag: "devices", Content: []waBinary.Node{{Tag: "device-list", Content: devices}}}
}

// bundles returns what a request for prekeys asks for: those of contacts, of the own phone and of
// the companion itself.
func (a *Account) bundles(d *device, request waBinary.Node) waBinary.Node {
	var users []waBinary.Node
	for _, u := range request.GetChildrenByTag("user") {
		jid, _ := u.Attrs["jid"].(types.JID)
		reply := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": jid}}
		switch {
		case a.isSelf(jid) && jid.Device == d.pn.Device:
			reply.Content = a.companionBundle(d)
		case jid.Device != 0:
			reply.Content = []waBinary.Node{noSuchUser()}
		case a.isSelf(jid):
			reply.Content = a.phone.bundleNodes()
		default:
			if c := a.contact(jid); c != nil {
				reply.Content = c.party.bundleNodes()
			} else {
				reply.Content = []waBinary.Node{noSuchUser()}
			}
		}
		users = append(users, reply)
	}
	return waBinary.Node{Tag: "list", Content: users}
}

func noSuchUser() waBinary.Node {
	return waBinary.Node{Tag: "error", Attrs: waBinary.Attrs{"code": 404, "text": "item-not-found"}}
}
