package control

import (
	"time"

	"waoutbox/outbox/api"
)

// route is the method and the path of one operation together with the types of its request and
// response, so that client, server and docs/openapi.json cannot disagree. How the request's fields
// become path, query and body is the package request's.
type route[In, Out any] string

const (
	routeStatus route[none, api.Status] = "GET /v1/status"

	routeWebhooks      route[none, items[api.Webhook]]                   = "GET /v1/webhooks"
	routePutWebhook    route[api.PutWebhook, api.PutWebhookResult]       = "POST /v1/webhooks"
	routeWebhook       route[webhookRef, api.Webhook]                    = "GET /v1/webhooks/{webhook}"
	routeRemoveWebhook route[api.RemoveWebhook, api.RemoveWebhookResult] = "DELETE /v1/webhooks/{webhook}"
	routeActivity      route[webhookRef, api.WebhookActivity]            = "GET /v1/webhooks/{webhook}/activity"
	routeTestWebhook   route[api.TestWebhook, api.TestWebhookResult]     = "POST /v1/webhooks/{webhook}/test"
	routePauseWebhook  route[webhookRef, api.WebhookState]               = "POST /v1/webhooks/{webhook}/pause"
	routeResumeWebhook route[api.ResumeWebhook, api.WebhookState]        = "POST /v1/webhooks/{webhook}/resume"
	routeRotateSecret  route[api.RotateSecret, api.RotateSecretResult]   = "POST /v1/webhooks/{webhook}/rotate-secret"

	routeAllowHost route[api.AllowHost, api.HostPolicy] = "POST /v1/hosts"
	// the daemon's own: of commands that change config.json
	routeRecordSetting route[api.RecordSetting, api.RecordedSetting] = "POST /v1/settings/record"
	routeAudit         route[api.AuditQuery, api.AuditPage]          = "GET /v1/audit"
	routeVerifyAudit   route[api.VerifyAudit, api.AuditCheck]        = "GET /v1/audit/verify"
	routeAcceptAudit   route[api.AcceptAudit, api.AcceptedAudit]     = "POST /v1/audit/accept"

	routeDeadLetters route[api.DeadLetterQuery, api.DeadLetterPage]          = "GET /v1/dead-letters"
	routeSummary     route[api.DeadLetterFilter, items[api.DeadLetterGroup]] = "GET /v1/dead-letters/summary"
	routeDeadLetter  route[idRef, api.DeadLetterDetail]                      = "GET /v1/dead-letters/{id}"
	routeReplay      route[api.ReplayRequest, api.ReplayResult]              = "POST /v1/dead-letters/replay"
	routePurge       route[api.PurgeRequest, api.PurgeResult]                = "POST /v1/dead-letters/purge"

	routeReplays     route[none, items[api.ReplayRun]]             = "GET /v1/replays"
	routeStartReplay route[api.StartReplay, api.StartReplayResult] = "POST /v1/replays"
	routeStopReplay  route[api.StopReplay, items[api.ReplayRun]]   = "POST /v1/replays/stop"

	routeEvents       route[api.EventQuery, api.EventPage]           = "GET /v1/events"
	routeEvent        route[idRef, api.EventDetail]                  = "GET /v1/events/{id}"
	routeReplayEvents route[api.ReplayEvents, api.StartReplayResult] = "POST /v1/events/replay"
	// the response is the file; what is known of it stands in the header headerMedia
	routeMedia route[idRef, file] = "GET /v1/events/{id}/media"

	routeSend route[api.Send, api.SendResult] = "POST /v1/messages"
	// the body is the file, and the fields stand in the query
	routeSendFile route[fileSend, api.SendResult]         = "POST /v1/messages/file"
	routeMarkRead route[api.MarkRead, api.MarkReadResult] = "POST /v1/messages/read"
	routeTyping   route[api.Typing, api.TypingResult]     = "POST /v1/typing"

	routeWatchPresence  route[api.WatchPresence, api.WatchPresenceResult] = "POST /v1/presence/watch"
	routeFindRecipients route[api.FindRecipients, api.FoundRecipients]    = "GET /v1/contacts"
	routeGroups         route[api.ListGroups, items[api.Group]]           = "GET /v1/groups"

	routeLink route[none, api.Link] = "GET /v1/link"
	// the response is JSON lines, see pairEnd
	routePair         route[api.PairRequest, api.PairStep]       = "POST /v1/link/pair"
	routePairNow      route[api.PairRequest, api.PairStep]       = "POST /v1/link/code"
	routePairContinue route[api.ContinuePairing, api.PairStep]   = "POST /v1/link/continue"
	routeUnpair       route[api.UnpairRequest, api.UnpairResult] = "DELETE /v1/link"
	routeConnect      route[none, api.Link]                      = "POST /v1/link/connect"
	routeDisconnect   route[none, api.Link]                      = "POST /v1/link/disconnect"

	// docs/openapi.json
	routeOpenAPI route[none, file] = "GET /v1/openapi.json"
	// in the text format of Prometheus
	routeMetrics route[none, file] = "GET /metrics"

	// a copy of the outbox, whole as of one moment
	routeOutbox route[none, file] = "GET /v1/outbox"

	// what `doctor` asks for
	routeExamine route[api.Examine, api.Examination] = "GET /v1/examination"

	// the response is one JSON line; the webhook is there until the caller hangs up
	routeListen route[api.PutWebhook, api.PutWebhookResult] = "POST /v1/listen"

	// These two are a promise to every other version, older or newer: each serves them at these
	// paths, without a body, and what they return only grows. By them a program finds out that
	// another version runs, and replaces it.
	routeDaemon route[none, api.Daemon] = "GET /v1/daemon"
	routeStop   route[none, api.Daemon] = "POST /v1/stop"
)

