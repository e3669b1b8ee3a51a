package restrictions

import (
	"strings"
	"testing"
	"time"
)

const alice, bob = "alice@lid", "bob@lid"

func known() bool    { return true }
func stranger() bool { return false }

// clock is a Restrictions whose time a test moves.
type clock struct {
	Restrictions
	now time.Time
}

func newClock() *clock {
	c := &clock{now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	c.Now = func() time.Time { return c.now }
	return c
}

func (c *clock) refused(t *testing.T, chat string, known func() bool, want bool) Refusal {
	t.Helper()
	why, refused := c.Check(chat, known)
	if refused != want {
		t.Errorf("%s at %v: refused %v (%+v), want %v", chat, c.now, refused, why, want)
	}
	return why
}

func TestAnnounced(t *testing.T) {
	c := newClock()
	c.refused(t, alice, stranger, false)
	ends := c.now.Add(6 * time.Hour)
	c.Announced(true, ends)
	if why := c.refused(t, alice, stranger, true); !why.Until.Equal(ends) || !why.Named || !strings.HasPrefix(why.When(), "until 2026-01-01") {
		t.Errorf("%+v, %s", why, why.When())
	}
	c.refused(t, alice, known, false)
	c.now = ends
	c.refused(t, alice, stranger, false)

	c.Announced(true, c.now.Add(time.Hour))
	c.Announced(false, time.Time{})
	c.refused(t, alice, stranger, false)
	c.Announced(true, c.now.Add(-time.Hour)) // over already
	c.refused(t, alice, stranger, false)
	c.Announced(true, time.Time{}) // without an end
	if why := c.refused(t, alice, stranger, true); why.Named || !strings.Contains(why.When(), "does not name") {
		t.Errorf("%+v, %s", why, why.When())
	}
}

// Who was refused stays refused, known or not, until they write; everybody else is judged as a
// stranger or not.
func TestRefused(t *testing.T) {
	c := newClock()
	if !c.Refused(alice) || c.Refused(alice) {
		t.Error("the first refusal is news, the second is not")
	}
	c.refused(t, alice, known, true)
	c.refused(t, bob, known, false)
	c.refused(t, bob, stranger, true)
	if _, active := c.Active(); !active {
		t.Error("nothing is active")
	}
	c.Wrote(bob, alice)
	c.refused(t, alice, known, false)
	c.refused(t, bob, stranger, true)
	if c.Refused(alice) {
		t.Error("a refusal while the restriction lasts is news")
	}
	c.refused(t, alice, known, true)
	c.now = c.now.Add(Unknown)
	c.refused(t, alice, known, false)
	c.refused(t, bob, stranger, false)
	if _, active := c.Active(); active || !c.Refused(bob) || len(c.Restrictions.refused) != 1 {
		t.Errorf("what is over is remembered: %v", c.Restrictions.refused)
	}

	// an announced end is longer than the guess, and does not shrink to it
	c.Announced(true, c.now.Add(24*time.Hour))
	if c.Refused(alice) {
		t.Error("a refusal under an announced restriction is news")
	}
	c.now = c.now.Add(2 * Unknown)
	c.refused(t, alice, known, true)
	c.Forget()
	c.refused(t, alice, stranger, false)
}

func TestRestore(t *testing.T) {
	c := newClock()
	c.Restore(c.now.Add(time.Hour), true)
	if why := c.refused(t, alice, stranger, true); !why.Named {
		t.Errorf("%+v", why)
	}
	c.Restore(c.now.Add(-time.Hour), true)
	c.refused(t, alice, stranger, false)
}
