package admin

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// crashed is an engine of which nothing is left after a change: no record can follow it.
type crashed struct{ Engine }

func (crashed) PutAudit(context.Context, ...outbox.Audit) error {
	return errors.New("the process has ended")
}

// A crash after a change that somebody asked for never leaves it unrecorded. Before, each of these
// wrote its record in a second write.
func TestNoChangeIsUnrecordedAfterACrash(t *testing.T) {
	for operation, c := range map[string]struct {
		do   func(r *rig, id string) error
		says string // what the record says was asked for
	}{
		"webhook.pause": {do: func(r *rig, id string) error { return errorOf(r.PauseWebhook(r.t.Context(), id)) }},
		"webhook.resume": {do: func(r *rig, id string) error {
			return errorOf(r.ResumeWebhook(r.t.Context(), api.ResumeWebhook{Webhook: id, SkipToNow: true}))
		}, says: "skips to now"},
		"deadletter.purge": {do: func(r *rig, _ string) error {
			return errorOf(r.Purge(r.t.Context(), api.PurgeRequest{All: true}))
		}, says: "300 dead letters"},
		"deadletter.replay": {do: func(r *rig, _ string) error {
			return errorOf(r.Replay(r.t.Context(), api.ReplayRequest{All: true}))
		}, says: "256 dead letters"}, // no more are outstanding at once
		"event.replay": {do: func(r *rig, id string) error {
			return errorOf(r.ReplayEvents(r.t.Context(), api.ReplayEvents{Webhook: id, EventFilter: api.EventFilter{Since: time.UnixMilli(1)}}))
		}, says: "300 events"},
		"webhook.purge": {do: func(r *rig, id string) error {
			return errorOf(r.RemoveWebhook(r.t.Context(), api.RemoveWebhook{Webhook: id, Purge: true}))
		}, says: "300 dead letters"},
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			r, w := withLetters(t, 300)
			r.o.Engine = crashed{r.box}
			if err := c.do(r, w.ID); err != nil {
				t.Fatal(err)
			}
			r.wantRecord(operation, w.ID, c.says)
		})
	}
}

// wantRecord checks that the trail has one record of an operation, with what was asked for.
func (r *rig) wantRecord(operation, id, says string) {
	r.t.Helper()
	all := r.audit()
	all = slices.DeleteFunc(all, func(a api.AuditRecord) bool { return a.Operation != operation })
	if len(all) != 1 || all[0].Object != id || all[0].URL == "" || all[0].Result != says || all[0].Outcome != api.AuditDone {
		r.t.Errorf("the audit trail has %+v, want one %s of %s that says %q", all, operation, id, says)
	}
}

// A webhook without dead letters is forgotten in one write with its record.
func TestAnEmptyWebhookIsForgottenWithItsRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.put("http://localhost/hook").Webhook.ID
	r.o.Engine = crashed{r.box}
	res, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: id, Purge: true})
	if err != nil || !res.Forgotten {
		t.Fatalf("%+v, %v", res, err)
	}
	r.wantRecord("webhook.purge", id, "0 dead letters")
}

// The first deliveries that a replay in the service moves carry its record; one that has none to
// move is recorded all the same, and no replay is recorded twice.
//
// Mutation of replay_start.go: a replay in the service moves its first deliveries before its record
// is written.
func TestAReplayInTheServiceIsRecordedWithItsFirstMove(t *testing.T) {
	t.Parallel()
	r, w := withLetters(t, 300)
	r.delivers()
	r.o.Engine = crashed{r.box}
	r.serving()
	r.start(api.StartReplay{All: true})
	if run := r.ended(); run.Delivered != 300 {
		t.Errorf("%+v", run)
	}
	r.wantRecord("deadletter.replay", w.ID, "300 dead letters")

	r, w = withLetters(t, 300)
	r.delivers()
	r.serving()
	r.start(api.StartReplay{All: true})
	r.wantRecord("deadletter.replay", w.ID, "300 dead letters")
	r.ended()
	r.wantRecord("deadletter.replay", w.ID, "300 dead letters")
}

// noRecords is the engine of a dispatcher, and takes no Change with a record.
type noRecords struct{ dispatcher.Source }

func (s noRecords) Commit(ctx context.Context, c outbox.Change) error {
	if len(c.Audit) > 0 {
		return errors.New("no room for a record")
	}
	return s.Source.Commit(ctx, c)
}

// What cannot be recorded is not done, and says so.
func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	t.Parallel()
	r, w := withLetters(t, 3)
	r.o.Dispatcher = dispatcher.New(dispatcher.Options{Source: noRecords{r.box}, Subscriptions: r.box, Sender: r.sender})
	for what, err := range map[string]error{
		"pause":  errorOf(r.PauseWebhook(t.Context(), w.ID)),
		"resume": errorOf(r.ResumeWebhook(t.Context(), api.ResumeWebhook{Webhook: w.ID})),
		"purge":  errorOf(r.Purge(t.Context(), api.PurgeRequest{All: true})),
		"replay": errorOf(r.Replay(t.Context(), api.ReplayRequest{All: true})),
	} {
		if err == nil {
			t.Errorf("%s was done without a record", what)
		}
	}
	if st := r.status(); st.Dead != 3 || st.Pending != 0 || st.Webhooks[0].Status == api.WebhookPaused {
		t.Errorf("%+v", st)
	}
	for _, a := range r.audit()[1:] {
		if a.Outcome == api.AuditDone {
			t.Errorf("the audit trail says that it was done: %+v", a)
		}
	}
}
