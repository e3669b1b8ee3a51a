package main

import (
	"context"
	"time"

	"waoutbox/connection"
	"waoutbox/outbox/api"
)

// linkPoll is how often the terminal looks at the link: often enough for a person, rarely enough to
// cost nothing.
const linkPoll = 500 * time.Millisecond

// foreground tells the person at the terminal how the link is doing, until ctx ends: the QR code
// while no account is linked, then every change, event and delivery. Without a terminal it says
// once what an unlinked service waits for.
func foreground(ctx context.Context, e *env, client *connection.Client, live *liveView) {
	if client.Link().Account == "" {
		if !e.stdoutTerminal() {
			e.printf("Not linked: no events arrive until an account is. Next: %s\n", e.command("pair"))
			return
		}
		if err := pairOnTerminal(ctx, e, client, api.PairRequest{}, ""); err != nil && ctx.Err() == nil && api.CodeOf(err) != api.CodeAlreadyLinked {
			e.printf("Not linked: %s\nTry again with: %s\n", e.say(err.Error()), e.command("pair"))
		}
	}
	if e.stdoutTerminal() {
		watchLink(ctx, e, client, live)
	}
}

// watchLink prints the link's changes, and what arrives and where it goes.
func watchLink(ctx context.Context, e *env, client *connection.Client, live *liveView) {
	live.on.Store(true)
	defer live.on.Store(false)
	tick := time.NewTicker(linkPoll)
	defer tick.Stop()
	var shown api.LinkState
	for {
		if l := client.Link(); l.State != shown {
			shown = l.State
			e.printf("%s  %s\n", time.Now().In(e.loc).Format(time.TimeOnly), e.say(linkWords(l)))
		}
		select {
		case <-ctx.Done():
			return
		case l := <-live.lines:
			e.sayLive(l, live.missed.Swap(0))
		case <-tick.C:
		}
	}
}

// linkWords says how the link stands.
func linkWords(l api.Link) string {
	text := string(l.State)
	switch {
	case l.State == api.LinkConnected:
		return "connected as " + person(l.Account, l.Name)
	case l.State == api.LinkUnlinked:
		text = "not linked: waoutbox pair"
	case l.Closed:
		text += ": waoutbox connect"
	}
	if l.Reason != "" {
		text += " (" + l.Reason + ")"
	}
	return text
}