// none is an empty request.
type none struct{}

// webhookRef names one webhook.
type webhookRef struct {
	Webhook string `json:"webhook"` // id or URL
}

// idRef names one event or dead letter.
type idRef struct {
	// of an event evt_…, its sequence, or the id of a dead letter of it; of a dead letter dl_…
	ID string `json:"id"`
}

// fileSend is an api.Send of a file that comes beside the request.
type fileSend struct {
	To string `json:"to"` // a JID or a phone number
	// the same key within 24 h sends nothing and returns the first result
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// the message of that chat which the file is a reply to
	QuotedMessageID string `json:"quoted_message_id,omitempty"`
	// absent: as the file is
	Kind    string `json:"kind,omitempty" enum:"image,video,audio,voice,document,sticker"`
	Caption string `json:"caption,omitempty"`
	Name    string `json:"name,omitempty"`     // what a document is called
	MIME    string `json:"mimetype,omitempty"` // absent: as the file says
}

// file is a response that is no JSON.
type file struct{}

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
	headerCaller       = "Waoutbox-Caller"        // request: Agent.Kind
	headerAgentName    = "Waoutbox-Agent"         // request: Agent.Name, query-escaped
	headerAgentVersion = "Waoutbox-Agent-Version" // request: Agent.Version, query-escaped
	headerMedia        = "Waoutbox-Media"         // response: api.MediaInfo as JSON, base64
)

// Limits. Each is far above what an honest peer needs and keeps a broken one from holding memory or
// a goroutine.
const (
	maxRequestBytes  = 1 << 20  // the longest text message is 64 KiB
	maxResponseBytes = 64 << 20 // a page of 256 dead letters with bodies stays below
	maxLineBytes     = 1 << 20  // one pairing step
	maxHeaderBytes   = 64 << 10 // a page of 256 dead letters by their ids stays below
	maxTargetBytes   = maxHeaderBytes - 2<<10
	maxAgentBytes    = 128
	// calls over the socket at a time, streams included, and connections, with those that are idle
	// or have sent no header yet: more wait in the system's queue
	maxCalls       = 256
	maxConnections = 512

	headerTimeout = 5 * time.Second  // from connect to the end of the header
	bodyTimeout   = 10 * time.Second // to read one request
	restTimeout   = time.Second      // of a request that has its response: for what is left of it
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
