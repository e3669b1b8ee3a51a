package page

import (
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// TestNewDeadLettersOfRemovedWebhooks: they count where it is known how many of them are new, and
// else it is said that they do not.
func TestNewDeadLettersOfRemovedWebhooks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tc := range []struct {
		name           string
		dead           int64 // of removed webhooks
		first, last    time.Time
		overview, lead string
	}{
		{"none", 0, now, now, "6 new in the last hour<", "6 are new in the last hour, of localhost:5678, crm.example.com, archive.example.com."},
		{"all new", 1204, now.Add(-time.Minute), now, "1,210 new in the last hour<", "1,210 are new in the last hour, of localhost:5678, crm.example.com, archive.example.com."},
		{"all old", 1204, now.Add(-3 * time.Hour), now.Add(-2 * time.Hour), "6 new in the last hour<", "6 are new in the last hour, of"},
		{"some new", 1204, now.Add(-3 * time.Hour), now, "6 new in the last hour, those of removed webhooks not counted<", "6 are new in the last hour, those of removed webhooks not counted, of"},
		{"not known", 1204, time.Time{}, time.Time{}, "6 new in the last hour, those of removed webhooks not counted<", "6 are new in the last hour, those of removed webhooks not counted, of"},
	} {
		f := everything()
		f.status.Dead += tc.dead
		f.gone = api.DeadLetterGroup{First: tc.first, Last: tc.last}
		b := open(t, f)
		if _, text := b.get(""); !strings.Contains(text, "<dd>"+tc.overview) {
			t.Errorf("%s: the overview has no %q", tc.name, tc.overview)
		}
		if _, text := b.get("deadletters"); !strings.Contains(text, tc.lead) {
			t.Errorf("%s: the dead letters have no %q", tc.name, tc.lead)
		}
	}
	f := everything()
	f.status.Webhooks, f.gone = f.status.Webhooks[:0], api.DeadLetterGroup{First: now, Last: now}
	if _, text := open(t, f).get("deadletters"); !strings.Contains(text, "1,204 are new in the last hour, of old.example.com (removed).") {
		t.Error("without a webhook in use")
	}
}
