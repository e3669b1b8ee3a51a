package control

import (
	"time"

	"waoutbox/outbox/api"
)

// route is the path of one operation together with the types of its request and response, so that
// client and server cannot disagree. Every route but those of the metrics and of files is a POST
// with a JSON body. Fields that one side does not know are ignored.
type route[In, Out any] string

const (
	routeStatus route[none, api.Status] = "/v1/status"

	routeWebhooks      route[none, items[api.Webhook]]                         = "/v1/webhook/list"
	routeWebhook       route[ref, api.Webhook]                                 = "/v1/webhook/get"
	routeActivity      route[ref, api.WebhookActivity]                         = "/v1/webhook/activity"
	routePutWebhook    route[api.PutWebhook, api.PutWebhookResult]             = "/v1/webhook/put"
	routeRemoveWebhook route[api.RemoveWebhook, api.RemoveWebhookResult]       = "/v1/webhook/remove"
	routeTestWebhook   route[api.TestWebhook, api.TestWebhookResult]           = "/v1/webhook/test"
	routePauseWebhook  route[ref, api.WebhookState]                            = "/v1/webhook/pause"
	routeResumeWebhook route[api.ResumeWebhook, api.WebhookState]              = "/v1/webhook/resume"
	routeRotateSecret  route[api.RotateSecret, api.RotateSecretResult]         = "/v1/webhook/rotate-secret"
	routeSummary       route[api.DeadLetterFilter, items[api.DeadLetterGroup]] = "/v1/deadletter/summary"
	routeDeadLetters   route[api.DeadLetterQuery, api.DeadLetterPage]          = "/v1/deadletter/list"
	routeDeadLetter    route[ref, api.DeadLetterDetail]                        = "/v1/deadletter/get"
	routeReplay        route[api.ReplayRequest, api.ReplayResult]              = "/v1/deadletter/replay"
	routeEvents        route[api.EventQuery, api.EventPage]                    = "/v1/event/list"
	routeEvent         route[ref, api.EventDetail]                             = "/v1/event/get"
	routeReplayEvents  route[api.ReplayEvents, api.StartReplayResult]          = "/v1/event/replay"
	routeStartReplay   route[api.StartReplay, api.StartReplayResult]           = "/v1/replay/start"
	routeReplays       route[none, items[api.ReplayRun]]                       = "/v1/replay/list"
	routeStopReplay    route[api.StopReplay, items[api.ReplayRun]]             = "/v1/replay/stop"
	routePurge         route[api.PurgeRequest, api.PurgeResult]                = "/v1/deadletter/purge"

	// the response is JSON lines, see pairEnd
	routePair         route[api.PairRequest, api.PairStep]     = "/v1/link/pair"
	routePairNow      route[api.PairRequest, api.PairStep]     = "/v1/link/qr"
	routePairContinue route[api.ContinuePairing, api.PairStep] = "/v1/link/pair/continue"
	routeUnpair       route[none, api.UnpairResult]            = "/v1/link/unpair"
	routeConnect      route[none, api.Link]                    = "/v1/link/connect"
	routeDisconnect   route[none, api.Link]                    = "/v1/link/disconnect"
	routeSend         route[api.Send, api.SendResult]          = "/v1/message/send"
	// of older clients, whose request is a Send of a text
	routeSendText route[api.Send, api.SendResult] = "/v1/message/send-text"

	routeMarkRead       route[api.MarkRead, api.MarkReadResult]           = "/v1/message/read"
	routeTyping         route[api.Typing, api.TypingResult]               = "/v1/message/typing"
	routeWatchPresence  route[api.WatchPresence, api.WatchPresenceResult] = "/v1/presence/watch"
	routeFindRecipients route[api.FindRecipients, api.FoundRecipients]    = "/v1/contact/find"
	routeGroups         route[api.ListGroups, items[api.Group]]           = "/v1/group/list"

	// the request's body is the file, what is asked for stands in a header
	routeSendFile = "/v1/message/send-file"

	// a GET, whose response is the file; what is known of it stands in a header
	routeMedia = "/v1/events/{id}/media"

	// a GET, in the text format of Prometheus
	routeMetrics = "/metrics"

	routeDaemon route[none, api.Daemon] = "/v1/daemon"
	routeStop   route[none, api.Daemon] = "/v1/stop"
)

// none is an empty request.
type none struct{}

// ref names one webhook (id or URL) or dead letter.
type ref struct {
	Ref string `json:"ref"`
}

// items wraps a list, so that fields can be added beside it.
type items[T any] struct {
	Items []T `json:"items"`
}

// pairEnd is the step of the last line of the pairing stream, whose other lines are the steps as
// api.PairStep; its error is what Pair returns. A stream without this line was cut off.
const pairEnd = "end"

// Headers beside the body.
const (
	headerVersion      = "Waoutbox-Version"       // response: version of the daemon
	headerAgentName    = "Waoutbox-Agent"         // request: Agent.Name, query-escaped
	headerAgentVersion = "Waoutbox-Agent-Version" // request: Agent.Version, query-escaped
	headerMedia        = "Waoutbox-Media"         // response: api.MediaInfo as JSON, base64
	headerSend         = "Waoutbox-Send"          // request: api.Send as JSON, base64
)

// Limits. Each is far above what an honest peer needs and keeps a broken one from holding memory or
// a goroutine.
const (
	maxRequestBytes  = 1 << 20  // the longest text message is 64 KiB
	maxResponseBytes = 64 << 20 // a page of 256 dead letters with bodies stays below
	maxLineBytes     = 1 << 20  // one pairing step
	maxHeaderBytes   = 16 << 10
	maxAgentBytes    = 128

	headerTimeout = 5 * time.Second  // from connect to the end of the header
	bodyTimeout   = 10 * time.Second // to read one request
	writeTimeout  = 10 * time.Second // for a peer to take a response, or one line of a stream
	// to read the status and to take the metrics
	metricsTimeout = 20 * time.Second
	// how long a file waits for the service to want it; then it is sent
	expectWait  = 30 * time.Second
	dialTimeout = 2 * time.Second // a local socket accepts at once, or its backlog is full
	// to say who is there, which needs no work; a stopped or stuck daemon never says it
	daemonTimeout = 3 * time.Second
	// for one response when the caller's context sets no end; streams have none
	callTimeout = 120 * time.Second
)
