package directory

import (
	"context"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/translate"
)

// person is one user under both addresses, as far as they are known.
type person struct {
	pn, lid types.JID
	info    types.ContactInfo
}

// phone is the number with its +, "" where it is not known.
func (p person) phone() string {
	if p.pn.User == "" {
		return ""
	}
	return "+" + p.pn.User
}

// name is the best name there is: that of the address book, else the one people give themselves.
func (p person) name() string {
	for _, name := range []string{p.info.FullName, p.info.FirstName, p.info.BusinessName, p.info.PushName} {
		if name != "" {
			return name
		}
	}
	return ""
}

// names are all names that people may look for.
func (p person) names() []string {
	return []string{p.info.FullName, p.info.FirstName, p.info.BusinessName, p.info.PushName}
}

// jid is the address that is written to: the LID where one is known.
func (p person) jid() types.JID {
	if p.lid.User != "" {
		return p.lid
	}
	return p.pn
}

// alt is the other address, the zero JID when only one is known.
func (p person) alt() types.JID {
	if p.lid.User != "" {
		return p.pn
	}
	return types.JID{}
}

// people are the contacts the library's store has, each once.
type people struct {
	pn, lid types.JID // of the account
	all     []*person
	by      map[types.JID]*person // under either address
}

// readPeople reads the store. It has a contact under its phone number, under its LID, or under
// both.
func readPeople(ctx context.Context, cli *whatsmeow.Client) (*people, error) {
	contacts, err := cli.Store.Contacts.GetAllContacts(ctx)
	if err != nil {
		return nil, err
	}
	var numbers []types.JID
	for jid := range contacts {
		if jid.Server == types.DefaultUserServer {
			numbers = append(numbers, jid)
		}
	}
	lids := map[types.JID]types.JID{}
	if len(numbers) > 0 {
		if lids, err = cli.Store.LIDs.GetManyLIDsForPNs(ctx, numbers); err != nil {
			return nil, err
		}
	}
	p := &people{
		pn: translate.BareJID(cli.Store.GetJID()), lid: translate.BareJID(cli.Store.GetLID()),
		by: make(map[types.JID]*person, 2*len(contacts)),
	}
	for _, pn := range numbers {
		p.add(pn, lids[pn], contacts[pn])
	}
	for jid, info := range contacts {
		switch {
		case jid.Server != types.HiddenUserServer:
		case p.by[jid] != nil:
			p.by[jid].merge(info)
		default:
			pn, err := cli.Store.LIDs.GetPNForLID(ctx, jid)
			if err != nil {
				return nil, err
			}
			p.add(pn, jid, info)
		}
	}
	return p, nil
}

func (p *people) add(pn, lid types.JID, info types.ContactInfo) *person {
	who := &person{pn: translate.BareJID(pn), lid: translate.BareJID(lid), info: info}
	p.all = append(p.all, who)
	for _, jid := range []types.JID{who.pn, who.lid} {
		if jid.User != "" {
			p.by[jid] = who
		}
	}
	return who
}

// merge takes over what the other address's entry knows besides.
func (p *person) merge(info types.ContactInfo) {
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&p.info.FullName, info.FullName}, {&p.info.FirstName, info.FirstName},
		{&p.info.BusinessName, info.BusinessName}, {&p.info.PushName, info.PushName},
	} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
}

// at finds a person by any of its addresses; one who is no contact has the addresses alone.
func (p *people) at(jids ...types.JID) person {
	var who person
	for _, jid := range jids {
		jid = translate.BareJID(jid)
		if known := p.by[jid]; known != nil {
			return *known
		}
		switch jid.Server {
		case types.DefaultUserServer:
			who.pn = jid
		case types.HiddenUserServer:
			who.lid = jid
		}
	}
	return who
}

func (p *people) isMe(m types.GroupParticipant) bool {
	for _, jid := range []types.JID{m.JID, m.PhoneNumber, m.LID} {
		if jid = translate.BareJID(jid); jid.User != "" && (jid == p.pn || jid == p.lid) {
			return true
		}
	}
	return false
}
