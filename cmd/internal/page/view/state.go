package view

import (
	"slices"
	"strings"

	"waoutbox/outbox/api"
)

// State is a state as a shape and a word: Class names the shape in page.css.
type State struct{ Class, Word string }

// Shapes of page.css.
const (
	shapeOK     = "ok"     // disc
	shapeBad    = "bad"    // triangle
	shapeDead   = "dead"   // cross
	shapeWarn   = "warn"   // diamond
	shapePaused = "paused" // two bars
	shapeOff    = "off"    // ring
)

// WebhookState shows the state of a webhook in use.
func WebhookState(s api.WebhookStatus) State {
	switch s {
	case api.WebhookActive:
		return State{shapeOK, "Active"}
	case api.WebhookFailing:
		return State{shapeBad, "Failing"}
	case api.WebhookHeld:
		return State{shapeWarn, "Held"}
	case api.WebhookPaused:
		return State{shapePaused, "Paused"}
	}
	return State{shapeOff, string(s)}
}

// Removed is the state of a webhook that was removed.
func Removed() State { return State{shapeOff, "Removed"} }

// Unknown is the state of what could not be read.
func Unknown() State { return State{shapeOff, "Unknown"} }

// urgency orders webhooks: those that need a person first.
func urgency(s api.WebhookStatus) int {
	switch s {
	case api.WebhookFailing:
		return 0
	case api.WebhookPaused:
		return 1
	case api.WebhookHeld:
		return 2
	}
	return 3
}

// ByUrgency returns the webhooks, those that need a person first, else in their order.
func ByUrgency(hooks []api.Webhook) []api.Webhook {
	out := slices.Clone(hooks)
	slices.SortStableFunc(out, func(a, b api.Webhook) int { return urgency(a.Status) - urgency(b.Status) })
	return out
}

// LinkState shows the state of the link. "Not linked" is said only where no account is.
func LinkState(l api.Link, alarms []api.Alarm) State {
	has := func(code string) bool {
		return slices.ContainsFunc(alarms, func(a api.Alarm) bool { return a.Code == code })
	}
	switch l.State {
	case api.LinkConnected:
		return State{shapeOK, "Connected"}
	case api.LinkConnecting:
		return State{shapeWarn, "Connecting"}
	case api.LinkPairing:
		return State{shapeWarn, "Showing a code"}
	case api.LinkUnlinked:
		if has("logged_out") {
			return State{shapeBad, "Logged out"}
		}
		return State{shapeOff, "Not linked"}
	case api.LinkDisconnected:
		if l.Closed {
			return State{shapePaused, "Disconnected"}
		}
		return State{shapeBad, "Disconnected"}
	}
	return Unknown()
}

// AlarmState shows how grave an alarm is: its words are the alarm's own.
func AlarmState(code string) State {
	switch code {
	case "webhook_paused", "link_closed":
		return State{Class: shapePaused}
	case "webhook_held", "webhook_full", "link_down", "expiry_near", "dead_letters_rising", "outbox_compaction", "outbox_disk_low", "not_linked":
		return State{Class: shapeWarn}
	}
	return State{Class: shapeBad}
}

// AlarmTitle says in a few words what an alarm is about. name is the webhook it is of, or "".
func AlarmTitle(code, name string) string {
	words := map[string]string{
		"webhook_failing": "is failing", "webhook_paused": "is paused", "webhook_held": "is held", "webhook_full": "has too much unfinished",
		"webhook_unreadable": "cannot be read", "dead_letters_rising": "collects dead letters", "events_expired": "lost events", "expiry_near": "is about to lose events",
	}
	if name != "" {
		if w := words[code]; w != "" {
			return w
		}
	}
	titles := map[string]string{
		"account_banned": "The account is banned", "account_restricted": "The account is restricted", "client_outdated": "This version is too old for WhatsApp", "clock_wrong": "The clock is wrong",
		"device_store": "The device store fails", "device_store_displaced": "whatsapp.db was removed or replaced", "http_listener_down": "The HTTP listener is down", "key_missing": "The key file is missing", "key_wrong": "The key file is another one",
		"link_closed": "The link is closed", "link_down": "Connecting again", "link_replaced": "Another program took the link over", "logged_out": "Logged out", "login_refused": "WhatsApp refuses the login",
		"media_disk_full": "No room for media", "message_too_large": "A message was too large", "not_linked": "Not linked", "outbox_corrupt": "Stored events are damaged",
		"outbox_disk_full": "Disk full", "outbox_disk_low": "The disk is nearly full", "outbox_size_limit": "The outbox is full", "outbox_unreadable": "A part of the outbox cannot be read",
		"outbox_stopped": "The outbox has stopped", "append_refused": "Events cannot be stored", "events_lost": "Events were lost",
	}
	if t := titles[code]; t != "" {
		return t
	}
	return "Needs attention"
}

// Command takes the command that a sentence of the service ends with off it: what to do stands
// there, to be copied. command is "" where the sentence ends otherwise.
func Command(sentence string) (text, command string) {
	at := strings.LastIndex(sentence, ": waoutbox ")
	if at < 0 || strings.Contains(sentence[at+len(": waoutbox "):], ". ") {
		return sentence, ""
	}
	return sentence[:at+1], strings.TrimSuffix(sentence[at+2:], ".")
}

// DeliveryState shows where an event stands for one webhook.
func DeliveryState(d api.EventDelivery) State {
	switch d.State {
	case api.EventDelivered:
		return State{shapeOK, "delivered"}
	case api.EventDead:
		return State{shapeDead, "dead"}
	case api.EventPending:
		s := State{shapeOff, "waits"}
		if d.Attempts > 0 {
			s = State{shapeWarn, "tried again"}
		}
		if d.InFlight {
			s.Word = "in flight"
		}
		return s
	}
	return State{shapeOff, "not known"}
}

// AttemptState shows how one attempt ended.
func AttemptState(outcome string) string {
	switch outcome {
	case "delivered":
		return shapeOK
	case "dead":
		return shapeDead
	case "throttled", "not attempted":
		return shapeWarn
	}
	return shapeBad
}
