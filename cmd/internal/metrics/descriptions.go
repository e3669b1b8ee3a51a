package metrics

// kind is the type of a metric.
type kind string

const (
	kindCounter   kind = "counter"
	kindGauge     kind = "gauge"
	kindHistogram kind = "histogram"
)

// description is one metric, as docs/METRICS.md shows it.
type description struct {
	name   string
	kind   kind
	labels []string
	help   string
}

// What is counted as it happens, from the start of the process.
var (
	eventsAppended = description{"waoutbox_events_appended_total", kindCounter, []string{"event"}, "Events that were stored, by name. One that was stored before is not counted."}
	appendSeconds  = description{"waoutbox_append_seconds", kindHistogram, nil, "Seconds from the call of an append until it was on disk, its wait for the commit included."}
	commitSeconds  = description{"waoutbox_commit_seconds", kindHistogram, nil, "Seconds that a commit of outbox.db took, its sync included."}
	commitWrites   = description{"waoutbox_commit_writes", kindHistogram, nil, "Writes (appends, settlements, changes) that shared a commit: the batch size."}
	commitFailures = description{"waoutbox_commit_failures_total", kindCounter, nil, "Commits of outbox.db that failed, or whose outcome was not known."}
	attempts       = description{"waoutbox_attempts_total", kindCounter, []string{"webhook", "class"}, "Attempts to deliver, by how they ended: ok for a 2xx, http for any other answer, address and local for those that were not made because of this side."}
	attemptSeconds = description{"waoutbox_attempt_seconds", kindHistogram, []string{"webhook"}, "Seconds that a request to the endpoint took, until its answer or its error."}
	deliveries     = description{"waoutbox_deliveries_total", kindCounter, []string{"webhook", "outcome"}, "Deliveries that ended: delivered, or dead for dead letters, replays counted again."}
	panicked       = description{"waoutbox_panics_total", kindCounter, nil, "Faults of this program that were contained: what was being done failed, and the service went on. Each has a line in the log."}
)

// What is read when somebody asks.
var (
	buildInfo     = description{"waoutbox_build_info", kindGauge, []string{"version", "go_version"}, "1, with what the service was built from."}
	linkState     = description{"waoutbox_link_state", kindGauge, []string{"state"}, "1 for the state of the WhatsApp link, 0 for the others."}
	alarms        = description{"waoutbox_alarms", kindGauge, []string{"code"}, "Alarms that are up, by code."}
	countsKnown   = description{"waoutbox_counts_known", kindGauge, nil, "0 while outbox.db cannot be read: what would have to be counted is absent then."}
	eventStreams  = description{"waoutbox_event_streams", kindGauge, nil, "Streams of events that MCP clients have open."}
	subscribed    = description{"waoutbox_event_subscriptions", kindGauge, nil, "Webhooks that MCP clients have subscribed."}
	eventsKept    = description{"waoutbox_events", kindGauge, nil, "Events that the outbox keeps, delivered ones included."}
	databaseLive  = description{"waoutbox_database_live_bytes", kindGauge, nil, "Bytes of outbox.db that are in use."}
	databaseFree  = description{"waoutbox_database_free_bytes", kindGauge, nil, "Bytes of free pages in outbox.db, which are used again."}
	databaseBytes = description{"waoutbox_database_bytes", kindGauge, nil, "Size of outbox.db on disk in bytes."}
	webhookState  = description{"waoutbox_webhook_state", kindGauge, []string{"webhook", "state"}, "1 for the state of the webhook, 0 for the others."}
	pending       = description{"waoutbox_pending_deliveries", kindGauge, []string{"webhook"}, "Deliveries that are owed and not finished."}
	oldestPending = description{"waoutbox_oldest_pending_seconds", kindGauge, []string{"webhook"}, "Age of the oldest event that is owed and not finished in seconds, 0 if there is none."}
	deadLetters   = description{"waoutbox_dead_letters", kindGauge, []string{"webhook"}, "Dead letters that are kept."}
	removedDead   = description{"waoutbox_removed_webhooks_dead_letters", kindGauge, nil, "Dead letters that are kept of webhooks that were removed."}
)

// descriptions are all metrics but those of Go and of the process, in the order of the document.
func descriptions() []description {
	return []description{
		eventsAppended, appendSeconds, commitSeconds, commitWrites, commitFailures, attempts, attemptSeconds, deliveries, panicked,
		pending, oldestPending, deadLetters, removedDead, webhookState, linkState, alarms, eventStreams, subscribed, eventsKept, databaseBytes, databaseLive, databaseFree, countsKnown, buildInfo,
	}
}
