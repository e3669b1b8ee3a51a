package control

import (
	"net/http"
	"reflect"
	"time"

	"waoutbox/outbox/api"
)

// introduction says what all operations have in common.
const introduction = "The operations of waoutbox for programs: webhooks, dead letters, events, messages and the link. " +
	"`waoutbox serve --http ADDRESS` serves them; the control socket in the state directory has the same routes without a token.\n\n" +
	"Requests are read strictly: a field or parameter that is unknown, missing, given twice or of a wrong type is refused with 400 and its name in `field`. " +
	"Responses may get fields: ignore those that you do not know. Times are RFC 3339; lists in a query repeat their name. " +
	"What changes something runs to its end, whether its caller waits or not. A program may name itself in the header `Waoutbox-Agent`."

// description is what is said of an operation beside its types.
type description struct {
	id, tag, summary, more string
	returns                string
	open                   bool   // without a token
	kind                   string // media type of the response, "" is JSON of the operation's type
	codes                  []int  // failures beside those that every operation has
	asked, returned        map[string]any
}

func (d description) examples(all map[string]any) object {
	var o object
	for name, value := range all {
		o = append(o, member{name, object{{"value", value}}})
	}
	return o
}

func tags() []object {
	var out []object
	for _, t := range [][2]string{
		{"status", "How the service stands, and who changed what."}, {"webhooks", "Where events are delivered."}, {"dead letters", "Deliveries that were given up, kept to be replayed."},
		{"replays", "Replays that run in the service, one for each webhook."}, {"events", "The log of events, and the files of messages."},
		{"messages", "Sending, marking as read, typing."}, {"people", "People, groups and presence."}, {"link", "The WhatsApp account."},
	} {
		out = append(out, object{{"name", t[0]}, {"description", t[1]}})
	}
	return out
}

// ofListener are the operations that the HTTP listener serves beside those of this package.
func ofListener() []operation {
	none := reflect.TypeFor[none]()
	return []operation{{"GET /metrics", none, none}, {"GET /healthz", none, none}, {"GET /readyz", none, none}}
}

