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
	codeResourceExhausted = -32013
	codeUnsupported       = -32014

	// nextPollMs is how long a client that has everything waits before it polls again.
	nextPollMs = 2000
	// maxStreams is how many streams the service has open at a time, for its error alone.
	maxStreams = 16
	// maxEvents bounds a page.
	maxEvents = 100
)

// The methods. Of subscriptions by webhook there are none yet.
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
	deliveryPoll = "poll"
	deliveryPush = "push"
)
