package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// write lets contacts, in turns, send n messages, and returns their ids.
func (r *rig) write(n int, contacts ...*wasim.Contact) (sent []string) {
	r.t.Helper()
	ctx := r.within(time.Minute)
	for i := range n {
		id, err := contacts[i%len(contacts)].SendText(ctx, fmt.Sprint("message ", i))
		if err != nil {
			r.t.Fatal(err)
		}
		sent = append(sent, id)
	}
	return sent
}

// deadLetters makes n messages of some contacts dead letters of one webhook, whose endpoint works
// from then on.
func (r *rig) deadLetters(recv *receiver.Receiver, n int, contacts ...*wasim.Contact) api.Webhook {
	r.t.Helper()
	recv.SetScript(receiver.MustScript("503"), false)
	w := r.addWebhook(recv.URL(), secret, "message.received")
	r.mustRun("webhook", "add", w.ID, "--schedule", "0s", "--hold-after", "0")
	r.write(n, contacts...)
	r.until("all are dead letters", func() bool { return r.status().Dead == int64(n) })
	recv.SetScript(nil, false)
	return w
}

// accepted returns how often each event was accepted, and fails when one was replayed more than
// once or when a chat's came in another order the first time.
func accepted(t *testing.T, recv *receiver.Receiver) map[string]int {
	t.Helper()
	times, last := map[string]int{}, map[string]uint64{}
	for _, d := range recv.Deliveries() {
		if !d.Accepted() {
			continue
		}
		if d.Replay != 1 {
			t.Errorf("%s came with replay %d", d.EventID, d.Replay)
		}
		if times[d.EventID]++; times[d.EventID] > 1 {
			continue
		}
		if last[d.Chat] > d.Seq {
			t.Errorf("chat %s: %d came after %d", d.Chat, d.Seq, last[d.Chat])
		}
		last[d.Chat] = d.Seq
	}
	return times
}

// TestReplayOutlivesKills: a replay is killed with its service twice. What it had queued goes on
// after the restart, what it had not touched is still dead, and running it again continues: every
// letter arrives, in order, none is replayed a second time, and only what was in flight or not
// settled comes twice.
func TestReplayOutlivesKills(t *testing.T) {
	t.Parallel()
	const letters, kills = 240, 2
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret})
	w := r.deadLetters(recv, letters, r.phone.NewContact("Bob", "491515550201"), r.phone.NewContact("Eve", "491515550202"))
	for kill := range kills {
		before := recv.Counts().Accepted
		r.mustRun("deadletter", "replay", "--url", w.ID, "--rate", "80", "--detach")
		r.until("some are delivered", func() bool { return recv.Counts().Accepted >= before+30 })
		r.kill()
		r.serve()
		if runs := lines[api.ReplayRun](r, "deadletter", "replay", "--status"); len(runs) != 0 {
			t.Errorf("after kill %d a replay is known: %+v", kill+1, runs)
		}
		r.until("what was queued is delivered", func() bool { return r.status().Pending == 0 })
		if st := r.status(); st.Dead == 0 || st.Dead == letters {
			t.Errorf("after kill %d: %d are dead", kill+1, st.Dead)
		}
	}
	left := r.status().Dead
	res := one[api.ReplayResult](r, "deadletter", "replay", "--all", "--rate", "0")
	if res.Queued != left || res.Delivered != left || res.Remaining != 0 {
		t.Errorf("the rest: %+v, want %d delivered", res, left)
	}
	if st := r.status(); st.Dead != 0 || st.Pending != 0 {
		t.Errorf("%d dead, %d pending", st.Dead, st.Pending)
	}
	times, repeats := accepted(t, recv), 0
	for _, n := range times {
		repeats += n - 1
	}
	if len(times) != letters {
		t.Errorf("%d of %d letters arrived", len(times), letters)
	}
	// in flight, and what half a second delivers for each kill: a busy disk settles late
	if most := kills * (2 + 40); repeats > most {
		t.Errorf("%d came twice, at most %d may", repeats, most)
	}
	t.Logf("%d letters, %d kills, %d repeats", letters, kills, repeats)
}