// descriptions are those of every operation, by its pattern.
func descriptions() map[string]description {
	at := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	events := []string{"message.received", "message.sent"}
	webhook := api.Webhook{ID: "wh_7K2M9Q4T", URL: "https://bot.example/hook", Events: events, Signed: true, Ordered: true, HoldAfter: 20,
		Schedule: []string{"0s", "1s", "3s", "10s"}, Status: api.WebhookActive, CreatedAt: at, UpdatedAt: at}
	letter := api.DeadLetter{ID: "dl_wh_7K2M9Q4T_1042", Webhook: webhook.ID, URL: webhook.URL, Event: "message.received", EventID: "evt_01", Chat: "15550100@s.whatsapp.net",
		Attempts: 4, LastError: api.LastError{Class: "status", Status: 503, Message: "the endpoint answered 503"}, FailedAt: at}
	event := api.Event{ID: "evt_01", Sequence: 1042, Event: "message.received", Chat: "15550100@s.whatsapp.net", Time: at, Message: "3EB0C431C26A1916E07A5D"}
	one := func(v any) map[string]any { return map[string]any{"example": v} }
	conflict, limited := []int{http.StatusConflict}, []int{http.StatusConflict, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout}
	sends := append([]int{http.StatusForbidden, http.StatusNotFound}, limited...)
	return map[string]description{
		string(routeStatus): {id: "getStatus", tag: "status", summary: "Get the status of the service", returns: "The link, the webhooks, what is pending and dead, and what needs a person (`alarms`)."},

		string(routeWebhooks): {id: "listWebhooks", tag: "webhooks", summary: "List the webhooks", returns: "Every webhook, in the order of their creation.",
			returned: one(items[api.Webhook]{Items: []api.Webhook{webhook}})},
		string(routePutWebhook): {id: "putWebhook", tag: "webhooks", summary: "Register a webhook, or change the one with this URL",
			returns: "What was done, and the webhook as it stands now. A generated secret is shown here, once.", codes: []int{http.StatusConflict, http.StatusNotFound, http.StatusForbidden},
			asked:    one(api.PutWebhook{URL: webhook.URL, Events: &events, GenerateSecret: true}),
			returned: one(api.PutWebhookResult{Result: api.PutCreated, Webhook: webhook, Secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"})},
		string(routeWebhook): {id: "getWebhook", tag: "webhooks", summary: "Get one webhook", returns: "The webhook.", returned: one(webhook)},
		string(routeRemoveWebhook): {id: "removeWebhook", tag: "webhooks", summary: "Remove a webhook",
			more:    "What it was owed becomes dead letters, which can be replayed after it was registered again; with `purge` they and its settings are discarded.",
			returns: "What was removed. An unknown webhook is no error: `removed` is false.", returned: one(api.RemoveWebhookResult{Removed: true, ID: webhook.ID, URL: webhook.URL, DeadLettered: 3})},
		string(routeActivity): {id: "getWebhookActivity", tag: "webhooks", summary: "Get what lately happened to a webhook", returns: "Its last attempts and its last 60 minutes."},
		string(routeTestWebhook): {id: "testWebhook", tag: "webhooks", summary: "Send a test event to a webhook", more: "One attempt, at once, signed like any delivery, outside the outbox.",
			returns: "How the attempt ended. An endpoint that refuses it is no failure of this call: `success` is false."},
		string(routePauseWebhook):  {id: "pauseWebhook", tag: "webhooks", summary: "Pause a webhook", more: "Its events wait until it is resumed.", returns: "How it stood before and stands now."},
		string(routeResumeWebhook): {id: "resumeWebhook", tag: "webhooks", summary: "Resume a webhook, whatever made it wait", returns: "How it stood before and stands now."},
		string(routeRotateSecret): {id: "rotateWebhookSecret", tag: "webhooks", summary: "Give a signed webhook a new secret",
			returns: "What was done. A generated secret is shown here, once.", codes: conflict},

		string(routeDeadLetters): {id: "listDeadLetters", tag: "dead letters", summary: "List dead letters", more: "Those that match every filter that is given, the oldest webhook and sequence first.",
			returns: "One page; `next_cursor` is the `cursor` of the next one.", codes: []int{http.StatusNotFound}, returned: one(api.DeadLetterPage{Items: []api.DeadLetter{letter}, Total: 1})},
		string(routeSummary): {id: "summarizeDeadLetters", tag: "dead letters", summary: "Count dead letters by webhook and reason", returns: "A line for each webhook and reason.", codes: []int{http.StatusNotFound},
			returned: one(items[api.DeadLetterGroup]{Items: []api.DeadLetterGroup{{Webhook: webhook.ID, URL: webhook.URL, Reason: "503", Count: 1, First: at, Last: at}}})},
		string(routeDeadLetter): {id: "getDeadLetter", tag: "dead letters", summary: "Get one dead letter with its body and its attempts", returns: "The dead letter."},
		string(routeReplay): {id: "replayDeadLetters", tag: "dead letters", summary: "Queue dead letters again", more: "Those of `ids`, those that the filter selects, or `all`. For very many `POST /v1/replays` goes at a bounded rate.",
			returns: "How many are queued, and how many are left.", codes: []int{http.StatusNotFound, http.StatusConflict},
			asked: one(api.ReplayRequest{DeadLetterFilter: api.DeadLetterFilter{IDs: []string{letter.ID}}}), returned: one(api.ReplayResult{Queued: 1, Missing: []string{}})},
		string(routePurge): {id: "purgeDeadLetters", tag: "dead letters", summary: "Discard dead letters for good", more: "Those of `ids`, those that the filter selects, or `all`; `dry_run` only counts them.",
			returns: "How many were discarded.", codes: []int{http.StatusNotFound, http.StatusConflict},
			asked: one(api.PurgeRequest{DeadLetterFilter: api.DeadLetterFilter{Webhook: webhook.ID, Reason: api.ReasonExpired}, DryRun: true})},

		string(routeReplays):     {id: "listReplays", tag: "replays", summary: "List replays", returns: "Those that run, and the last ended one of each webhook."},
		string(routeStartReplay): {id: "startReplay", tag: "replays", summary: "Begin to replay dead letters at a bounded rate", returns: "The replays that were begun, one for each webhook.", codes: []int{http.StatusNotFound, http.StatusConflict}},
		string(routeStopReplay):  {id: "stopReplays", tag: "replays", summary: "Stop the replay of a webhook, or all", more: "What they had queued goes on.", returns: "The replays that were ended.", codes: []int{http.StatusNotFound}},

		string(routeEvents): {id: "listEvents", tag: "events", summary: "List events of the log", more: "With `wait_seconds` the response waits until there is one. Go on at `next`.", returns: "One page of the log.",
			returned: one(api.EventPage{Items: []api.Event{event}, Next: 1043, Last: 1042})},
		string(routeEvent): {id: "getEvent", tag: "events", summary: "Get one event with its body and its deliveries", returns: "The event."},
		string(routeReplayEvents): {id: "replayEvents", tag: "events", summary: "Deliver past events to one webhook again", returns: "The replay that was begun.", codes: []int{http.StatusNotFound, http.StatusConflict},
			asked: one(api.ReplayEvents{Webhook: webhook.ID, EventFilter: api.EventFilter{Since: at}})},
		string(routeMedia): {id: "getEventMedia", tag: "events", summary: "Get the file of a message", more: "The file is fetched, decrypted and checked before its first byte. `id` may also be WhatsApp's id of the message.",
			kind: "*/*", returns: "The file. Its media type is the sender's word, and application/octet-stream where a browser might run it.",
			codes: []int{http.StatusConflict, http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusBadGateway, http.StatusGatewayTimeout}},

		string(routeSend): {id: "sendMessage", tag: "messages", summary: "Send a message", more: "One of `text`, `reaction`, `location`, `contact`, `edit`, `delete` and `file`. With an `idempotency_key` the same call can be repeated safely.",
			returns: "The message that was sent.", codes: sends,
			asked:    map[string]any{"text": api.Send{To: "15550100", Text: "Hello", IdempotencyKey: "order-4711"}},
			returned: one(api.SendResult{MessageID: "3EB0C431C26A1916E07A5D", Chat: "15550100@s.whatsapp.net", Timestamp: at})},
		string(routeSendFile): {id: "sendFile", tag: "messages", summary: "Send the file that is the body", more: "An image, a video, a recording, a document or a sticker. Any Content-Type but that of a form will do: what the file is comes from the file, from `kind` and from `mimetype`.",
			returns: "The message that was sent.", codes: sends},
		string(routeMarkRead): {id: "markMessagesRead", tag: "messages", summary: "Mark messages as read", returns: "How many were marked.", codes: append([]int{http.StatusNotFound}, limited...),
			asked: one(api.MarkRead{Messages: []api.MessageRef{{Chat: "15550100@s.whatsapp.net", ID: "3EB0C431C26A1916E07A5D"}}})},
		string(routeTyping): {id: "showTyping", tag: "messages", summary: "Show the account as typing in a chat", returns: "What is shown, and where.", codes: append([]int{http.StatusNotFound}, limited...)},

		string(routeWatchPresence):  {id: "watchPresence", tag: "people", summary: "Ask WhatsApp for the presence of a person", more: "`presence.update` events follow, as far as the person allows.", returns: "Whom it is asked for.", codes: append([]int{http.StatusNotFound}, limited...)},
		string(routeFindRecipients): {id: "findContacts", tag: "people", summary: "Find people and groups by name or number", returns: "Who was found, the best first.", codes: limited},
		string(routeGroups):         {id: "listGroups", tag: "people", summary: "List the groups that the account is in", returns: "The groups with their members, by name.", codes: append([]int{http.StatusNotFound}, limited...)},

		string(routeLink): {id: "getLink", tag: "link", summary: "Get the state of the link to WhatsApp", returns: "The link.", returned: one(api.Link{State: api.LinkConnected, Account: "15550100@s.whatsapp.net", Name: "Shop", Since: at})},
		string(routePair): {id: "pair", tag: "link", summary: "Link an account, and follow it", more: "A stream of JSON lines: each code that is shown, and a last line whose `step` is `end`, with `error` when no account was linked.",
			kind: "application/x-ndjson", returns: "One PairStep a line, each as it happens.", codes: conflict},
		string(routePairNow):      {id: "getPairingCode", tag: "link", summary: "Begin to link an account, and get the code that is shown now", returns: "The step that pairing has reached.", codes: conflict},
		string(routePairContinue): {id: "continuePairing", tag: "link", summary: "Give pairing what it waits for", returns: "The step that follows.", codes: conflict},
		string(routeUnpair):       {id: "unpair", tag: "link", summary: "Log the account out", returns: "What became of the link."},

		string(routeConnect):    {id: "connect", tag: "link", summary: "Open the link to WhatsApp again", returns: "The link.", codes: []int{http.StatusConflict, http.StatusBadGateway}},
		string(routeDisconnect): {id: "disconnect", tag: "link", summary: "Close the link to WhatsApp until it is opened again", more: "The account stays linked; events wait at WhatsApp.", returns: "The link."},

		string(routeAudit):       {id: "listAudit", tag: "status", summary: "List what was changed, and by whom", returns: "One page, the newest first; `next` is the `cursor` of the next one."},
		string(routeVerifyAudit): {id: "verifyAudit", tag: "status", summary: "Check that the audit trail was changed by nothing else", returns: "What was found; `links` are worth keeping elsewhere, for `known` of a later check."},
		string(routeOpenAPI):     {id: "getOpenAPI", tag: "status", summary: "Get this description", kind: "application/json", returns: "An OpenAPI 3.1 document."},
		"GET /metrics":           {id: "getMetrics", tag: "status", summary: "Get the metrics", kind: "text/plain", returns: "The text format of Prometheus."},
		"GET /healthz":           {id: "getHealth", tag: "status", summary: "Ask whether the service lives", open: true, kind: "text/plain", returns: "`ok`."},
		"GET /readyz": {id: "getReadiness", tag: "status", summary: "Ask whether the service takes events", open: true, kind: "text/plain", returns: "`ok`.",
			more: "The response of a service that takes none is 503 with the reason as text."},
	}
}
