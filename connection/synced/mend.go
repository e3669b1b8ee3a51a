package synced

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
)

// Link is what a Mender needs of the link to WhatsApp.
type Link interface {
	// Fetch brings a collection up to date, and tells what has changed. whole forgets it first and
	// fetches all of it, which tells nothing.
	Fetch(ctx context.Context, name appstate.WAPatchName, whole bool) error
	// Version returns the version that is stored of a collection, 0 if none is.
	Version(ctx context.Context, name appstate.WAPatchName) (uint64, error)
	// Failed tells that a collection cannot be read, for now. It is called after each try.
	Failed(name appstate.WAPatchName, err error)
	// Renewed tells that a collection was damaged and has been fetched whole.
	Renewed(name appstate.WAPatchName, damage error)
	// AllWell tells that no collection is left that cannot be read.
	AllWell()
}

// Mender fetches collections that could not be read until they can. Safe for concurrent use.
type Mender struct {
	link  Link
	waits func() backoff.BackOff

	mu     sync.Mutex
	asked  map[appstate.WAPatchName]bool // under way; true: asked for again meanwhile
	failed map[appstate.WAPatchName]bool
}

// NewMender returns a Mender that waits between its tries, and before the first, as waits says,
// which must never give up.
func NewMender(link Link, waits func() backoff.BackOff) *Mender {
	return &Mender{link: link, waits: waits, asked: make(map[appstate.WAPatchName]bool), failed: make(map[appstate.WAPatchName]bool)}
}

// Mend fetches a collection and returns once that worked, or ctx has ended, or at once when another
// call works on the same one, which then looks again. A collection whose stored state is damaged is
// forgotten and fetched whole.
func (m *Mender) Mend(ctx context.Context, name appstate.WAPatchName) {
	if !m.begin(name) {
		return
	}
	waits := m.waits()
	var damage error // what made it necessary to fetch all of it
	for wait(ctx, waits.NextBackOff()) {
		m.take(name)
		err := m.link.Fetch(ctx, name, damage != nil)
		if damage == nil && Damaged(err) {
			damage = err
			err = m.link.Fetch(ctx, name, true)
		}
		if err == nil && damage != nil {
			m.link.Renewed(name, damage)
			damage = nil
		}
		switch {
		case ctx.Err() != nil:
		case err == nil:
			if m.done(name) {
				return
			}
			waits.Reset()
		case notConnected(err): // nothing is wrong with the collection
			waits.Reset()
		default:
			m.setFailed(name)
			m.link.Failed(name, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.asked, name)
	delete(m.failed, name)
}

// Expect is Mend for a collection that has a version which the library is about to fetch: it waits
// first, and does nothing when the version is stored by then. The library gives up when the
// connection ends or WhatsApp refuses, and the announcement is acknowledged all the same.
func (m *Mender) Expect(ctx context.Context, name appstate.WAPatchName, version uint64, within time.Duration) {
	if !wait(ctx, within) {
		return
	}
	if has, err := m.link.Version(ctx, name); err != nil || has < version {
		m.Mend(ctx, name)
	}
}

// Damaged reports whether an error says that a change does not fit what is stored of its
// collection, or is damaged itself, so that no later one can be read either.
func Damaged(err error) bool {
	return errors.Is(err, appstate.ErrMismatchingLTHash) || errors.Is(err, appstate.ErrMismatchingPatchMAC) ||
		errors.Is(err, appstate.ErrMismatchingContentMAC) || errors.Is(err, appstate.ErrMismatchingIndexMAC)
}

func notConnected(err error) bool {
	return errors.Is(err, whatsmeow.ErrNotConnected) || errors.Is(err, whatsmeow.ErrIQDisconnected)
}

func (m *Mender) begin(name appstate.WAPatchName) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, underWay := m.asked[name]
	m.asked[name] = underWay
	return !underWay
}

// take notes that what was asked so far is seen by the try that follows.
func (m *Mender) take(name appstate.WAPatchName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[name] = false
}

// done ends the work on a collection, unless it was asked for again.
func (m *Mender) done(name appstate.WAPatchName) bool {
	m.mu.Lock()
	again := m.asked[name]
	if !again {
		delete(m.asked, name)
	}
	delete(m.failed, name)
	allWell := len(m.failed) == 0
	m.mu.Unlock()
	if allWell {
		m.link.AllWell()
	}
	return !again
}

func (m *Mender) setFailed(name appstate.WAPatchName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed[name] = true
}

// wait reports false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