// TestReplayIsSeenAndStoppedByEveryCommand: a replay that one command began is seen by others,
// cannot be begun twice, goes on when its command is interrupted, and ends when another one stops
// it.
func TestReplayIsSeenAndStoppedByEveryCommand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret})
	w := r.deadLetters(recv, 60, r.phone.NewContact("Bob", "491515550201"))
	cmd := exec.Command(binary, "--state-dir", r.stateDir, "deadletter", "replay", "--all", "--rate", "10")
	var output lockedBuffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.until("it replays", func() bool { return recv.Counts().Accepted > 66-60 })
	runs := lines[api.ReplayRun](r, "deadletter", "replay", "--status")
	if len(runs) != 1 || runs[0].State != api.ReplayRunning || runs[0].Webhook != w.ID || runs[0].Total != 60 || runs[0].Delivered == 0 || runs[0].StartedBy != "cli" || runs[0].SecondsLeft == 0 {
		t.Errorf("%+v", runs)
	}
	for _, line := range []string{"status", "deadletter"} {
		if out := r.mustRun(line); !strings.Contains(out, "of 60 delivered") {
			t.Errorf("%s does not tell of the replay:\n%s", line, out)
		}
	}
	if res := r.run("deadletter", "replay", "--url", w.ID); res.code != 1 || !strings.Contains(res.stderr, "runs already") {
		t.Errorf("a second one: %+v", res)
	}
	if runtime.GOOS != "windows" { // there is no such signal
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(output.since(0), "the replay goes on in the service") {
			t.Errorf("interrupted: %v\n%s", err, output.since(0))
		}
		before := recv.Counts().Accepted
		r.until("it goes on", func() bool { return recv.Counts().Accepted > before+3 })
	}
	stopped := lines[api.ReplayRun](r, "deadletter", "replay", "--stop", "--url", recv.URL())
	if len(stopped) != 1 || stopped[0].State != api.ReplayStopped || stopped[0].Left == 0 {
		t.Fatalf("%+v", stopped)
	}
	r.until("what was queued is delivered", func() bool { return r.status().Pending == 0 })
	if dead := r.status().Dead; dead != stopped[0].Left {
		t.Errorf("%d are dead, %d were left", dead, stopped[0].Left)
	}
	res := one[api.ReplayResult](r, "deadletter", "replay", "--all", "--since", "2h", "--dry-run")
	if res.Queued != stopped[0].Left {
		t.Errorf("%+v", res)
	}
}

