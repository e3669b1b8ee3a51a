package connection

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/socket"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

func notConnected(link api.Link) *api.Error {
	switch {
	case link.Account == "":
		return api.Errorf(api.CodeNotConnected, "no account is linked: link one first with waoutbox pair")
	case link.State == api.LinkDisconnected && link.Reason != "": // time alone does not mend it
		return api.Retryf(api.CodeNotConnected, "not connected to WhatsApp (%s). What to do: waoutbox status", link.Reason)
	case link.Reason != "":
		return api.Retryf(api.CodeNotConnected, "not connected to WhatsApp (%s): try again later", link.Reason)
	}
	return api.Retryf(api.CodeNotConnected, "not connected to WhatsApp yet: try again in a moment")
}

func ledgerError(err error) *api.Error {
	if errors.Is(err, outbox.ErrFull) {
		return api.Retryf(api.CodeOutboxFull, "nothing was sent: the outbox is full, so the send could not be noted. Make room and try again")
	}
	return api.Retryf(api.CodeInternal, "nothing was sent: the send could not be noted (%s)", masked(err.Error()))
}

// unsure is the error of a send that may have left, as what says. Only with an idempotency key may
// the call be repeated: without one that would be another message.
func unsure(key, what string) *api.Error {
	if key == "" {
		return api.Errorf(api.CodeTimeout, "%s: look for it on the phone, or for its message.sent event, before it is sent again: that would be a second message. With an idempotency key a repeated call makes none", what)
	}
	return api.Retryf(api.CodeTimeout, "%s: repeat the call with the same idempotency key, which sends no second message and tells how it ended", what)
}

// outcomeUnknown reports whether the message may have left although the library returned an error.
func outcomeUnknown(err error) bool {
	switch {
	case errors.Is(err, whatsmeow.ErrMessageTimedOut), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return true
	}
	if d, ok := errors.AsType[*whatsmeow.DisconnectedError](err); ok {
		// before the message itself come questions about the recipient's devices
		return d.Action != "info query"
	}
	// from the repetition after a lost connection
	if err == whatsmeow.ErrNotConnected { //nolint:errorlint // wrapped, nothing was sent
		return true
	}
	return strings.Contains(err.Error(), "failed to send message node") && !errors.Is(err, whatsmeow.ErrNotConnected)
}

// refusalCode is the code WhatsApp refused the message with, which the library has in its error's
// text only; "" for other errors.
func refusalCode(err error) string {
	if !errors.Is(err, whatsmeow.ErrServerReturnedError) {
		return ""
	}
	code := strings.TrimSpace(strings.TrimPrefix(err.Error(), whatsmeow.ErrServerReturnedError.Error()))
	if _, err := strconv.Atoi(code); err != nil {
		return "0"
	}
	return code
}

// isCutOff reports whether an error says that the connection ended before a question of the library
// left.
func isCutOff(err error) bool {
	for _, cut := range []error{socket.ErrSocketClosed, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, cut) {
			return true
		}
	}
	return false
}

// sendError says what an error of the library means for who wanted to send.
func sendError(err error) *api.Error {
	if code := refusalCode(err); code != "" {
		if code == "429" {
			return api.Retryf(api.CodeRateLimited, "WhatsApp refused the message for now (429, too many): wait some minutes before the next one")
		}
		return api.Errorf(api.CodeSendFailed, "WhatsApp refused the message (code %s); it was not sent. Try the same from the phone: if that fails too, WhatsApp restricts this account or this recipient", code)
	}
	iq, isIQ := errors.AsType[*whatsmeow.IQError](err)
	switch {
	case errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrNotLoggedIn),
		errors.Is(err, whatsmeow.ErrIQDisconnected), isCutOff(err):
		return api.Retryf(api.CodeNotConnected, "not connected to WhatsApp: try again in a moment")
	case errors.Is(err, whatsmeow.ErrGroupNotFound), errors.Is(err, whatsmeow.ErrNotInGroup):
		return api.Errorf(api.CodeInvalidRecipient, "the group does not exist or the account is not in it. Those it is in: waoutbox group list")
	case isIQ && iq.Code == 429:
		return api.Retryf(api.CodeRateLimited, "WhatsApp answers too many requests (429): wait some minutes before the next one")
	case errors.Is(err, whatsmeow.ErrIQTimedOut), errors.Is(err, context.DeadlineExceeded):
		return api.Retryf(api.CodeTimeout, "WhatsApp did not answer a question about the recipient, nothing was sent: try again")
	case errors.Is(err, context.Canceled):
		return api.Retryf(api.CodeNotConnected, "the service is stopping: try again when it runs")
	case strings.Contains(err.Error(), "no LID found"):
		return api.Errorf(api.CodeNotOnWhatsApp, "WhatsApp knows no account for this number: check the number and its country code")
	case isIQ:
		return api.Errorf(api.CodeSendFailed, "WhatsApp refused a question about the recipient (%d %s)", iq.Code, iq.Text)
	}
	return api.Errorf(api.CodeSendFailed, "the message could not be sent (%s)", masked(err.Error()))
}
