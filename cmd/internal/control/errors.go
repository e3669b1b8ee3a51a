package control

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"

	"waoutbox/cmd/internal/control/request"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Codes of requests that reach no operation. Programs get them; Client turns those that come of
// another version into a sentence that names both.
const (
	codeUnknownRoute     api.Code = "unknown_route"
	codeMethodNotAllowed api.Code = "method_not_allowed"
	codeUnsupportedType  api.Code = "unsupported_media_type"
	codeTooLarge         api.Code = "request_too_large"
)

// failure is the body of every response that is no success.
type failure struct {
	Error *api.Error `json:"error"`
}

// httpStatus returns the status of a code. Programs read the code; the status is for tools like
// curl.
func httpStatus(code api.Code) int {
	switch code {
	case api.CodeInvalidURL, api.CodeInvalidEvents, api.CodeInvalidSecret, api.CodeInvalidArguments, api.CodeInvalidCursor,
		api.CodeInvalidRecipient, api.CodeInvalidPhone, request.CodeUnknownField:
		return http.StatusBadRequest
	case api.CodeWebhookNotFound, api.CodeNotFound, api.CodeNotOnWhatsApp, api.CodeMessageNotFound, codeUnknownRoute:
		return http.StatusNotFound
	case api.CodeTooManyWebhooks, api.CodeAlreadyLinked, api.CodePairingUnavail, api.CodePairingCancelled, api.CodeNotWaiting, api.CodeNotConnected, api.CodeReplaced, api.CodeReplayRunning, api.CodeNotReplayable,
		api.CodeIdempotencyConflict:
		return http.StatusConflict
	case api.CodeMediaExpired:
		return http.StatusGone
	case codeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case codeUnsupportedType:
		return http.StatusUnsupportedMediaType
	case api.CodeMediaTooLarge, codeTooLarge:
		return http.StatusRequestEntityTooLarge
	case api.CodePathNotAllowed, api.CodeAccountRestricted, api.CodeHostNotAllowed, api.CodeApprovalRequired, api.CodeApprovalDeclined, api.CodeNotAuthenticated:
		return http.StatusForbidden
	case api.CodeMediaUnavailable:
		return http.StatusBadGateway
	case api.CodeRateLimited, api.CodeTooManyStreams:
		return http.StatusTooManyRequests
	case api.CodeServiceUnavail:
		return http.StatusServiceUnavailable
	case api.CodeOutboxFull:
		return http.StatusInsufficientStorage
	case api.CodeTimeout:
		return http.StatusGatewayTimeout
	case api.CodeSendFailed, api.CodeConnectFailed, api.CodeClientOutdated, api.CodeCallbackFailed:
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

// public returns what of an operation's error may cross the socket. What is no *api.Error could
// hold anything, so only an id crosses and the text goes to the log under the same id.
func (s *Server) public(ctx context.Context, path string, err error) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e
	}
	switch {
	case s.stopping() && errors.Is(err, context.Canceled):
		return s.stoppedError()
	case errors.Is(err, context.DeadlineExceeded):
		return api.Retryf(api.CodeTimeout, "the operation took too long and was given up; try again")
	case errors.Is(err, context.Canceled):
		return api.Retryf(api.CodeTimeout, "the caller gave up")
	}
	id := incident()
	s.log.LogAttrs(ctx, slog.LevelError, "control call failed", slog.String("route", path), slog.String("incident", id),
		slog.String("error", err.Error()))
	return internal(id)
}

// inField says of a failure of an operation which field of its request is wrong, where the code
// tells that.
func inField(e *api.Error, in any) *api.Error {
	var names []string
	switch e.Code {
	case api.CodeInvalidURL, api.CodeHostNotAllowed:
		names = []string{"url"}
	case api.CodeInvalidEvents:
		names = []string{"events", "event"}
	case api.CodeInvalidSecret:
		names = []string{"secret"}
	case api.CodeInvalidCursor:
		names = []string{"cursor"}
	case api.CodeInvalidPhone:
		names = []string{"phone"}
	case api.CodeInvalidRecipient, api.CodeNotOnWhatsApp:
		names = []string{"to", "of", "jid", "messages"}
	case api.CodeWebhookNotFound:
		names = []string{"webhook", "url"}
	case api.CodeNotFound:
		names = []string{"id"}
	}
	fields := request.Fields(reflect.TypeOf(in))
	if e.Code == api.CodeInvalidArguments && len(fields) == 1 {
		names = []string{fields[0].Name}
	}
	for _, f := range fields {
		if e.Field == "" && slices.Contains(names, f.Name) {
			named := *e
			return named.In(f.Name)
		}
	}
	return e
}

// stoppedError is the error of a call that a stop cut off or came before.
func (s *Server) stoppedError() *api.Error {
	return unavailable("waoutbox is stopping; the call was cut off. Start it again: %s", term.Command(s.stateDir, "start"))
}

// panicked logs a handler's panic. Of the value only a runtime error is written out: of anything
// else, which may hold a secret, the type.
func (s *Server) panicked(ctx context.Context, path string, p any) *api.Error {
	id := incident()
	s.log.LogAttrs(ctx, slog.LevelError, "control call panicked", slog.String("route", path), slog.String("incident", id), slog.String("panic", outbox.PanicText(p)), slog.String("stack", string(debug.Stack())))
	return internal(id)
}

func internal(id string) *api.Error {
	return api.Errorf(api.CodeInternal, "something went wrong inside waoutbox (incident %s). The log says more: search it for %s", id, id)
}

// incident returns an id that ties a response to a line of the log.
func incident() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// decodeFailure returns the error that the body of a response without success holds.
func (c *Client) decodeFailure(resp *http.Response, body []byte) error {
	var f failure
	if json.Unmarshal(body, &f) != nil || f.Error == nil || f.Error.Code == "" {
		return api.Errorf(api.CodeInternal, "the service answered %d without a reason; is something else listening on its socket?", resp.StatusCode)
	}
	switch f.Error.Code {
	case codeUnknownRoute, codeMethodNotAllowed, request.CodeUnknownField:
		if isOfEveryVersion(resp) {
			return c.strange(resp)
		}
		return api.Errorf(api.CodeServiceUnavail, "the running waoutbox (version %s) does not know this operation, or not all that is asked for, so nothing was done; this is version %s. "+
			"Restart the service with this version: %s", orUnknown(resp.Header.Get(headerVersion)), orUnknown(c.agent.build()), c.restart()).Undone()
	}
	return f.Error
}

func orUnknown(v string) string {
	if v == "" {
		return "unknown"
	}
	return v
}
