package api

import (
	"errors"
	"fmt"
)

// Code names a failure for programs. Codes are stable; the text beside them may change.
type Code string

const (
	CodeInvalidURL       Code = "invalid_url"
	CodeInvalidEvents    Code = "invalid_events"
	CodeInvalidSecret    Code = "invalid_secret"
	CodeInvalidArguments Code = "invalid_arguments"
	CodeInvalidCursor    Code = "invalid_cursor"
	CodeTooManyWebhooks  Code = "too_many_webhooks"
	CodeWebhookNotFound  Code = "webhook_not_found"
	CodeNotFound         Code = "not_found" // dead letter, event, message
	CodeAlreadyLinked    Code = "already_linked"
	CodePairingUnavail   Code = "pairing_unavailable"
	CodePairingCancelled Code = "pairing_cancelled"
	CodeInvalidPhone     Code = "invalid_phone"
	CodeNotWaiting       Code = "not_waiting" // pairing does not wait for this now
	CodeNotConnected     Code = "not_connected"
	CodeConnectFailed    Code = "connect_failed" // Connect tried, and the link is not up
	CodeReplaced         Code = "replaced"       // another program uses this session
	CodeClientOutdated   Code = "client_outdated"
	CodeInvalidRecipient Code = "invalid_recipient"
	CodeNotOnWhatsApp    Code = "not_on_whatsapp"
	CodeRateLimited      Code = "rate_limited"
	// WhatsApp does not let the account write to this recipient for a while
	CodeAccountRestricted Code = "account_restricted"
	CodeSendFailed        Code = "send_failed"
	CodeMessageNotFound   Code = "message_not_found"
	// the idempotency key was used for another recipient or content
	CodeIdempotencyConflict Code = "idempotency_conflict"
	// dead letters without a body that could be sent
	CodeNotReplayable Code = "not_replayable"
	CodeReplayRunning Code = "replay_running" // of the same webhook
	// as many streams of events are open as may be
	CodeTooManyStreams Code = "too_many_streams"
	// the file of a message cannot be had: it is damaged, or nobody can be reached who has it
	CodeMediaUnavailable Code = "media_unavailable"
	CodeMediaExpired     Code = "media_expired" // neither WhatsApp nor the phone has it any longer
	CodeMediaTooLarge    Code = "media_too_large"
	CodePathNotAllowed   Code = "path_not_allowed" // outside media-dirs
	// of a subscription: nothing is known of who asks
	CodeNotAuthenticated Code = "not_authenticated"
	// of a subscription: its endpoint did not agree to it; Reason says why
	CodeCallbackFailed Code = "callback_failed"
	// the policy for hosts of webhooks refuses this one
	CodeHostNotAllowed Code = "webhook_host_not_allowed"
	// the user must be asked before this is done
	CodeApprovalRequired Code = "approval_required"
	// and he did not agree
	CodeApprovalDeclined Code = "approval_declined"
	// no daemon, or it cannot be reached or started
	CodeServiceUnavail Code = "service_unavailable"
	CodeOutboxFull     Code = "outbox_full"
	CodeTimeout        Code = "timeout"
	CodeInternal       Code = "internal"
)

// Error is a failure with a code and one sentence that says what happened and how to mend it. It
// crosses the control socket unchanged. The sentence never holds a secret.
type Error struct {
	Code      Code   `json:"code"`
	Message   string `json:"message" sentence:"true"`
	Retryable bool   `json:"retryable,omitempty"` // the same call may succeed later
	// the field or parameter of the request that is wrong, like "url" or "file.kind", where it is
	// one
	Field string `json:"field,omitempty"`
	// of CodeCallbackFailed: connection_refused, timeout, tls_error, http_4xx, http_5xx or
	// challenge_failed
	Reason string `json:"reason,omitempty"`
	// how long to wait before the same call, where that is known
	RetryAfterSeconds int `json:"retry_after_seconds,omitempty"`
	// see Undone
	nothingDone bool
}

func (e *Error) Error() string { return e.Message }

// In says which field of the request is wrong, unless that is known already, and returns e.
func (e *Error) In(field string) *Error {
	if e.Field == "" {
		e.Field = field
	}
	return e
}

// Undone says that whoever asked found out by himself that the service did nothing, since it was
// not reached or knows no such operation, and returns e. It does not cross the socket.
func (e *Error) Undone() *Error {
	e.nothingDone = true
	return e
}

// NothingDone reports whether it is known that the service did nothing.
func (e *Error) NothingDone() bool { return e.nothingDone }

// Errorf makes an Error that is not retryable.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Retryf makes an Error after which the same call may succeed later.
func Retryf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Retryable: true}
}

// CodeOf returns the code of the first Error in err's chain, else CodeInternal; "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
