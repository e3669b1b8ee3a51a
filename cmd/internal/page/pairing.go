package page

import (
	"context"
	"sync"
	"time"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// firstCode is how long a request for a code waits for it, so that the page that follows shows it.
const firstCode = 5 * time.Second

// pairings follow the pairing session for all that look at the page: once for the codes to scan,
// once for the code to type. Safe for concurrent use.
type pairings struct {
	mu       sync.Mutex
	scan, by *pairingView // nil until asked for
	running  sync.WaitGroup
}

// pairingView is what one of them shows now.
type pairingView struct {
	phone string
	end   context.CancelFunc

	mu    sync.Mutex
	step  api.PairStep
	err   error
	over  bool
	first chan struct{} // closed at the first step or the end
	once  sync.Once
}

func (v *pairingView) now() (step api.PairStep, err error, over bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.step, v.err, v.over
}

func (v *pairingView) shows(step api.PairStep, err error, over bool) {
	v.mu.Lock()
	if step.Step != "" {
		v.step = step
	}
	v.err, v.over = err, over
	v.mu.Unlock()
	v.once.Do(func() { close(v.first) })
}

// pair begins to follow a pairing session, starting one where none runs, and returns when there is
// something to show.
func (s *Server) pair(c *call, in api.PairRequest) error {
	p := &s.pairings
	p.mu.Lock()
	at := &p.scan
	if in.Phone != "" {
		at = &p.by
	}
	v := *at
	fits := false
	if v != nil {
		_, _, over := v.now()
		fits = !over && v.phone == in.Phone
	}
	if !fits {
		if v != nil {
			v.end()
		}
		// it goes on when the browser does not
		ctx, cancel := context.WithCancel(context.WithoutCancel(c.ctx()))
		stop := context.AfterFunc(s.ctx, cancel)
		v = &pairingView{phone: in.Phone, end: cancel, first: make(chan struct{})}
		*at = v
		p.running.Go(func() {
			defer stop()
			defer cancel()
			err := s.contained("pairing", func() error {
				return s.o.Service.Pair(ctx, in, func(step api.PairStep) error {
					v.shows(step, nil, false)
					return nil
				})
			})
			v.shows(api.PairStep{}, err, true)
		})
	}
	p.mu.Unlock()
	timer := time.NewTimer(firstCode)
	defer timer.Stop()
	select {
	case <-v.first:
	case <-timer.C:
	case <-c.ctx().Done():
	}
	_, err, over := v.now()
	if over && err != nil {
		return err
	}
	return nil
}

// pairingModel is what is shown of pairing.
type pairingModel struct {
	Running   bool // there is something to show
	Elsewhere bool // a session runs that this page was not asked to show
	Heading   string
	N, Of     int
	QR        view.QR
	Left      int64 // seconds
	Expires   view.Time
	Code      string // to type
	CodeFor   string
	CodeUntil view.Time
	Passkey   *api.PairPasskey
	Confirm   string // a code to compare
	Ended     string // why nothing is shown any more
}

// codes is what the pairing session shows now; under reports that one runs.
func (c *call) codes(under bool) pairingModel {
	p := &c.s.pairings
	p.mu.Lock()
	scan, by := p.scan, p.by
	p.mu.Unlock()
	m := pairingModel{Heading: "Link a phone", Elsewhere: under}
	if by != nil {
		step, err, over := by.now()
		m.take(c, step, err, over)
	}
	if scan != nil {
		step, err, over := scan.now()
		m.take(c, step, err, over)
	}
	if m.Running {
		m.Elsewhere, m.Ended = false, ""
	}
	return m
}

func (m *pairingModel) take(c *call, step api.PairStep, err error, over bool) {
	if over {
		if err != nil && c.s.ctx.Err() == nil {
			m.Ended = err.Error()
		}
		return
	}
	switch step.Step {
	case api.StepQR:
		m.Running, m.Heading, m.N, m.Of = true, "Scan this code with the phone", step.N, step.Of
		m.Left, m.Expires = max(0, int64(step.ExpiresAt.Sub(c.clock.Now)/time.Second)), c.clock.Stamp(step.ExpiresAt)
		if m.QR, err = view.DrawQR(step.QR); err != nil {
			m.Ended = "The code cannot be drawn: " + err.Error()
		}
	case api.StepCode:
		m.Running, m.Code, m.CodeFor, m.CodeUntil = true, term.Clean(step.Code), "+"+term.Clean(step.Phone), c.clock.Stamp(step.ExpiresAt)
		if c.hide {
			m.CodeFor = view.Hidden
		}
		if m.N == 0 {
			m.Heading = "Type this code into the phone"
		}
	case api.StepPasskey:
		m.Running, m.Heading, m.Passkey, m.N = true, "Use the account’s passkey", step.Passkey, 0
	case api.StepConfirm:
		m.Running, m.Heading, m.Confirm, m.Passkey, m.N = true, "Compare this code with the phone’s", term.Clean(step.Code), nil, 0
	}
}

// startPairing shows codes to scan.
func (s *Server) startPairing(c *call) error {
	if err := s.pair(c, api.PairRequest{}); err != nil {
		c.session.tell(notice{State: view.State{Class: "warn", Word: "No code"}, Text: err.Error()})
	}
	return c.to(Root + "link")
}

// startPairingByCode asks for a code to type.
func (s *Server) startPairingByCode(c *call) error {
	phone := c.input("phone")
	if phone == "" {
		c.session.tell(notice{State: view.State{Class: "warn", Word: "No code"}, Text: "Type the phone’s number with its country code, as in +49 151 5550100."})
		return c.to(Root + "link")
	}
	if err := s.pair(c, api.PairRequest{Phone: phone}); err != nil {
		c.session.tell(notice{State: view.State{Class: "warn", Word: "No code"}, Text: err.Error()})
	}
	return c.to(Root + "link")
}
