package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"runtime"

	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// ownerName returns words for the holder of a state's lock, as far as it is known.
func ownerName(o store.Owner) string {
	switch {
	case o.PID == 0:
		return "another process"
	case o.Version == "":
		return fmt.Sprintf("waoutbox (pid %d)", o.PID)
	}
	return fmt.Sprintf("waoutbox (pid %d, version %s)", o.PID, o.Version)
}

// notReached turns a failed dial into a sentence: not running, or running but unresponsive.
func (c *Client) notReached(d *dialError) *api.Error {
	if e, ok := errors.AsType[*api.Error](d.err); ok {
		return e
	}
	if errors.Is(d.err, fs.ErrPermission) {
		return api.Errorf(api.CodeServiceUnavail, "the service of %s belongs to another user (%s). Run this as that user, or choose another --state-dir", c.stateDir, d.path)
	}
	o, held, err := store.ReadOwner(c.stateDir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return api.Errorf(api.CodeServiceUnavail, "%s belongs to another user. Run this as that user, or choose another --state-dir", c.stateDir)
	case err != nil:
		return api.Errorf(api.CodeServiceUnavail, "waoutbox cannot be reached (%v), and its lock cannot be read: %v", d, explain.State(err))
	case held:
		return unavailable("%s owns %s but does not answer at %s. It may be starting or stopping: try again. If it stays so, end that process and start again: %s",
			ownerName(o), c.stateDir, d.path, term.Command(c.stateDir, "start"))
	}
	return api.Errorf(api.CodeServiceUnavail, "waoutbox is not running (state %s). Start it: %s", c.stateDir, term.Command(c.stateDir, "start"))
}

// unresponsive is the error for a daemon that takes calls and does not respond: its process is
// stopped, stuck, or starved.
func (c *Client) unresponsive() *api.Error {
	who := "waoutbox"
	if o, held, err := store.ReadOwner(c.stateDir); err == nil && held {
		who = ownerName(o)
	}
	return unavailable("%s at %s takes calls but does not answer. Try again; if it stays so, end that process and start again: %s", who, c.stateDir, term.Command(c.stateDir, "start"))
}

// isOfEveryVersion reports whether a response is one of those that every version promises.
func isOfEveryVersion(resp *http.Response) bool {
	asked := resp.Request.Method + " " + resp.Request.URL.Path
	return asked == string(routeDaemon) || asked == string(routeStop)
}

// strange is the error for a service that keeps no promise of every version's: it cannot be stopped
// by a command, so the sentence says how its process is ended.
func (c *Client) strange(resp *http.Response) *api.Error {
	o, held, err := store.ReadOwner(c.stateDir)
	end := "End that process"
	if err == nil && held && o.PID != 0 {
		end += ": " + killCommand(runtime.GOOS, o.PID)
	}
	return api.Errorf(api.CodeServiceUnavail, "what runs on %s (version %s) is not a service that version %s can stop. %s; then start this version: %s",
		c.stateDir, orUnknown(resp.Header.Get(headerVersion)), orUnknown(c.agent.build()), end, term.Command(c.stateDir, "start"))
}

// killCommand is the command line that ends a process.
func killCommand(system string, pid int) string {
	if system == "windows" {
		return fmt.Sprintf("taskkill /PID %d", pid)
	}
	return fmt.Sprintf("kill %d", pid)
}

// unavailable is service_unavailable with a sentence; nothing was done and the same call may
// succeed later.
func unavailable(format string, args ...any) *api.Error {
	return api.Retryf(api.CodeServiceUnavail, format, args...)
}
