package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// A day before deliveries expire, or when a quarter of their time is left, an alarm names the
// webhook, the moment, and what gives them more time; what expired is told from other dead letters,
// and refused when somebody wants it replayed.
//
// Mutation of status.go: nobody is told that events are about to expire.
func TestExpiryNear(t *testing.T) {
	for _, tc := range []struct {
		kept, waits time.Duration
		near        bool
	}{
		{0, 1000 * time.Hour, false},
		{720 * time.Hour, 695 * time.Hour, false}, {720 * time.Hour, 697 * time.Hour, true}, {720 * time.Hour, 800 * time.Hour, true},
		{8 * time.Hour, 5 * time.Hour, false}, {8 * time.Hour, 7 * time.Hour, true},
	} {
		r := newRig(t)
		r.o.RetainPending = tc.kept
		w := r.put("http://127.0.0.1:9/hook", "message.received")
		var seqs []outbox.Seq
		for i := range 3 {
			got, err := r.box.Append(t.Context(), outbox.Event{Key: fmt.Sprint("evt_", i), Name: "message.received", Chat: "c", Time: time.Now().Add(-tc.waits), Body: []byte("{}")})
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, got...)
		}
		st, err := r.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var found []api.Alarm
		for _, a := range st.Alarms {
			if a.Code == "expiry_near" {
				found = append(found, a)
			}
		}
		if !tc.near {
			if len(found) != 0 {
				t.Errorf("kept %v, waits %v: %+v", tc.kept, tc.waits, found)
			}
			continue
		}
		if len(found) != 1 || !strings.Contains(found[0].Message, w.Webhook.ID) || !strings.Contains(found[0].Message, "retain-pending") || found[0].Since.After(time.Now()) {
			t.Fatalf("kept %v, waits %v: %+v", tc.kept, tc.waits, found)
		}
		if n, _, err := r.disp.Expire(t.Context(), outbox.SubID(w.Webhook.ID), time.Now(), 0); n != 3 || err != nil {
			t.Fatalf("expired %d, %v", n, err)
		}
		if n, _, err := r.box.Trim(t.Context(), time.Now(), 10); n != 3 || err != nil {
			t.Fatalf("trimmed %d, %v", n, err)
		}
		groups, err := r.DeadLetterSummary(t.Context(), api.DeadLetterFilter{})
		if err != nil || len(groups) != 1 || groups[0].Reason != api.ReasonExpired || groups[0].Count != 3 {
			t.Errorf("summary %+v, %v", groups, err)
		}
		page, err := r.DeadLetters(t.Context(), api.DeadLetterQuery{})
		if err != nil || len(page.Items) != 1 || page.Items[0].LastError.Class != api.ReasonExpired {
			t.Fatalf("list %+v, %v", page, err)
		}
		if d, err := r.DeadLetter(t.Context(), page.Items[0].ID); err != nil || d.Body != "" || d.LastError.Class != api.ReasonExpired {
			t.Errorf("show %+v, %v", d, err)
		}
		if queued, missing, err := r.disp.Replay(t.Context(), outbox.SubID(w.Webhook.ID), seqs); queued != 0 || len(missing) != 3 || err != nil {
			t.Errorf("replayed %d, %v, %v", queued, missing, err)
		}
		if st, err := r.Status(t.Context()); err != nil || st.Dead != 3 || st.Pending != 0 {
			t.Errorf("status %+v, %v", st, err)
		}
	}
}
