package view

import (
	"strings"

	"waoutbox/outbox/api"
)

// Who says who made a change, and what is known of him besides.
func Who(r api.AuditRecord) (who, more string) {
	more = Line(strings.TrimSpace(r.Client + " " + r.ClientVersion))
	switch r.Caller {
	case api.CallerCLI:
		return "Terminal", ""
	case api.CallerPage:
		return "This page", more
	case api.CallerMCP:
		if r.Principal != "" {
			more = strings.TrimSpace(more + " (" + Line(r.Principal) + ")")
		}
		return "Agent", more
	case api.CallerHTTP:
		return "Program", more
	case api.CallerService:
		return "waoutbox", "by itself"
	}
	return Line(r.Caller), more
}

// Did says in words what was done, without to what.
func Did(operation string) string {
	words := map[string]string{
		"webhook.add": "Added", "webhook.update": "Changed", "webhook.revive": "Added again", "webhook.remove": "Removed", "webhook.purge": "Removed for good", "webhook.pause": "Paused",
		"webhook.resume": "Resumed", "webhook.rotate-secret": "Rotated the secret of", "webhook.test": "Tested", "webhook.allow": "Allowed", "webhook.disallow": "Disallowed",
		"deadletter.replay": "Replayed dead letters of", "deadletter.purge": "Purged dead letters of", "event.replay": "Sent events again to", "replay.stop": "Stopped the replay of",
		"link.pair": "Asked for a code", "link.unpair": "Unlinked", "link.connect": "Connected the link", "link.disconnect": "Closed the link",
		"page.open": "Asked for a link to this page", "http-token.rotate": "Made a new HTTP token", "message.send": "Sent a message to",
		"events.subscribe": "Subscribed to events at", "events.refresh": "Gave another secret for events at", "events.unsubscribe": "Unsubscribed from events at", "events.end": "Ended the subscription of",
	}
	if w := words[operation]; w != "" {
		return w
	}
	return Line(operation)
}
