package admin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// withDeadLetters makes n dead letters by delivering to an endpoint that always fails.
func withDeadLetters(t *testing.T, n int) (*rig, api.Webhook) {
	t.Helper()
	r := newRig(t)
	w := r.put("http://localhost/hook", "message.received", "message.sent").Webhook
	r.arrive("message.received", n-n/3)
	r.arrive("message.sent", n/3)
	r.deliver("all are dead", func() bool { return r.status().Dead == int64(n) })
	return r, w
}

func TestDeadLetterShowsEveryAttempt(t *testing.T) {
	r, w := withDeadLetters(t, 1)
	page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("list: %+v, %v", page, err)
	}
	d, err := r.DeadLetter(t.Context(), page.Items[0].ID)
	if err != nil || d.Webhook != w.ID || d.Attempts != 4 || len(d.AttemptLog) != 4 || d.LastError.Status != 500 || d.Body == "" || d.EventID == "" {
		t.Errorf("show: %+v, %v", d, err)
	}
	for i, a := range d.AttemptLog {
		if a.N != i+1 || a.Status != 500 || a.Class != "http" {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
	for _, id := range []string{"dl_" + w.ID + "_99", "dl_wh_NONE_1"} {
		_, err := r.DeadLetter(t.Context(), id)
		wantError(t, err, api.CodeNotFound, id)
	}
	for _, id := range []string{"", "x", "dl_wh_A", "dl_wh_A_x", "dl_wh_A_0"} {
		_, err := r.DeadLetter(t.Context(), id)
		wantError(t, err, api.CodeInvalidArguments, "dead letter id")
	}
}

func TestDeadLetterPagesAndFilters(t *testing.T) {
	r, w := withDeadLetters(t, 30)
	seen := map[string]bool{}
	cursor, pages := "", 0
	for {
		page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{Limit: 7, Cursor: cursor})
		if err != nil || page.Total != 30 {
			t.Fatalf("page %d: total %d, %v", pages, page.Total, err)
		}
		for _, d := range page.Items {
			if seen[d.ID] {
				t.Errorf("%s is on two pages", d.ID)
			}
			seen[d.ID] = true
		}
		pages++
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if len(seen) != 30 || pages != 5 {
		t.Errorf("%d letters on %d pages", len(seen), pages)
	}
	for name, tc := range map[string]struct {
		f    api.DeadLetterFilter
		want int64
	}{
		"event":   {api.DeadLetterFilter{Event: "message.sent"}, 10},
		"webhook": {api.DeadLetterFilter{Webhook: w.URL}, 30},
		"since":   {api.DeadLetterFilter{Since: time.Now().Add(time.Hour)}, 0},
	} {
		if page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{DeadLetterFilter: tc.f}); err != nil || page.Total != tc.want || len(page.Items) != int(tc.want) {
			t.Errorf("%s: %d of %d, %v", name, len(page.Items), page.Total, err)
		}
	}
	_, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{Cursor: "made up"})
	wantError(t, err, api.CodeInvalidCursor, "made up")
	groups, err := r.DeadLetterSummary(t.Context(), api.DeadLetterFilter{})
	if err != nil || len(groups) != 1 || groups[0].Reason != "500" || groups[0].Count != 30 || groups[0].Last.Before(groups[0].First) {
		t.Errorf("summary: %+v, %v", groups, err)
	}
}

