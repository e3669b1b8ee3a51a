package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"waoutbox/outbox/api"
)

// TestOutputsOfRefusalsAndHints holds what is said where a command cannot do what was asked, or
// only a part of it.
func TestOutputsOfRefusalsAndHints(t *testing.T) {
	letters := func() *fakeService { return withBacklog(3) }
	paused := func() *fakeService {
		f := replayable(3)
		f.hooks[1].Status, f.hooks[1].Reason = api.WebhookPaused, "the endpoint answered 410 Gone"
		return f
	}
	twoRemoved := func() *fakeService {
		f := withBacklog(3)
		f.hooks = f.hooks[:1]
		for i := range f.letters {
			f.letters[i].Removed = true
		}
		f.letters[2].Webhook, f.letters[2].ID = "wh_ANEW", "dl_wh_ANEW_7"
		return f
	}
	for _, tt := range []struct {
		name, args string
		fake       func() *fakeService
	}{
		{"unknown-event", "deadletter --event message.recieved", letters},
		{"unknown-event-list", "deadletter list --event nope", letters},
		{"unknown-event-replay-json", "deadletter replay --event nope --json", letters},
		{"unknown-event-purge", "deadletter purge --event * --yes", letters},
		{"deadletter-paused", "deadletter", paused},
		{"deadletter-two-removed", "deadletter", twoRemoved},
		{"replay-removed-json", "deadletter replay --all --json", twoRemoved},
		{"flag-number", "deadletter replay --all --rate x", letters},
		{"flag-nan", "deadletter replay --all --rate NaN", letters},
		{"flag-bool", "status --check=maybe", letters},
		{"flag-no-value", "deadletter --since", letters},
		{"replay-offline-one", "deadletter replay --all", func() *fakeService {
			f := replayable(1)
			f.status.Daemon = nil
			return f
		}},
		// The state directory was named: every command that is printed names it as well.
		{"elsewhere-status", "--state-dir /srv/wa status", letters},
		{"elsewhere-deadletter", "--state-dir /srv/wa deadletter", letters},
		{"elsewhere-deadletter-removed", "--state-dir /srv/wa deadletter replay --all", twoRemoved},
		{"elsewhere-config", "--state-dir /nowhere/wa config unset nope", letters},
		{"elsewhere-start", "--state-dir /nowhere/wa start --max-in-flight=8", healthy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// the bubble's clock starts at midnight; noon has a today. No time passes
				<-time.After(12 * time.Hour)
				f := tt.fake()
				res := invoke(t, f, "", strings.Fields(tt.args)...)
				compareGolden(t, tt.name, fmt.Sprintf("$ waoutbox %s\n%s--- stderr\n%s--- exit %d\n", tt.args, res.out, res.err, res.code))
				runNext(t, f, res)
			})
		})
	}
}
