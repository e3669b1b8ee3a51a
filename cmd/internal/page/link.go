package page

import (
	"cmp"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// linkModel: link a phone, or how the link stands.
type linkModel struct {
	Heading string
	Linked  bool
	Unread  bool // whether it is linked is not known, and no code is shown
	State   view.State
	Account string
	Name    string
	Since   view.Time
	Reason  string
	Notes   []string
	Closed  bool
	Down    bool // it can be connected

	Codes pairingModel

	PairBy string
	Add    string
}

func (c *call) link() (shown, error) {
	st, known := c.status()
	l := st.Link
	m := linkModel{
		Linked: l.Account != "", State: view.LinkState(l, st.Alarms), Account: view.Number(l.Account), Name: view.Line(l.Name), Since: c.clock.For(l.Since), Reason: c.text(view.Line(l.Reason)),
		Closed: l.Closed, Down: l.State == api.LinkDisconnected || l.State == api.LinkConnecting, PairBy: c.s.o.Command("pair"),
		Add: c.s.o.Command("webhook", "add", "http://localhost:5678/webhook/whatsapp", "--event", "message.received", "--generate-secret"),
	}
	if c.hide {
		m.Account, m.Name = view.Hidden, view.Hidden
	}
	for _, n := range l.Notes {
		m.Notes = append(m.Notes, c.text(term.Clean(n)))
	}
	m.Heading = "Link a phone"
	if m.Linked {
		m.Heading = "Linked"
	} else {
		m.Codes = c.codes(l.State == api.LinkPairing)
		if m.Codes.Running {
			m.Heading, c.reload = m.Codes.Heading, 5
		} else if m.Unread = !known; m.Unread {
			m.Heading = "Link"
		}
	}
	return shown{Title: m.Heading, Model: m}, nil
}

// continuePairing gives a session what it waits for, or ends it.
func (s *Server) continuePairing(c *call) error {
	in := api.ContinuePairing{Passkey: c.input("passkey"), Confirm: c.input("confirm") != "", Cancel: c.input("cancel") != ""}
	step, err := s.o.Service.ContinuePairing(c.ctx(), in)
	switch {
	case err != nil:
		c.session.tell(notice{State: view.State{Class: "warn", Word: "Pairing"}, Text: c.said(err)})
	case step.Step == api.StepLinked:
		c.session.tell(notice{State: view.State{Class: "ok", Word: "Linked"}, Calm: true, Text: "Events are stored from now on. Next: add a webhook."})
	case step.Step == api.StepFailed && !in.Cancel && step.Error != nil:
		c.session.tell(notice{State: view.State{Class: "warn", Word: "Pairing ended"}, Text: step.Error.Message})
	}
	return c.to(Root + "link")
}

func (s *Server) connect(c *call) error {
	l, err := s.o.Service.Connect(c.ctx())
	if err != nil {
		c.session.tell(notice{State: view.State{Class: "warn", Word: "Not connected"}, Text: c.said(err)})
	} else {
		c.session.tell(notice{State: view.LinkState(l, nil), Calm: l.State == api.LinkConnected, Text: c.text(cmp.Or(l.Reason, "The link is "+string(l.State)+".")), Command: c.s.o.Command("connect")})
	}
	return c.to(cmp.Or(c.input("back"), Root+"link"))
}

func (s *Server) disconnect(c *call) error {
	if _, err := s.o.Service.Disconnect(c.ctx()); err != nil {
		c.session.tell(notice{State: view.State{Class: "warn", Word: "Not done"}, Text: c.said(err)})
	} else {
		c.session.tell(notice{State: view.State{Class: "paused", Word: "Disconnected"}, Calm: true, Text: "Nothing arrives until it is connected again. The account stays linked.", Command: c.s.o.Command("disconnect")})
	}
	return c.to(Root + "link")
}
