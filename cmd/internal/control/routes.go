// Package control is the operations of api.Service over the one socket of the state directory: HTTP and JSON, routes under /v1.
// Server runs in the daemon; Client is what the CLI, `waoutbox mcp` and /metrics hold; Ensure starts the daemon when none runs.
//
// Whoever can open the socket can do everything, so it is 0600 in a 0700 directory and the peer's user is checked as well.
package control

import (
	"fmt"
	"time"

	"waoutbox/outbox/api"
)

// route is the path of one operation together with the types of its question and answer, so that client and server cannot disagree.
// Every route is a POST with a JSON body. Fields that one side does not know are ignored.
type route[In, Out any] string

const (
	routeStatus route[none, api.Status] = "/v1/status"

	routeWebhooks      route[none, items[api.Webhook]]                         = "/v1/webhook/list"
	routeWebhook       route[ref, api.Webhook]                                 = "/v1/webhook/get"
	routePutWebhook    route[api.PutWebhook, api.PutWebhookResult]             = "/v1/webhook/put"
	routeRemoveWebhook route[api.RemoveWebhook, api.RemoveWebhookResult]       = "/v1/webhook/remove"
	routeTestWebhook   route[ref, api.TestWebhookResult]                       = "/v1/webhook/test"
	routeSummary       route[api.DeadLetterFilter, items[api.DeadLetterGroup]] = "/v1/deadletter/summary"
	routeDeadLetters   route[api.DeadLetterQuery, api.DeadLetterPage]          = "/v1/deadletter/list"
	routeDeadLetter    route[ref, api.DeadLetterDetail]                        = "/v1/deadletter/get"
	routeReplay        route[api.ReplayRequest, api.ReplayResult]              = "/v1/deadletter/replay"
	routePurge         route[api.PurgeRequest, api.PurgeResult]                = "/v1/deadletter/purge"

	routePair     route[none, api.PairStep]           = "/v1/link/pair" // answers JSON lines, see pairEnd
	routeQR       route[none, api.PairStep]           = "/v1/link/qr"
	routeSendText route[api.SendText, api.SendResult] = "/v1/message/send-text"

	routeDaemon route[none, api.Daemon] = "/v1/daemon"
	routeStop   route[none, api.Daemon] = "/v1/stop"
)

// none is an empty question.
type none struct{}

// ref names one webhook (id or URL) or dead letter.
type ref struct {
	Ref string `json:"ref"`
}

// items wraps a list, so that fields can be added beside it.
type items[T any] struct {
	Items []T `json:"items"`
}

// pairEnd is the step of the last line of the pairing stream, whose other lines are the steps as api.PairStep; its error is what Pair
// returns. A stream without this line was cut off.
const pairEnd = "end"

// Headers beside the body.
const (
	headerVersion      = "Waoutbox-Version"       // answer: version of the daemon
	headerAgentName    = "Waoutbox-Agent"         // question: Agent.Name, query-escaped
	headerAgentVersion = "Waoutbox-Agent-Version" // question: Agent.Version, query-escaped
)

// Limits. Each is far above what an honest peer needs and keeps a broken one from holding memory or a goroutine.
const (
	maxRequestBytes  = 1 << 20  // the longest text message is 64 KiB
	maxResponseBytes = 64 << 20 // a page of 256 dead letters with bodies stays below
	maxLineBytes     = 1 << 20  // one pairing step
	maxHeaderBytes   = 16 << 10
	maxAgentBytes    = 128

	headerTimeout = 5 * time.Second   // from connect to the end of the header
	bodyTimeout   = 10 * time.Second  // to read one question
	writeTimeout  = 10 * time.Second  // for a peer to take an answer, or one line of a stream
	dialTimeout   = 2 * time.Second   // a local socket answers at once, or its backlog is full
	daemonTimeout = 3 * time.Second   // to say who is there, which needs no work; a stopped or stuck daemon never does
	callTimeout   = 120 * time.Second // for one answer when the caller's context sets no end; streams have none
)

// unavailable is service_unavailable with a sentence; nothing was done and the same call may succeed later.
func unavailable(format string, args ...any) *api.Error {
	return &api.Error{Code: api.CodeServiceUnavail, Message: fmt.Sprintf(format, args...), Retryable: true}
}
