package page

import (
	"waoutbox/cmd/internal/page/view"
	"waoutbox/outbox/api"
)

// unread says why a list is not there, in its place; the rest of the page is shown. Where it is
// what was asked for that is not understood, a notice says so instead, and it returns "".
func (c *call) unread(err error) string {
	switch {
	case err == nil:
		return ""
	case refused(err):
		c.found = c.notUnderstood(err)
		return ""
	}
	return c.said(err)
}

// refused reports whether a list was not made because of what was asked for.
func refused(err error) bool {
	switch api.CodeOf(err) {
	case api.CodeInvalidArguments, api.CodeInvalidEvents, api.CodeNotFound, api.CodeWebhookNotFound:
		return true
	}
	return false
}

// notUnderstood says why a list is not as it was asked for.
func (c *call) notUnderstood(err error) *notice {
	word := "The filter was not understood"
	if !refused(err) {
		word = "The filter cannot be applied now"
	}
	return &notice{State: view.State{Class: "warn", Word: word}, Text: c.said(err)}
}
