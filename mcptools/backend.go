package mcptools

import (
	"context"
	"strings"
	"unicode"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/server"
)

// Backend is the part of api.Service the tools use. Its methods are safe for concurrent use, return early when ctx ends, and fail
// with an *api.Error; any other error is shown to agents as `internal`.
type Backend interface {
	Status(ctx context.Context) (api.Status, error)
	Webhooks(ctx context.Context) ([]api.Webhook, error)
	PutWebhook(ctx context.Context, in api.PutWebhook) (api.PutWebhookResult, error)
	RemoveWebhook(ctx context.Context, in api.RemoveWebhook) (api.RemoveWebhookResult, error)
	TestWebhook(ctx context.Context, ref string) (api.TestWebhookResult, error)
	DeadLetters(ctx context.Context, q api.DeadLetterQuery) (api.DeadLetterPage, error)
	DeadLetter(ctx context.Context, id string) (api.DeadLetterDetail, error)
	Replay(ctx context.Context, in api.ReplayRequest) (api.ReplayResult, error)
	QR(ctx context.Context) (api.PairStep, error)
	SendText(ctx context.Context, in api.SendText) (api.SendResult, error)
}

// clientOf names who is calling: modern requests say so themselves, older clients said it in their handshake.
func clientOf(ctx context.Context) ClientInfo {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		if info.ClientInfo == nil {
			return ClientInfo{}
		}
		return ClientInfo{Name: printable(info.ClientInfo.Name), Version: printable(info.ClientInfo.Version)}
	}
	if session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		info := session.GetClientInfo()
		return ClientInfo{Name: printable(info.Name), Version: printable(info.Version)}
	}
	return ClientInfo{}
}

// printable makes a client's word about itself fit for a header and an audit line.
func printable(s string) string {
	const most = 64
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == most {
			break
		}
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
			n++
		}
	}
	return strings.TrimSpace(b.String())
}
