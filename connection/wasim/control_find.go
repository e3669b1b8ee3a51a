package wasim

import "fmt"

// findAccount finds an account by phone, JID or name; without a name, the only one.
func (s *Server) findAccount(name string) (*Account, error) {
	all := s.Accounts()
	if name == "" {
		if len(all) == 1 {
			return all[0], nil
		}
		return nil, fmt.Errorf("%w account: there are %d, so say which", errUnknown, len(all))
	}
	for _, a := range all {
		if name == a.Name() || matches(name, a.pn.User, a.PN(), a.LID()) {
			return a, nil
		}
	}
	return nil, fmt.Errorf("%w account %q", errUnknown, name)
}

// findContact finds a contact of an account by name, phone or JID.
func (a *Account) findContact(name string) (*Contact, error) {
	for _, c := range a.Contacts() {
		if name == c.name || matches(name, c.pn.User, c.PN(), c.LID()) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w contact %q", errUnknown, name)
}

func (a *Account) findContacts(names []string) ([]*Contact, error) {
	var list []*Contact
	for _, name := range names {
		c, err := a.findContact(name)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// findGroup finds a group of an account by JID or subject.
func (a *Account) findGroup(name string) (*Group, error) {
	for _, g := range a.Groups() {
		if name == g.JID() || name == g.Subject() {
			return g, nil
		}
	}
	return nil, fmt.Errorf("%w group %q", errUnknown, name)
}

func matches(name, phone string, jids ...string) bool {
	for _, jid := range jids {
		if name == jid {
			return true
		}
	}
	return name == phone || name == "+"+phone
}

// sender finds the contact of a request and the group, nil when none is named.
func (s *Server) sender(in request) (*Contact, *Group, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, nil, err
	}
	c, err := a.findContact(in.From)
	if err != nil {
		return nil, nil, err
	}
	if in.Group == "" || in.Group == statusGroup {
		return c, nil, nil
	}
	g, err := a.findGroup(in.Group)
	return c, g, err
}
