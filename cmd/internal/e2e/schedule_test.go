package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// TestScheduleAndReplay: an endpoint that returns 500 gets four POSTs with the same body and id, 1,
// 3 and 10 s apart; then the delivery is a dead letter with all four attempts, replayed once the
// endpoint works, and the list is empty.
func TestScheduleAndReplay(t *testing.T) {
	t.Parallel()
	schedule(t, false)
}

// TestScheduleSurvivesKill: the same with the daemon killed between attempts 2 and 3: attempts go
// on at 3.
func TestScheduleSurvivesKill(t *testing.T) {
	t.Parallel()
	schedule(t, true)
}

func schedule(t *testing.T, kill bool) {
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret, Script: receiver.MustScript("500")})
	hook := r.addWebhook(recv.URL(), secret, "message.received")
	headers := filepath.Join(shortDir(t), "headers")
	if err := os.WriteFile(headers, []byte("Authorization: Bearer t0ken-value\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if shown := r.mustRun("webhook", "add", recv.URL(), "--header", "X-Tenant: blue", "--header-file", headers) +
		r.mustRun("webhook", "show", hook.ID); strings.Contains(shown, "t0ken-value") || strings.Count(shown, "Authorization, X-Tenant") != 2 {
		t.Errorf("custom headers are shown as:\n%s", shown)
	}
	if res := r.run("webhook", "add", recv.URL(), "--header", "x-webhook-id: mine"); res.code != 2 {
		t.Errorf("a header of ours: exit %d, want 2: %s", res.code, res.stderr)
	}
	bob := r.phone.NewContact("Bob", "491515550111")
	ctx := r.within(time.Minute)
	if _, err := bob.SendText(ctx, "hello <&> \u2028 👋"); err != nil {
		t.Fatal(err)
	}
	if kill {
		if err := recv.Wait(ctx, 2); err != nil {
			t.Fatal(err)
		}
		// The second attempt's outcome is on disk shortly after its response; the third is due 3 s
		// later.
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
		r.kill()
		r.serve()
	}
	var dead []api.DeadLetter
	r.until("the delivery is dead", func() bool {
		dead = lines[api.DeadLetter](r, "deadletter", "list")
		return len(dead) > 0
	})
	posts := recv.Deliveries()
	if len(posts) != 4 {
		t.Fatalf("%d POSTs, want 4", len(posts))
	}
	for i, p := range posts {
		if p.Attempt != i+1 || p.EventID != posts[0].EventID || !bytes.Equal(p.Body, posts[0].Body) || p.Signature != receiver.SignatureValid {
			t.Errorf("POST %d: attempt %d, id %s, signature %s, same body %v", i+1, p.Attempt, p.EventID, p.Signature, bytes.Equal(p.Body, posts[0].Body))
		}
	}
	for i, p := range posts { // the same after a kill: they are opened from the disk
		if p.Header.Get("X-Tenant") != "blue" || p.Header.Get("Authorization") != "Bearer t0ken-value" || p.Header.Get("X-Webhook-Id") != p.EventID {
			t.Errorf("POST %d: custom headers are missing: %v", i+1, p.Header)
		}
	}
	for i, want := range []time.Duration{time.Second, 3 * time.Second, 10 * time.Second} {
		// Never early. Late by what a busy machine takes, and by a restart where one happened.
		if gap := posts[i+1].Time.Sub(posts[i].Time); gap < want || gap > want+2500*time.Millisecond {
			t.Errorf("attempt %d came %s after attempt %d, want %s", i+2, gap, i+1, want)
		}
	}
	if len(dead) != 1 || dead[0].Webhook != hook.ID || dead[0].Attempts != 4 || dead[0].LastError.Status != 500 || dead[0].EventID != posts[0].EventID {
		t.Errorf("dead letters: %+v", dead)
	}
	show := one[api.DeadLetterDetail](r, "deadletter", "show", dead[0].ID)
	if len(show.AttemptLog) != 4 || show.Body != string(posts[0].Body) {
		t.Errorf("deadletter show: %d attempts, same body %v", len(show.AttemptLog), show.Body == string(posts[0].Body))
	}
	for i, a := range show.AttemptLog {
		if a.N != i+1 || a.Status != 500 {
			t.Errorf("attempt log line %d: %+v", i, a)
		}
	}

	recv.SetScript(nil, false)
	r.mustRun("deadletter", "replay", dead[0].ID)
	if err := recv.Wait(ctx, 5); err != nil {
		t.Fatal(err)
	}
	last := recv.Deliveries()[4]
	if last.EventID != posts[0].EventID || !bytes.Equal(last.Body, posts[0].Body) || last.Replay != 1 || last.Attempt != 1 {
		t.Errorf("replay: id %s, replay %d, attempt %d", last.EventID, last.Replay, last.Attempt)
	}
	if left := lines[api.DeadLetter](r, "deadletter", "list"); len(left) != 0 {
		t.Errorf("left after the replay: %+v", left)
	}
	if n := recv.Counts().Posts; n != 5 {
		t.Errorf("%d POSTs in all, want 5", n)
	}
}
