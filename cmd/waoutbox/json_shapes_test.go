package main

import (
	"waoutbox/cmd/internal/demo"
	"waoutbox/outbox/api"
)

// jsonOutput is what a command prints with --json.
type jsonOutput struct {
	command string // as it is typed, without the program's name
	lines   bool   // any number of them, one a line
	of      []any  // a value of each type: the first of a line of its own, then the others
	note    string
}

// jsonOutputs lists every command that prints JSON. docs/JSON.md is written from it.
func jsonOutputs() []jsonOutput {
	one := func(command string, of any, note string) jsonOutput {
		return jsonOutput{command, false, []any{of}, note}
	}
	many := func(command string, of any, note string) jsonOutput {
		return jsonOutput{command, true, []any{of}, note}
	}
	return []jsonOutput{
		one("status", api.Status{}, "`--watch`: one every two seconds"), one("status --alive", api.Daemon{}, ""),
		one("start", api.Daemon{}, ""), one("stop", stoppedLine{}, ""), one("restart", restarted{}, ""),
		many("logs", logLine{}, ""), one("open", api.PageLink{}, ""),
		many("pair", api.PairStep{}, "a line for each step, until `linked`"), one("pair passkey", api.PairStep{}, ""), one("pair confirm", api.PairStep{}, ""), one("pair --cancel", api.PairStep{}, ""),
		one("unpair", api.UnpairResult{}, ""), one("connect", api.Link{}, ""), one("disconnect", api.Link{}, ""),
		one("service install", serviceLine{}, ""), one("service status", serviceLine{}, ""), one("service uninstall", serviceLine{}, ""),

		many("webhook list", api.Webhook{}, ""), one("webhook show", api.Webhook{}, ""), one("webhook show --attempts", api.WebhookActivity{}, ""),
		one("webhook show --verify", verifierCode{}, ""), one("webhook add", addedLine{}, ""), one("webhook test", api.TestWebhookResult{}, "exit 1 where the endpoint does not take it"),
		one("webhook pause", stateLine{}, ""), one("webhook resume", stateLine{}, ""), one("webhook rotate-secret", rotatedLine{}, ""),
		one("webhook remove", api.RemoveWebhookResult{}, ""), one("webhook allow", api.HostPolicy{}, ""), one("webhook disallow", api.HostPolicy{}, ""),
		{"listen", true, []any{listenStart{}, listenLine{}}, "the first line says where it listens, one follows for each request"},

		many("deadletter", api.DeadLetterGroup{}, ""), many("deadletter list", api.DeadLetter{}, "all of them"), one("deadletter show", api.DeadLetterDetail{}, ""),
		one("deadletter show --curl", curlScript{}, ""), one("deadletter replay", api.ReplayResult{}, "`--dry-run`, `--detach` and `--watch` too"), many("deadletter replay --status", api.ReplayRun{}, "`--stop` too"),
		one("deadletter purge", api.PurgeResult{}, "needs `--yes`"),

		many("event list", api.Event{}, "all of them, or the newest `--limit`; `--follow` goes on"), one("event show", api.EventDetail{}, ""), one("event replay", api.ReplayResult{}, ""),

		one("send text", api.SendResult{}, "media, reaction, location, contact, edit and delete too"), one("send read", api.MarkReadResult{}, ""), one("send typing", api.TypingResult{}, ""),
		one("media get", savedMedia{}, ""), many("contact find", api.Recipient{}, ""), one("contact watch", api.WatchPresenceResult{}, ""), many("group list", api.Group{}, ""), one("group show", api.Group{}, ""),

		many("config list", configLine{}, ""), one("config get", configLine{}, ""), one("config set", configLine{}, ""), one("config unset", configLine{}, ""),
		many("audit", api.AuditRecord{}, "all of them, or the newest `--limit`"), one("audit --verify", api.AuditCheck{}, ""), one("audit accept", api.AcceptedAudit{}, ""),
		many("doctor", doctorFinding{}, "exit 1 where there is a problem"), many("doctor --quarantine", quarantinedLine{}, "one for each damaged file"),
		one("backup", backupLine{}, ""), one("restore", restoreLine{}, ""), one("http-token", httpTokenLine{}, ""), one("http-token rotate", httpTokenLine{}, ""),
		one("mcp config", clientConfig{}, ""), one("mcp config n8n", httpClientConfig{}, ""), one("demo", demo.Summary{}, ""), one("version", versionInfo{}, ""),
	}
}

// noJSON are the commands that have none, and why.
var noJSON = map[string]string{
	"serve":      "it goes on; its log has the setting log-format",
	"mcp":        "it speaks its own protocol, which is JSON",
	"metrics":    "they have a format of their own",
	"completion": "a script for a shell",
	"man":        "a manual page",
	"help":       "for people",
}

// likeText are commands whose JSON is that of send text.
var likeText = []string{"send media", "send reaction", "send location", "send contact", "send edit", "send delete"}