// TestEventsOfTheRealService: the log is listed and followed through a restart, an event shown with
// where it stands, and a part of the log delivered again.
func TestEventsOfTheRealService(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret})
	w := r.addWebhook(recv.URL(), secret, "message.received")
	bob, eve := r.phone.NewContact("Bob", "491515550201"), r.phone.NewContact("Eve", "491515550202")
	ctx := r.within(time.Minute)
	r.write(20, bob)
	r.write(10, eve)
	r.until("all are delivered", func() bool { return recv.Counts().Accepted == 30 })
	r.until("and settled", func() bool { return r.status().Pending == 0 })
	all := lines[api.Event](r, "event", "list", "--event", "message.received")
	ofBob := lines[api.Event](r, "event", "list", "--chat", "+49 151 5550201")
	if len(all) != 30 || len(ofBob) != 20 || slices.ContainsFunc(all, func(ev api.Event) bool { return ev.Body != "" || ev.ID == "" }) {
		t.Fatalf("%d events, %d of Bob", len(all), len(ofBob))
	}
	d := one[api.EventDetail](r, "event", "show", all[4].ID)
	if d.Body == "" || len(d.Deliveries) != 1 || d.Deliveries[0].State != api.EventDelivered || d.Deliveries[0].Webhook != w.ID {
		t.Errorf("%+v", d)
	}
	res := one[api.ReplayResult](r, "event", "replay", "--url", w.ID, "--since", "1h", "--chat", "+491515550202", "--rate", "0")
	if res.Delivered != 10 || res.Remaining != 0 {
		t.Errorf("%+v", res)
	}
	if n := recv.Counts().Replayed; n != 10 {
		t.Errorf("%d came as replays", n)
	}

	follow := exec.Command(binary, "--state-dir", r.stateDir, "event", "list", "--follow", "--json")
	var shown, errs, notes lockedBuffer
	follow.Stdout, follow.Stderr = &shown, &errs
	person := exec.Command(binary, "--state-dir", r.stateDir, "event", "list", "--follow")
	person.Stderr = &notes
	ended := false
	for _, cmd := range []*exec.Cmd{follow, person} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if cmd == person || !ended {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}
		}()
	}
	seen := func(n int) func() bool {
		return func() bool { return strings.Count(shown.since(0), `"event":"message.received"`) >= n }
	}
	// what arrives before it follows is not shown
	probe := ""
	r.until("it follows", func() bool {
		if seen(1)() {
			return strings.Contains(shown.since(0), probe) // the last one too
		}
		var err error
		if probe, err = bob.SendText(ctx, "does it follow?"); err != nil {
			t.Fatal(err)
		}
		return false
	})
	n := strings.Count(shown.since(0), `"event":"message.received"`)
	r.stop()
	r.until("it says that the service is away", func() bool { return strings.Contains(notes.since(0), "stopped") })
	r.serve()
	if err := r.phone.WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	r.write(5, eve)
	r.until("it goes on", seen(n+5))
	if got := strings.Count(shown.since(0), `"event":"message.received"`); got != n+5 || errs.since(0) != "" {
		t.Errorf("%d events, want %d; beside JSON: %s", got, n+5, errs.since(0))
	}
	r.until("it says that the service is back", func() bool { return strings.Contains(notes.since(0), "back") })
	if runtime.GOOS != "windows" {
		ended = true
		if err := follow.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := follow.Wait(); err != nil {
			t.Errorf("interrupted: %v", err)
		}
	}

	r.stop()
	if res := r.run("event", "list", "--follow"); res.code != 3 || !strings.Contains(res.stderr, "start") {
		t.Errorf("following nobody: %+v", res)
	}
	if got := lines[api.Event](r, "event", "list", "--event", "message.received"); len(got) < 36 {
		t.Errorf("without a service: %d events", len(got))
	}
	off := one[api.ReplayResult](r, "event", "replay", "--url", w.ID, all[0].ID)
	if off.Queued != 1 || off.Note == "" {
		t.Errorf("without a service: %+v", off)
	}
	before := recv.Counts().Replayed
	r.serve()
	r.until("it leaves with the start", func() bool { return recv.Counts().Replayed == before+1 })
}

// TestCurlRepeatsTheRequest: the script of --curl sends the same body, headers and signatures as
// the service, with a secret that it does not hold.
func TestCurlRepeatsTheRequest(t *testing.T) {
	needs(t, "sh", "curl", "openssl", "od")
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret})
	r.deadLetters(recv, 1, r.phone.NewContact("Bob", "491515550201"))
	letter := one[api.DeadLetter](r, "deadletter", "list")
	script := r.mustRun("deadletter", "show", letter.ID, "--curl")
	if strings.Contains(script, secret) || strings.Contains(script, strings.TrimPrefix(secret, "whsec_")) {
		t.Fatalf("the script holds the secret:\n%s", script)
	}
	run := func(env ...string) error {
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir, cmd.Env = filepath.Dir(r.stateDir), append(cmd.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	if err := run("WEBHOOK_SECRET="); err == nil {
		t.Error("it ran without a secret")
	}
	if err := run("WEBHOOK_SECRET=" + secret); err != nil {
		t.Fatal(err)
	}
	all := recv.Deliveries()
	sent, repeated := all[0], all[len(all)-1]
	if len(all) != 2 || !repeated.Accepted() || string(sent.Body) != string(repeated.Body) || repeated.Signature != receiver.SignatureValid {
		t.Errorf("%d requests, %+v", len(all), repeated)
	}
	for name, values := range sent.Header {
		switch name {
		case "Accept-Encoding", "Webhook-Timestamp", "Webhook-Signature":
			// curl's own; of another second
		case "Content-Length":
		default:
			if got := repeated.Header[name]; !slices.Equal(got, values) {
				t.Errorf("%s: %q, want %q", name, got, values)
			}
		}
	}
	at, got := repeated.Header.Get("Webhook-Timestamp"), repeated.Header.Get("Webhook-Signature")
	if want := standardSignature(t, repeated.EventID, at, repeated.Body); got != want {
		t.Errorf("webhook-signature %q, want %q", got, want)
	}
}

// standardSignature is webhook-signature under the tests' secret, worked out by itself.
func standardSignature(t *testing.T, id, at string, body []byte) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s.%s.%s", id, at, body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}