func TestReplayAndPurge(t *testing.T) {
	r, w := withDeadLetters(t, 9)
	_, err := r.Replay(t.Context(), api.ReplayRequest{})
	wantError(t, err, api.CodeInvalidArguments, "or all")
	_, err = r.Purge(t.Context(), api.PurgeRequest{})
	wantError(t, err, api.CodeInvalidArguments, "or all")
	page, _ := r.DeadLetters(t.Context(), api.DeadLetterQuery{})
	gone := "dl_" + w.ID + "_77"
	if dry, err := r.Replay(t.Context(), api.ReplayRequest{All: true, DryRun: true}); err != nil || dry.Queued != 9 || r.status().Dead != 9 {
		t.Errorf("dry run: %+v, %v, %d still dead", dry, err, r.status().Dead)
	}
	if dry, err := r.Replay(t.Context(), api.ReplayRequest{DryRun: true, DeadLetterFilter: api.DeadLetterFilter{IDs: []string{page.Items[0].ID, gone}}}); err != nil || dry.Queued != 1 || fmt.Sprint(dry.Missing) != "["+gone+"]" {
		t.Errorf("dry run by id: %+v, %v", dry, err)
	}
	first, err := r.Replay(t.Context(), api.ReplayRequest{DeadLetterFilter: api.DeadLetterFilter{IDs: []string{page.Items[4].ID, gone}}})
	if err != nil || first.Queued != 1 || first.Remaining != 0 || fmt.Sprint(first.Missing) != "["+gone+"]" || first.Note == "" {
		t.Errorf("by id: %+v, %v", first, err)
	}
	limited, err := r.Replay(t.Context(), api.ReplayRequest{DeadLetterFilter: api.DeadLetterFilter{Webhook: w.ID}, Limit: 3})
	if err != nil || limited.Queued != 3 || limited.Remaining != 5 {
		t.Errorf("limited: %+v, %v", limited, err)
	}
	purged, err := r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: api.DeadLetterFilter{Event: "message.sent"}})
	if err != nil || purged.Purged == 0 {
		t.Errorf("purge: %+v, %v", purged, err)
	}
	rest, err := r.Replay(t.Context(), api.ReplayRequest{All: true})
	if err != nil || rest.Queued != 5-purged.Purged || rest.Remaining != 0 {
		t.Errorf("the rest: %+v, %v", rest, err)
	}
	r.sender.mu.Lock()
	r.sender.result, r.sender.got = dispatcher.Result{Class: outbox.ClassOK, Status: 200}, nil
	r.sender.mu.Unlock()
	r.deliver("all is delivered", func() bool { st := r.status(); return st.Pending == 0 && st.Dead == 0 })
	for _, req := range r.sender.got {
		if req.Replay != 1 || req.Attempt != 1 {
			t.Errorf("replayed as attempt %d, replay %d", req.Attempt, req.Replay)
		}
	}
}

// A request that is wrong tells which field it is.
func TestAWrongIDNamesItsField(t *testing.T) {
	r := newRig(t)
	hook := r.put("http://localhost/hook").Webhook.ID
	ids := api.DeadLetterFilter{IDs: []string{"dl_x"}}
	for field, err := range map[string]error{
		"id":    errorOf(r.DeadLetter(t.Context(), "dl_x")),
		"ids":   errorOf(r.Replay(t.Context(), api.ReplayRequest{DeadLetterFilter: ids})),
		"ids ":  errorOf(r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: ids})),
		"ids  ": errorOf(r.ReplayEvents(t.Context(), api.ReplayEvents{Webhook: hook, IDs: []string{"nothing"}})),
		"id ":   errorOf(r.Event(t.Context(), "nothing")),
		"limit": errorOf(r.Audit(t.Context(), api.AuditQuery{Limit: -1})),
	} {
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Field != strings.TrimSpace(field) {
			t.Errorf("%v is in %+v, want %q", err, e, field)
		}
	}
}

// TestReplayIsBounded: at most 256 replayed deliveries wait at a time; calling again goes on.
func TestReplayIsBounded(t *testing.T) {
	r := newRig(t)
	w := r.put("http://localhost/hook", "message.received").Webhook
	r.arrive("message.received", 300)
	// a run of 300
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil {
		t.Fatal(err)
	}
	r.put(w.URL, "message.received")
	res, err := r.Replay(t.Context(), api.ReplayRequest{All: true})
	if err != nil || res.Queued != 256 || res.Remaining != 44 {
		t.Fatalf("first call: %+v, %v", res, err)
	}
	if again, err := r.Replay(t.Context(), api.ReplayRequest{All: true}); err != nil || again.Queued != 0 || again.Remaining != 44 {
		t.Errorf("with 256 outstanding: %+v, %v", again, err)
	}
	r.sender.result = dispatcher.Result{Class: outbox.ClassOK, Status: 200}
	r.deliver("256 are delivered", func() bool { return r.status().Pending == 0 })
	if rest, err := r.Replay(t.Context(), api.ReplayRequest{All: true}); err != nil || rest.Queued != 44 || rest.Remaining != 0 {
		t.Errorf("the rest: %+v, %v", rest, err)
	}
}

// TestPurgeTakesRunsWhole: a removed backlog and single letters beside it go at once.
func TestPurgeTakesRunsWhole(t *testing.T) {
	r, w := withDeadLetters(t, 3)
	r.arrive("message.received", 600)
	if _, err := r.RemoveWebhook(t.Context(), api.RemoveWebhook{Webhook: w.ID}); err != nil {
		t.Fatal(err)
	}
	if dead := r.status().Dead; dead != 603 {
		t.Fatalf("%d dead, want 603", dead)
	}
	res, err := r.Purge(t.Context(), api.PurgeRequest{All: true})
	if err != nil || res.Purged != 603 || r.status().Dead != 0 {
		t.Errorf("purge: %+v, %v, %d left", res, err, r.status().Dead)
	}
}
