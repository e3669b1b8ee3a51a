package mcptools

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
)

// errorMetaKey is where programs find {code, retryable} of a failed call. It is not in
// structuredContent: clients that validate that against the output schema throw such an error away.
const errorMetaKey = "waoutbox/error"

// maxErrorText bounds the sentence of an error, in bytes.
const maxErrorText = 2048

func badArgument(format string, a ...any) *api.Error {
	return api.Errorf(api.CodeInvalidArguments, format, a...)
}

// failure is the result of a call that failed.
func (s *Server) failure(e api.Error) *mcp.CallToolResult {
	return &mcp.CallToolResult{
		Result: mcp.Result{Meta: &mcp.Meta{AdditionalFields: map[string]any{
			errorMetaKey: map[string]any{"code": string(e.Code), "retryable": e.Retryable},
		}}},
		Content: []mcp.Content{textContent(string(e.Code) + ": " + cut(clean(s.inShell(e.Message)), maxErrorText))},
		IsError: true,
	}
}

// explain makes the error an agent sees of any error. What is not an *api.Error, and what is
// internal, is logged under an id and shown only by that id.
func (s *Server) explain(ctx context.Context, t tool, err error) api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code != api.CodeInternal && e.Code != "" {
		return s.advise(*e)
	}
	ended := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	switch {
	case ended && errors.Is(ctx.Err(), context.Canceled):
		return *api.Retryf(api.CodeTimeout, "The call was cancelled before the service answered.")
	case ended:
		return *api.Retryf(api.CodeTimeout, "The service did not answer within %d s. Try again, or see %s.", int(t.limit.Seconds()), s.commandOrTool("status"))
	}
	id := "err_" + rand.Text()[:10]
	s.log.LogAttrs(ctx, slog.LevelError, "tool failed", slog.String("tool", t.name), slog.String("error_id", id), slog.Any("error", err))
	return *api.Errorf(api.CodeInternal, "Something failed inside waoutbox. Tell the user to look for %s in the log of this MCP server (what `waoutbox mcp` writes to stderr).", id)
}

// mayBeDone is an unsure for a tool that may be called again at will: it adds hint to the sentence.
func mayBeDone[In any](hint string) func(In, api.Error) api.Error {
	return func(_ In, e api.Error) api.Error {
		e.Message = sentence(e.Message) + " " + hint
		return e
	}
}

// advise adds which tool mends a failure whose sentence names none.
func (s *Server) advise(e api.Error) api.Error {
	var next string
	switch {
	case strings.Contains(e.Message, "whatsapp_"): // the tool is named already
		return e
	case e.Code == api.CodeWebhookNotFound && s.opts.ReadOnly:
		next = "whatsapp_webhook_list shows all."
	case e.Code == api.CodeWebhookNotFound:
		next = "whatsapp_webhook_list shows all; whatsapp_webhook_register adds one, or a removed one again."
	case e.Code == api.CodeNotFound:
		next = "whatsapp_event_list shows the events that are kept, whatsapp_dead_letter_list the dead letters."
	case (e.Code == api.CodeNotWaiting || e.Code == api.CodePairingUnavail || e.Code == api.CodePairingCancelled) && !s.opts.ReadOnly:
		next = "whatsapp_get_qr_code, or whatsapp_request_pairing_code, begins anew; whatsapp_connection_status shows how it stands."
	case e.Code == api.CodeMessageNotFound:
		next = "whatsapp_event_list shows the messages of a chat."
	case e.Code == api.CodeNotConnected:
		next = "whatsapp_connection_status says what to do."
	default:
		return e
	}
	e.Message = sentence(e.Message) + " Here: " + next
	return e
}
