package connection

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/synced"
)

// syncedLink is the link as a synced.Mender needs it.
type syncedLink struct{ c *Client }

// Fetch makes the error of a panic, so that it is tried again: what is fetched was written by other
// devices of the account.
func (l syncedLink) Fetch(ctx context.Context, name appstate.WAPatchName, whole bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.c.panicked("fetching synced settings", p)
			err = errors.New("it cannot be read by this version")
		}
	}()
	cli, err := l.c.connected(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", whatsmeow.ErrNotConnected, err)
	}
	return l.c.fetchSettings(ctx, cli, name, whole)
}

func (l syncedLink) Version(ctx context.Context, name appstate.WAPatchName) (uint64, error) {
	cli := l.c.libraryClient()
	if cli == nil || cli.Store.AppState == nil {
		return 0, whatsmeow.ErrClientIsNil
	}
	return synced.Version(ctx, cli.Store.AppState, string(name))
}

func (l syncedLink) Failed(name appstate.WAPatchName, err error) {
	l.c.log.Warn("synced settings cannot be read: trying again", "name", string(name), "error", masked(err.Error()))
	l.c.alarms.raise(alarmAppState, fmt.Sprintf("The settings and stars that WhatsApp syncs (%s) cannot be read (%s), so stars are not told. It is tried again; if this stays, see the log.", name, masked(err.Error())))
}

func (l syncedLink) Renewed(name appstate.WAPatchName, damage error) {
	l.c.log.Warn("synced settings were damaged and have been fetched whole", "name", string(name), "error", masked(damage.Error()))
	l.c.alarms.happened(alarmAppStateLost, fmt.Sprintf("What whatsapp.db held of the settings and stars that WhatsApp syncs (%s) was damaged. It has been fetched anew; stars set while it was damaged are not told.", name))
}

func (l syncedLink) AllWell() { l.c.alarms.clear(alarmAppState) }

// errStarRefused says that what was fetched could not be told.
var errStarRefused = errors.New("the outbox did not take it")

// fetchSettings brings a collection up to date, tells what has changed, and notes it as read then.
func (c *Client) fetchSettings(ctx context.Context, cli *whatsmeow.Client, name appstate.WAPatchName, whole bool) error {
	c.fetching.Lock() // nothing is noted before what came earlier
	defer c.fetching.Unlock()
	// A request whose context ends while its response arrives is a race inside the library. The end
	// of the connection ends this one.
	ctx, batch := synced.WithBatch(context.WithoutCancel(ctx))
	c.starRefused.Store(false)
	if err := cli.FetchAppState(ctx, name, whole, false); err != nil {
		return err
	}
	if c.starRefused.Load() {
		return errStarRefused
	}
	if err := batch.Commit(ctx); err != nil {
		return fmt.Errorf("note settings as read: %w", err)
	}
	return nil
}

// fetchAnnounced is what the link does with a notification of new settings in the library's place.
// What fails is tried again.
func (c *Client) fetchAnnounced(ctx context.Context, s *session, n *waBinary.Node) {
	versions, _ := announced(n)
	for name := range versions {
		err := c.fetchSettings(ctx, s.cli, name, false)
		switch {
		case err == nil:
		case errors.Is(err, whatsmeow.ErrIQDisconnected), errors.Is(err, whatsmeow.ErrNotConnected):
			return
		default:
			s.events.push(&events.AppStateSyncError{Name: name, Error: err})
		}
	}
}

// settingsAnnounced is the signal to the link that collections have new versions, which the library
// fetches.
type settingsAnnounced map[appstate.WAPatchName]uint64

// announced returns what a notification says of synced settings, false if it is of something else.
func announced(n *waBinary.Node) (settingsAnnounced, bool) {
	if n.Tag != "notification" || n.Attrs["type"] != "server_sync" {
		return nil, false
	}
	versions := make(settingsAnnounced)
	for _, c := range n.GetChildrenByTag("collection") {
		ag := c.AttrGetter()
		name, version := ag.OptionalString("name"), ag.Uint64("version")
		if ag.OK() && name != "" {
			versions[appstate.WAPatchName(name)] = version
		}
	}
	return versions, len(versions) > 0
}

// expectSettings has announced versions fetched, in the background, if the library does not.
func (c *Client) expectSettings(ctx context.Context, versions settingsAnnounced) {
	for name, version := range versions {
		c.beside("fetching synced settings", func() { c.mender.Expect(ctx, name, version, c.timings.settings) })
	}
}

// catchUpSettings fetches, in the background, what was announced and acknowledged and not fetched
// before the process ended. Without a key nothing can be read yet: the library fetches all of it
// when the phone sends one.
func (c *Client) catchUpSettings(ctx context.Context, s *session) {
	key, err := s.dev.AppStateKeys.GetLatestAppStateSyncKeyID(ctx)
	if err == nil && key == nil {
		return
	}
	for _, name := range appstate.AllPatchNames {
		c.beside("fetching synced settings", func() { c.mender.Mend(ctx, name) })
	}
}
