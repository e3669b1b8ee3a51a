package wording

// Way is one command, and what does the same for agents and programs.
type Way struct {
	Command string // the words behind the program's name
	// Tool does it for agents, where one does: its name, and what it is always called with. Its
	// arguments are by the flags of the command; "" stands for what follows the command without a
	// flag, and "NAME VALUE" for a flag that has no value. Where a flag has no argument the command
	// stays as it is.
	Tool      string
	Arguments map[string]string
	// Route does it for programs, in the same way; its fields may be parts of its path
	Route  string
	Fields map[string]string
}

// What names a webhook.
const (
	toolWebhook  = "url"
	routeWebhook = "webhook"
)

// Ways lists every command that a sentence of the service names. A longer one stands for itself,
// not for what it begins with.
func Ways() []Way {
	return []Way{
		{Command: "status", Tool: "whatsapp_connection_status", Route: "GET /v1/status"},
		{Command: "pair", Tool: "whatsapp_get_qr_code", Route: "POST /v1/link/code"},
		{Command: "pair --phone", Tool: "whatsapp_request_pairing_code", Route: "POST /v1/link/code"},
		{Command: "pair --cancel", Tool: "whatsapp_get_qr_code (cancel true)", Route: `POST /v1/link/continue with {"cancel":true}`},
		{Command: "unpair", Tool: "whatsapp_disconnect (logout true)", Route: "DELETE /v1/link"},
		{Command: "connect", Tool: "whatsapp_connect", Route: "POST /v1/link/connect"},
		{Command: "disconnect", Tool: "whatsapp_disconnect", Route: "POST /v1/link/disconnect"},

		{Command: "webhook list", Tool: "whatsapp_webhook_list", Route: "GET /v1/webhooks"},
		{Command: "webhook show", Tool: "whatsapp_webhook_list", Arguments: map[string]string{"": ""}, Route: "GET /v1/webhooks/{webhook}", Fields: map[string]string{"": routeWebhook}},
		{
			Command: "webhook add",
			Tool:    "whatsapp_webhook_register", Arguments: map[string]string{"": toolWebhook, "--generate-secret": "generateSecret true"},
			Route: "POST /v1/webhooks", Fields: map[string]string{
				"": "url", "--generate-secret": "generate_secret true", "--no-secret": "secret \"\"", "--allow-insecure-http": "allow_insecure_http true", "--secret-file": "secret", "--ca-file": "ca", "--header-file": "headers",
			},
		},
		{Command: "webhook remove", Tool: "whatsapp_webhook_unregister", Arguments: map[string]string{"": toolWebhook}, Route: "DELETE /v1/webhooks/{webhook}", Fields: map[string]string{"": routeWebhook}},
		{Command: "webhook test", Tool: "whatsapp_webhook_test", Arguments: map[string]string{"": toolWebhook}, Route: "POST /v1/webhooks/{webhook}/test", Fields: map[string]string{"": routeWebhook}},
		{Command: "webhook pause", Tool: "whatsapp_webhook_pause", Arguments: map[string]string{"": toolWebhook}, Route: "POST /v1/webhooks/{webhook}/pause", Fields: map[string]string{"": routeWebhook}},
		{
			Command: "webhook resume",
			Tool:    "whatsapp_webhook_resume", Arguments: map[string]string{"": toolWebhook, "--skip-to-now": "skipToNow true"},
			Route: "POST /v1/webhooks/{webhook}/resume", Fields: map[string]string{"": routeWebhook, "--skip-to-now": "skip_to_now true"},
		},
		{
			Command: "webhook rotate-secret",
			Route:   "POST /v1/webhooks/{webhook}/rotate-secret", Fields: map[string]string{"": routeWebhook, "--overlap": "overlap", "--promote": "promote true"},
		},

		{Command: "deadletter", Tool: "whatsapp_dead_letter_list", Arguments: map[string]string{"--url": toolWebhook}, Route: "GET /v1/dead-letters/summary", Fields: map[string]string{"--url": routeWebhook}},
		{Command: "deadletter list", Tool: "whatsapp_dead_letter_list", Arguments: map[string]string{"--url": toolWebhook}, Route: "GET /v1/dead-letters", Fields: map[string]string{"--url": routeWebhook}},
		{Command: "deadletter show", Tool: "whatsapp_event_show", Arguments: map[string]string{"": "id"}, Route: "GET /v1/dead-letters/{id}", Fields: map[string]string{"": "id"}},
		{
			Command: "deadletter replay",
			Tool:    "whatsapp_dead_letter_replay", Arguments: map[string]string{"": "ids", "--url": toolWebhook},
			Route: "POST /v1/dead-letters/replay", Fields: map[string]string{"": "ids", "--url": routeWebhook},
		},
		{Command: "deadletter replay --watch", Route: "GET /v1/replays"},
		{Command: "deadletter replay --status", Route: "GET /v1/replays"},
		{Command: "deadletter replay --stop", Route: "POST /v1/replays/stop", Fields: map[string]string{"--url": routeWebhook}},
		{
			Command: "deadletter purge",
			Tool:    "whatsapp_dead_letter_purge", Arguments: map[string]string{"": "ids", "--url": toolWebhook},
			Route: "POST /v1/dead-letters/purge", Fields: map[string]string{"": "ids", "--url": routeWebhook},
		},

		{Command: "event list", Tool: "whatsapp_event_list", Arguments: map[string]string{"--chat": "chat"}, Route: "GET /v1/events", Fields: map[string]string{"--chat": "chat"}},
		{Command: "event show", Tool: "whatsapp_event_show", Arguments: map[string]string{"": "id"}, Route: "GET /v1/events/{id}", Fields: map[string]string{"": "id"}},
		{Command: "contact find", Tool: "whatsapp_find_recipient", Arguments: map[string]string{"": ""}, Route: "GET /v1/contacts", Fields: map[string]string{"": "query"}},
		{Command: "group list", Tool: "whatsapp_group_list", Route: "GET /v1/groups"},
		{Command: "group show", Tool: "whatsapp_group_list", Arguments: map[string]string{"": "jid"}, Route: "GET /v1/groups", Fields: map[string]string{"": "jid"}},
		{Command: "media get", Tool: "whatsapp_download_media", Arguments: map[string]string{"": "eventId"}, Route: "GET /v1/events/{id}/media", Fields: map[string]string{"": "id"}},
		{Command: "audit", Route: "GET /v1/audit"},
	}
}

// Owners lists the commands that stay commands for everybody: what they do is for the owner of the
// state, who is at this machine.
func Owners() []string {
	return []string{
		"start", "stop", "restart", "serve", "logs", "config set", "config get", "config unset", "webhook allow", "webhook disallow", "audit --verify", "audit accept",
		"http-token", "http-token rotate", "mcp", "version", "backup", "restore", "doctor", "service install", "service uninstall", "service status", "listen", "open",
	}
}
