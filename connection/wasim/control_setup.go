package wasim

import (
	"context"
	"errors"
	"fmt"
)

// setupRoutes make and list accounts, contacts and groups, and link a companion.
func setupRoutes() []route {
	return []route{
		{"GET", "/server", "where clients connect and what they must trust", "", controlServer},
		{"GET", "/accounts", "list the accounts", "", controlAccounts},
		{"POST", "/accounts", "add an account", `{"phone":"491515550100","name":"Shop"}`, controlNewAccount},
		{"GET", "/contacts", "list an account's contacts", "?account=491515550100", controlContacts},
		{"POST", "/contacts", "add a contact", `{"name":"Bob","phone":"15550100123","addressing":"lid"}`, controlNewContact},
		{"GET", "/groups", "list an account's groups", "?account=491515550100", controlGroups},
		{"POST", "/groups", "add a group; the companion is not told", `{"subject":"Team","members":["Bob"],"addressing":"lid"}`, controlNewGroup},
		{"POST", "/scan", "let the account's phone scan a QR text, and wait until the client is online", `{"qr":"https://wa.me/settings/linked_devices#…"}`, controlScan},
		{"POST", "/enter-code", "let the phone's user type a client's pairing code, and wait until the client is online", `{"code":"ABCD-1234"}`, controlEnterCode},
	}
}

func controlServer(_ context.Context, s *Server, _ request) (any, error) { return s.Info(), nil }

// Info is what a client and a controlling script need to know of a server.
type Info struct {
	URL        string `json:"url"`
	RootKey    string `json:"root_key"`
	ControlURL string `json:"control_url"`
}

// Info returns the addresses and the root key.
func (s *Server) Info() Info {
	return Info{URL: s.URL(), RootKey: s.RootKey(), ControlURL: s.ControlURL()}
}

type accountView struct {
	PN      string `json:"pn"`
	LID     string `json:"lid"`
	Name    string `json:"name"`
	Linked  bool   `json:"linked"`
	Online  bool   `json:"online"`
	Pending int    `json:"pending"`
	Acked   int    `json:"acked"`
}

func (a *Account) view() accountView {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := accountView{PN: a.PN(), LID: a.LID(), Name: a.name, Linked: a.device != nil, Online: a.online(), Acked: len(a.acked)}
	if a.device != nil {
		v.Pending = a.device.out.all.Len()
	}
	return v
}

func controlAccounts(_ context.Context, s *Server, _ request) (any, error) {
	list := []accountView{}
	for _, a := range s.Accounts() {
		list = append(list, a.view())
	}
	return map[string]any{"accounts": list}, nil
}

func controlNewAccount(_ context.Context, s *Server, in request) (any, error) {
	if digits(in.Phone) == "" {
		return nil, errors.New("an account needs a phone number of digits")
	}
	if s.accountByUser(digits(in.Phone)) != nil {
		return nil, fmt.Errorf("account %s exists already", digits(in.Phone))
	}
	return s.NewAccount(in.Phone, in.Name).view(), nil
}

type contactView struct {
	Name string `json:"name"`
	PN   string `json:"pn"`
	LID  string `json:"lid"`
}

func (c *Contact) view() contactView { return contactView{Name: c.name, PN: c.PN(), LID: c.LID()} }

func controlContacts(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	list := []contactView{}
	for _, c := range a.Contacts() {
		list = append(list, c.view())
	}
	return map[string]any{"contacts": list}, nil
}

func controlNewContact(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	if in.Name == "" || digits(in.Phone) == "" {
		return nil, errors.New("a contact needs a name and a phone number of digits")
	}
	for _, taken := range []string{in.Name, digits(in.Phone)} {
		if _, err := a.findContact(taken); err == nil {
			return nil, fmt.Errorf("contact %q exists already", taken)
		}
	}
	mode, err := addressing(in.Address)
	if err != nil {
		return nil, err
	}
	c := a.NewContact(in.Name, in.Phone)
	c.SetAddressing(mode)
	return c.view(), nil
}

func addressing(name string) (Addressing, error) {
	switch mode := Addressing(name); mode {
	case "", ByLID:
		return ByLID, nil
	case ByPN, ByPNAlone:
		return mode, nil
	}
	return "", fmt.Errorf("addressing %q is none of pn-alone, lid or pn", name)
}

type groupView struct {
	JID     string   `json:"jid"`
	Subject string   `json:"subject"`
	Members []string `json:"members"`
}

func (g *Group) view() groupView {
	return groupView{JID: g.JID(), Subject: g.Subject(), Members: g.Members()}
}

func controlGroups(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	list := []groupView{}
	for _, g := range a.Groups() {
		list = append(list, g.view())
	}
	return map[string]any{"groups": list}, nil
}

func controlNewGroup(_ context.Context, s *Server, in request) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	if in.Subject == "" {
		return nil, errors.New("a group needs a subject")
	}
	members, err := a.findContacts(in.Members)
	if err != nil {
		return nil, err
	}
	mode, err := addressing(in.Address)
	if err != nil {
		return nil, err
	}
	g := a.NewGroup(in.Subject, members...)
	g.SetAddressing(mode)
	return g.view(), nil
}

func controlScan(ctx context.Context, s *Server, in request) (any, error) {
	return s.link(ctx, in, func(a *Account) error { return a.ScanQR(ctx, in.QR) })
}

func controlEnterCode(ctx context.Context, s *Server, in request) (any, error) {
	return s.link(ctx, in, func(a *Account) error { return a.EnterCode(ctx, in.Code) })
}

func (s *Server) link(ctx context.Context, in request, by func(*Account) error) (any, error) {
	a, err := s.findAccount(in.Account)
	if err != nil {
		return nil, err
	}
	if err := by(a); err != nil {
		return nil, err
	}
	if err := a.WaitOnline(ctx); err != nil {
		return nil, err
	}
	return a.view(), nil
}
