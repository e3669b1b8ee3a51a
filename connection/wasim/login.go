package wasim

import (
	"maps"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// serveLinked checks a login, accepts it and serves the companion until the
// connection ends.
func (s *Server) serveLinked(c *conn) {
	a, d, code := s.login(c)
	if code != 0 {
		s.log.Info("login refused", "code", code)
		s.fail(c, code, a.ban(code))
		return
	}
	defer a.detach(c)
	if err := c.send(waBinary.Node{Tag: "success", Attrs: waBinary.Attrs{
		"t": unix(s.now()), "lid": d.lid, "props": 27, "location": "loopback", "abprops": 1,
	}}); err != nil {
		return
	}
	s.log.Info("companion logged in", "device", d.pn.Device)
	for {
		n, err := c.receive()
		if err != nil {
			s.log.Info("companion disconnected", "device", d.pn.Device, "reason", err)
			return
		}
		a.handle(c, d, n)
	}
}

// login finds the companion that connects and attaches the connection to it;
// code is the failure to send, 0 when the login is good.
func (s *Server) login(c *conn) (*Account, *device, int) {
	user := types.NewJID(uintString(c.Payload.GetUsername()), types.DefaultUserServer)
	a := s.accountByUser(user.User)
	if a == nil {
		return nil, nil, 401
	}
	a.mu.Lock()
	if a.refuse != 0 {
		defer a.mu.Unlock()
		return a, nil, a.refuse
	}
	d := a.device
	if d == nil || uint32(d.pn.Device) != c.Payload.GetDevice() || d.noise != c.Static {
		a.mu.Unlock()
		return nil, nil, 401
	}
	old := d.conn
	c.plans = append(c.plans, &a.plan)
	d.attach(c)
	a.changed.notify()
	a.mu.Unlock()
	a.end(old, "", "replaced") // two connections of one companion: the newer wins
	return a, d, 0
}

// ban is what a failure of a banned account says besides its code; a may be nil.
func (a *Account) ban(code int) waBinary.Attrs {
	if a == nil || code != 402 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return waBinary.Attrs{"code": a.banCode, "expire": int(a.banned / time.Second)}
}

// attach makes c the companion's connection; stanzas wait for activate.
func (d *device) attach(c *conn) {
	d.conn, d.active, d.available, d.asked = c, false, false, false
	clear(d.watching)
	d.out.rewind()
}

// detach ends a connection.
func (a *Account) detach(c *conn) {
	c.close()
	a.release(c)
}

// release makes the companion offline if c is its connection: nothing more is
// sent over it.
func (a *Account) release(c *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.device; d != nil && d.conn == c {
		d.conn, d.active, d.available = nil, false, false
		d.out.rewind()
	}
	a.changed.notify()
}

// activate starts the flow of stanzas once the companion has said "active".
func (a *Account) activate(c *conn, d *device) {
	a.mu.Lock()
	first := a.device == d && d.conn == c && !d.active
	if first {
		d.active = true
		d.out.markBacklog()
		a.changed.notify()
	}
	a.mu.Unlock()
	if first && !a.srv.start(func() { a.pump(c, d) }) {
		c.close()
	}
}

// fail refuses a login and closes the connection a little later.
func (s *Server) fail(c *conn, code int, more waBinary.Attrs) {
	n := waBinary.Node{Tag: "failure", Attrs: waBinary.Attrs{"reason": code, "location": "loopback"}}
	maps.Copy(n.Attrs, more)
	if err := c.send(n); err != nil {
		return
	}
	c.linger()
}
