package wasim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"

	"waoutbox/connection/wasim/fault"
)

var (
	// ErrNotLinked says that the account has no linked companion.
	ErrNotLinked = errors.New("the account has no linked companion; scan its QR code first")
	// ErrAlreadyLinked says that the account has one; the simulator knows one companion for each
	// account.
	ErrAlreadyLinked = errors.New("the account already has a linked companion; unlink it first")
	// ErrNotOnline says that something that is never queued found no connected companion.
	ErrNotOnline = errors.New("the companion is not online")
)

// Account is one WhatsApp user with a phone and at most one linked companion,
// the client under test. Methods are safe for concurrent use.
type Account struct {
	srv    *Server
	pn     types.JID
	lid    types.JID
	phone  *party // the own phone, device 0
	synced *syncedState
	plan   fault.Plan // for the companion's connections

	mu             sync.Mutex
	changed        notifier // device, outbox, received messages
	name           string
	device         *device // nil while nothing is linked
	devices        uint16  // device numbers given out so far
	refuse         int     // failure code for logins, 0 accepts
	banCode        int     // attributes of failure 402
	banned         time.Duration
	reject         int      // error code for messages of the companion, 0 accepts
	subscribedOnly bool     // presence goes to subscribers only
	passkey        *passkey // nil: linking asks for none
	contacts       []*Contact
	people         map[string]*Contact // by user part of phone number JID and of LID
	groups         []*Group
	channels       []*Channel
	acked          []Ack
	typed          map[types.JID][]string // what the companion showed, by chat
	kept           []waBinary.Node        // the last stanzas queued, for Repeat
	held           bool                   // nothing queued is sent
	media          map[string]*Medium     // by message id, of contacts
	mediaRetry     MediaRetry
}

// NewAccount adds a WhatsApp user. phone holds digits only, such as
// "491515550100"; the LID is made up.
func (s *Server) NewAccount(phone, name string) *Account {
	a := &Account{
		srv: s, name: name,
		pn: types.NewJID(digits(phone), types.DefaultUserServer), lid: s.newLID(),
		people: make(map[string]*Contact), media: make(map[string]*Medium),
	}
	a.phone = newParty(a.lid, keys.NewKeyPair())
	a.synced = newSyncedState(a.notification, randomBytes(6), randomBytes(32))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts = append(s.accounts, a)
	s.changed.notify()
	return a
}

// Accounts lists the accounts in the order they were made.
func (s *Server) Accounts() []*Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Account(nil), s.accounts...)
}

func (s *Server) newLID() types.JID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextLID++
	return types.NewJID(fmt.Sprintf("%d", 204813927440000+s.nextLID*137), types.HiddenUserServer)
}

func (s *Server) accountByUser(user string) *Account {
	for _, a := range s.Accounts() {
		if a.pn.User == user || a.lid.User == user {
			return a
		}
	}
	return nil
}

// PN is the account's phone number JID, without device.
func (a *Account) PN() string { return a.pn.String() }

// LID is the account's hidden JID, without device.
func (a *Account) LID() string { return a.lid.String() }

// Name is the push name the account shows to others.
func (a *Account) Name() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.name
}

// Linked tells whether a companion is linked.
func (a *Account) Linked() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.device != nil
}

// Online tells whether the companion is connected and has finished its login.
func (a *Account) Online() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.online()
}

func (a *Account) online() bool { return a.device != nil && a.device.conn != nil && a.device.active }

// WaitOnline blocks until the companion has finished its login: its "active"
// got its result, so stanzas flow.
func (a *Account) WaitOnline(ctx context.Context) error {
	if err := a.until(ctx, func() (bool, error) { return a.online(), nil }); err != nil {
		return fmt.Errorf("wait until the companion of %s is online: %w", a.pn.User, err)
	}
	return nil
}

// Drop cuts the companion's connection as a network failure would, and the
// companion is offline when it returns. It stays linked and its unacknowledged
// stanzas come again.
func (a *Account) Drop() {
	if c := a.conn(); c != nil {
		a.detach(c)
	}
}

// Unlink removes the companion as the phone would: stream error 401
// device_removed when it is online, failure 401 at its next login. What was
// pending for it is gone.
func (a *Account) Unlink() {
	a.mu.Lock()
	c := a.forgetDevice()
	a.mu.Unlock()
	a.end(c, "401", "device_removed")
}

// forgetDevice drops the companion and returns its connection, if any. Call with the lock held.
func (a *Account) forgetDevice() *conn {
	if a.device == nil {
		return nil
	}
	c := a.device.conn
	a.device = nil
	a.changed.notify()
	return c
}

// Replace ends the companion's connection as a second login with the same
// credentials would: stream error, conflict "replaced". It stays linked.
func (a *Account) Replace() { a.end(a.conn(), "", "replaced") }

// StreamError sends <stream:error code> and ends the connection; "503" makes
// the client reconnect.
func (a *Account) StreamError(code string) { a.end(a.conn(), code, "") }

// Refuse returns the next logins with <failure reason=code>; 0 accepts again.
// 401, 403 and 406 log the client out, 402 is a temporary ban, 405 an outdated
// client, 500 and 503 a passing failure.
func (a *Account) Refuse(code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse = code
}

// Ban refuses the next logins as for an account that is banned for a while: code says why, such as
// 101 for too many messages to strangers. Refuse(0) ends it.
func (a *Account) Ban(code int, left time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuse, a.banCode, a.banned = 402, code, left
}

// Restrict tells the companion that the account may not write to strangers until then, and refuses
// its messages with 463 from now on; a zero time lifts both.
func (a *Account) Restrict(ctx context.Context, until time.Time) error {
	lock := map[string]any{"enforcement_type": "DEFAULT", "is_active": !until.IsZero()}
	if until.IsZero() {
		a.RejectSends(0)
	} else {
		a.RejectSends(463)
		lock["time_enforcement_ends"] = strconv.FormatInt(unix(until), 10)
	}
	return a.Mex(ctx, "NotificationUserReachoutTimelockUpdate", map[string]any{"xwa2_notify_account_reachout_timelock": lock})
}

// RejectSends returns the companion's messages with <ack error=code>; 0 accepts
// again. Rejected messages reach nobody.
func (a *Account) RejectSends(code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reject = code
}

func (a *Account) conn() *conn {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.device == nil {
		return nil
	}
	return a.device.conn
}

// end sends a stream error, lets go of the connection and closes it a little
// later; acknowledgements that are under way still count.
func (a *Account) end(c *conn, code, conflict string) {
	if c == nil {
		return
	}
	n := waBinary.Node{Tag: "stream:error", Attrs: waBinary.Attrs{}}
	if code != "" {
		n.Attrs["code"] = code
	}
	if conflict != "" {
		n.Content = []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": conflict}}}
	}
	a.release(c)
	if err := c.send(n); err != nil {
		c.close()
		return
	}
	if !a.srv.start(c.linger) {
		c.close()
	}
}

func digits(phone string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, phone)
}

func unix(t time.Time) int64 { return t.Unix() }
