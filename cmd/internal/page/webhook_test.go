package page

import (
	"fmt"
	"strings"
	"testing"
)

// TestRecentAttempts: each says which it was, of how many, and what the endpoint answered.
func TestRecentAttempts(t *testing.T) {
	t.Parallel()
	f := everything()
	b := open(t, f)
	for _, n := range []int{4, 1} {
		want := fmt.Sprintf("1 of %d<", n)
		f.change(func() { f.status.Webhooks[1].Schedule = f.status.Webhooks[1].Schedule[:n] })
		_, text := b.get("webhooks/wh_9QRT")
		if !strings.Contains(text, `data-label="Attempt">`+want) {
			t.Errorf("of %d: no %q", n, want)
		}
		if !strings.Contains(text, `503 Service Unavailable</span><small class="clip" title="&lt;script`) || !strings.Contains(text, `>“&lt;script&gt;`) {
			t.Errorf("no answer of the endpoint, as its words:\n%s", text)
		}
	}
}

// TestAWebhookWithoutASecret: its page says what that means, and how it gets one.
func TestAWebhookWithoutASecret(t *testing.T) {
	t.Parallel()
	f := everything()
	f.status.Webhooks[1].Signed = false
	b := open(t, f)
	for id, want := range map[string]string{"wh_9QRT": "webhook add wh_9QRT --generate-secret", "wh_7K2M": "webhook show wh_7K2M --verify node"} {
		if _, text := b.get("webhooks/" + id); !strings.Contains(text, want) || strings.Contains(text, "It has no secret") != (id == "wh_9QRT") {
			t.Errorf("%s: no %q on\n%s", id, want, text)
		}
	}
}
