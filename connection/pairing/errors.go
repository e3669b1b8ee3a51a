package pairing

import (
	"context"
	"errors"
	"regexp"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/outbox/api"
)

// Every error here says what to do next.

// longDigits matches what may be a phone number.
var longDigits = regexp.MustCompile(`[0-9]{7,}`)

// detail is a library's error without phone numbers.
func detail(err error) string { return longDigits.ReplaceAllString(err.Error(), "…") }

func notFinished() *api.Error {
	return api.Retryf(api.CodeTimeout, "linking was not finished in time: keep WhatsApp open on the phone, then pair again")
}

// Cancelled is how a session ends that somebody cancelled.
func Cancelled() *api.Error {
	return api.Errorf(api.CodePairingCancelled, "pairing was cancelled, and what it showed is no longer valid: start anew with waoutbox pair")
}

// disconnected says what a connection that broke off cost.
func disconnected(p phase) *api.Error {
	switch p {
	case phasePasskey:
		return api.Retryf(api.CodePairingUnavail, "WhatsApp ended the connection while it waited for the passkey: pair again and give the response sooner")
	case phaseCodes:
		return api.Retryf(api.CodePairingUnavail, "WhatsApp ended the connection while pairing: pair again")
	case phasePrimary, phaseConfirm, phaseFinish, phaseLinked:
	}
	return api.Retryf(api.CodePairingUnavail, "WhatsApp ended the connection before the account was linked: pair again")
}

func refused(reason events.ConnectFailureReason) *api.Error {
	return api.Retryf(api.CodePairingUnavail, "WhatsApp refused the connection (%d): pair again later", int(reason))
}

// pairError says why the account that the phone gave was not taken.
func pairError(err error) *api.Error {
	if _, ok := errors.AsType[*whatsmeow.PairDatabaseError](err); ok {
		return api.Retryf(api.CodePairingUnavail, "the account could not be written to whatsapp.db (%s): make room on its disk or mend it, then pair again", detail(err))
	}
	switch {
	case errors.Is(err, whatsmeow.ErrPairInvalidDeviceIdentityHMAC):
		return api.Retryf(api.CodePairingUnavail, "the phone used a code that is no longer shown: pair again and use the code on show")
	case errors.Is(err, whatsmeow.ErrPairRejectedLocally):
		return api.Retryf(api.CodePairingUnavail, "the phone linked when the session was over already: pair again")
	}
	return api.Retryf(api.CodePairingUnavail, "linking failed (%s): if the phone lists this device under Settings > Linked devices, remove it there; then pair again", detail(err))
}

// codeError says why WhatsApp made no code for a number.
func codeError(phone string, err error) *api.Error {
	iq, isIQ := errors.AsType[*whatsmeow.IQError](err)
	switch {
	case errors.Is(err, whatsmeow.ErrPhoneNumberTooShort), errors.Is(err, whatsmeow.ErrPhoneNumberIsNotInternational):
		return invalidPhone(phone)
	case isIQ && iq.Code == 429:
		return api.Retryf(api.CodeRateLimited, "WhatsApp makes no more codes for now (429, too many): wait some hours, or scan a QR code instead (waoutbox pair)")
	case isIQ && iq.Code >= 500:
		return api.Retryf(api.CodePairingUnavail, "WhatsApp could not make a code (%d): try again in a minute, or scan a QR code instead (waoutbox pair)", iq.Code)
	case isIQ:
		return api.Errorf(api.CodeInvalidPhone, "WhatsApp makes no code for +%s (%d): check the number and its country code, or scan a QR code instead (waoutbox pair)", phone, iq.Code)
	case noResponse(err):
		return api.Retryf(api.CodeTimeout, "WhatsApp did not answer when it was asked for a code: pair again")
	}
	return api.Retryf(api.CodePairingUnavail, "no code could be asked for (%s): pair again", detail(err))
}

// passkeyError says why the passkey's request cannot be shown, or its continuation not be read.
func passkeyError(err error) *api.Error {
	return api.Retryf(api.CodePairingUnavail, "WhatsApp asks for the account's passkey in a way this version cannot read (%s): update waoutbox, then pair again", detail(err))
}

// responseError says why WhatsApp did not take the passkey's response.
func responseError(err error) *api.Error {
	iq, isIQ := errors.AsType[*whatsmeow.IQError](err)
	switch {
	case isIQ:
		return api.Retryf(api.CodePairingUnavail, "WhatsApp refused the passkey's response (%d): choose the passkey of the account that is being linked and give its response once more, or start over: waoutbox pair --cancel, then waoutbox pair", iq.Code)
	case noResponse(err):
		return api.Retryf(api.CodeTimeout, "WhatsApp did not take the passkey's response in time: give it once more, or start over: waoutbox pair --cancel, then waoutbox pair")
	}
	return api.Retryf(api.CodePairingUnavail, "the passkey's response could not be handed over (%s): pair again", detail(err))
}

func confirmError(err error) *api.Error {
	return api.Retryf(api.CodePairingUnavail, "the confirmation could not be handed over (%s): pair again", detail(err))
}

func noResponse(err error) bool {
	return errors.Is(err, whatsmeow.ErrIQTimedOut) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
