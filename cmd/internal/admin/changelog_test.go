package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// TestChangesAreLogged: whatever changes something writes a line that says of which webhook, and
// who asked. Before, a purge did not say of which, and only replays said by whom.
func TestChangesAreLogged(t *testing.T) {
	r := newRig(t)
	var log bytes.Buffer
	r.o.Log = slog.New(slog.NewJSONHandler(&log, nil))
	r.policy(api.PolicyOpen)
	r.o.Caller = func(context.Context) api.Caller { return api.Caller{Kind: api.CallerMCP, Client: "agent 7"} }
	id := r.put("http://localhost/hook").Webhook.ID
	r.addDead(outbox.SubID(id), 4)
	dead := func() []string {
		list, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, l := range list.Items {
			ids = append(ids, l.ID)
		}
		return ids
	}()
	ask := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	_, err := r.PauseWebhook(t.Context(), id)
	ask("pause", err)
	_, err = r.ResumeWebhook(t.Context(), api.ResumeWebhook{Webhook: id})
	ask("resume", err)
	_, err = r.Replay(t.Context(), api.ReplayRequest{DeadLetterFilter: api.DeadLetterFilter{IDs: dead[:1]}})
	ask("replay", err)
	_, err = r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: api.DeadLetterFilter{IDs: dead[1:2]}})
	ask("purge one", err)
	_, err = r.Purge(t.Context(), api.PurgeRequest{All: true})
	ask("purge all", err)
	_, err = r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id})
	ask("remove", err)
	var lines []string
	for dec := json.NewDecoder(&log); dec.More(); {
		var line struct{ Msg, Webhook, Caller string }
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line.Caller != "agent 7" || line.Webhook != id && line.Msg != "dead letters queued again" {
			t.Errorf("%+v", line)
		}
		lines = append(lines, line.Msg)
	}
	want := []string{
		"webhook registered", "webhook paused", "webhook resumed", "dead letters queued again", "dead letters purged", "dead letters purged", "webhook removed",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("logged %q, want %q", lines, want)
	}
}
