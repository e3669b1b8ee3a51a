package main

import (
	"context"
	"runtime"
	"time"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// clockSkew is what a clock may be wrong by; receivers of Standard Webhooks refuse signatures from
// five minutes on.
const clockSkew = time.Minute

// setClock is how this machine's clock is set right.
func setClock() string {
	switch runtime.GOOS {
	case "windows":
		return "w32tm /resync"
	case "darwin":
		return "sudo sntp -sS time.apple.com"
	}
	return "timedatectl set-ntp true"
}

// clockFault says what is wrong with this machine's clock, "" for nothing: by how much it is ahead
// of the newest event, which may be anything, and of WhatsApp's clock where that is known.
func clockFault(ofNewest time.Duration, ofWhatsApp *time.Duration) string {
	switch {
	case ofNewest < -clockSkew:
		return "is " + term.Age(-ofNewest) + " behind the newest event: nothing is removed for its age meanwhile"
	case ofWhatsApp == nil:
	case *ofWhatsApp > clockSkew:
		return "is " + term.Age(*ofWhatsApp) + " ahead of WhatsApp's: receivers may refuse signatures"
	case *ofWhatsApp < -clockSkew:
		return "is " + term.Age(-*ofWhatsApp) + " behind WhatsApp's: receivers may refuse signatures"
	}
	return ""
}

// aheadOfNewest returns by how much this machine's clock is ahead of the newest event, 0 where
// there is none or the outbox cannot tell.
func (a *app) aheadOfNewest(ctx context.Context) time.Duration {
	ev, err := a.box.Newest(ctx)
	if err != nil {
		return 0
	}
	return time.Since(ev.Time)
}

// clockAlarms tells of a clock that is wrong, in the words of `doctor`.
func (a *app) clockAlarms() []api.Alarm {
	var ofWhatsApp *time.Duration
	if a.clockAhead != nil {
		if ahead, known := a.clockAhead(); known {
			ofWhatsApp = &ahead
		}
	}
	fault := clockFault(a.aheadOfNewest(context.Background()), ofWhatsApp)
	if fault == "" {
		return nil
	}
	return []api.Alarm{{Code: "clock_wrong", Message: "This machine's clock " + fault + ". Set it: " + setClock()}}
}
