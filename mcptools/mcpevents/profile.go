package mcpevents

// The profile: what the extension's text leaves open or may still change, in one place. Deployed
// clients accept these choices; the text of another revision needs other constants and nothing
// else.
const (
	// Key names the extension in the capabilities, in both eras.
	Key = "io.modelcontextprotocol/events"
	// capability is the same among the capabilities themselves, where some clients look.
	capability = "events"
	// subscriptionID marks the notifications of a stream with the id of its request.
	subscriptionID = "io.modelcontextprotocol/subscriptionId"

	// The extension's errors: provisional numbers, as deployed clients know them.
	codeNotFound          = -32011
	codeForbidden         = -32012
	codeResourceExhausted = -32013
	codeUnsupported       = -32014
	codeCallbackEndpoint  = -32015

	// nextPollMs is how long a client that has everything waits before it polls again.
	nextPollMs = 2000
	// maxStreams is how many streams the service has open at a time, for its error alone.
	maxStreams = 16
	// maxSubscriptions and maxChallenges are the service's limits, for their errors alone.
	maxSubscriptions = 64
	maxChallenges    = 5
	// maxEvents bounds a page.
	maxEvents = 100
	// timeLayout is how times are written.
	timeLayout = "2006-01-02T15:04:05.000Z07:00"
)

// The methods.
const (
	methodPrefix      = "events/"
	methodList        = "events/list"
	methodPoll        = "events/poll"
	methodStream      = "events/stream"
	methodSubscribe   = "events/subscribe"
	methodUnsubscribe = "events/unsubscribe"

	noteActive     = "notifications/events/active"
	noteEvent      = "notifications/events/event"
	noteHeartbeat  = "notifications/events/heartbeat"
	noteTerminated = "notifications/events/terminated"
)

// The ways to get events.
const (
	deliveryPoll    = "poll"
	deliveryPush    = "push"
	deliveryWebhook = "webhook"
)
