package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// texts returns the texts of the messages that an endpoint accepted, sorted.
func texts(t *testing.T, recv *receiver.Receiver) []string {
	t.Helper()
	out := []string{}
	for _, d := range recv.Deliveries() {
		var b struct {
			Data struct {
				Messages []struct {
					Message struct {
						Conversation string `json:"conversation"`
					} `json:"message"`
				} `json:"messages"`
			} `json:"data"`
		}
		if !d.Accepted() || d.Event != "message.received" {
			continue
		}
		if err := json.Unmarshal(d.Body, &b); err != nil {
			t.Fatal(err)
		}
		for _, m := range b.Data.Messages {
			if m.Message.Conversation != "" { // else the notice of one that its sender sends again
				out = append(out, m.Message.Conversation)
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestFiltersMatchEitherAddress: a filter by phone number, typed as people write it, matches while
// the contact's LID is unknown and after it was learned; so does one that leaves the chat out; one
// by LID matches from then on; and kinds tell groups from people.
func TestFiltersMatchEitherAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	bob, carol := r.phone.NewContact("Bob", "491515550111"), r.phone.NewContact("Carol", "491515550112")
	bob.SetAddressing(wasim.ByPNAlone)
	team := r.phone.NewGroup("Team", bob, carol)
	hooks := map[string]*receiver.Receiver{}
	for name, flags := range map[string][]string{
		"bob":     {"--chat", "+49 (0) 151 5550-111"},
		"lid":     {"--chat", strings.ToUpper(bob.LID())},
		"not bob": {"--not-chat", "0049 151 5550 111"},
		"groups":  {"--kind", "group"},
		"people":  {"--kind", "direct"},
		"all":     {},
	} {
		hooks[name] = r.receiver(receiver.Options{})
		w := one[api.Webhook](r, append([]string{"webhook", "add", hooks[name].URL(), "--event", "message.received"}, flags...)...)
		if name == "bob" && fmt.Sprint(w.Chats) != "[491515550111@s.whatsapp.net]" {
			t.Errorf("the chat is stored as %v", w.Chats)
		}
	}
	ctx := r.within(time.Minute)
	for _, send := range []func(context.Context) (string, error){
		func(ctx context.Context) (string, error) { return bob.SendText(ctx, "bob by number") },
		func(ctx context.Context) (string, error) { return carol.SendText(ctx, "carol") },
		func(ctx context.Context) (string, error) {
			bob.SetAddressing(wasim.ByLID)
			return bob.SendText(ctx, "bob by lid")
		},
		func(ctx context.Context) (string, error) { return bob.SendGroupText(ctx, team, "bob in the group") },
	} {
		if _, err := send(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.phone.WaitDrained(ctx); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"bob":     {"bob by lid", "bob by number"},
		"lid":     {"bob by lid"},
		"not bob": {"bob in the group", "carol"},
		"groups":  {"bob in the group"},
		"people":  {"bob by lid", "bob by number", "carol"},
		"all":     {"bob by lid", "bob by number", "bob in the group", "carol"},
	} {
		r.until(name+" has its messages", func() bool { return len(texts(t, hooks[name])) >= len(want) })
		if got := texts(t, hooks[name]); !slices.Equal(got, want) {
			t.Errorf("%s got %q, want %q", name, got, want)
		}
	}
	r.until("nobody is owed anything", func() bool { return r.status().Pending == 0 })
}

// added is what `webhook add --json` and `webhook rotate-secret --json` print.
type added struct {
	api.Webhook
	Result   string   `json:"result"`
	Secret   string   `json:"secret"`
	Warnings []string `json:"warnings"`
}

// TestALifeOfAWebhook goes through what registering, changing, pausing, removing and adding again
// promise, with the real program: what is left out stays, a removed webhook comes back as it was
// and signed, and only --purge forgets.
func TestALifeOfAWebhook(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Secret: secret})
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	add := func(ref string, flags ...string) added {
		t.Helper()
		return one[added](r, append([]string{"webhook", "add", ref}, flags...)...)
	}
	settings := func(a added) string {
		return fmt.Sprint(a.ID, a.Events, a.Chats, a.NotChats, a.Kinds, a.Headers, a.Signed, a.Ordered, a.HoldAfter, a.MaxRate, a.Schedule, a.Redrive, a.CreatedAt)
	}
	first := add(recv.URL())
	if fmt.Sprintf("%v %v %v %v %v", first.Events, first.Result, first.Signed, first.Ordered, first.Schedule) != "[*] created false true [0s 1s 3s 10s]" {
		t.Errorf("the defaults of a new one: %+v", first)
	}
	made := add(first.ID, "--event", "message.received", "--not-chat", "+49 151 5550 113", "--kind", "direct", "--header", "X-Tenant: blue", "--secret-file", secretFile,
		"--max-rate", "50", "--schedule", "0s,1s", "--hold-after", "7", "--unordered", "--redrive")
	want := settings(made)
	if made.Result != "updated" || made.ID != first.ID || !made.Signed || !made.Redrive {
		t.Fatalf("changed by id: %+v", made)
	}
	for _, ref := range []string{recv.URL(), made.ID, strings.Replace(recv.URL(), "http://", "HTTP://", 1)} {
		if got := add(ref); got.Result != "updated" || settings(got) != want {
			t.Errorf("updated as %s: %s %s\nwant %s", ref, got.Result, settings(got), want)
		}
	}
	r.mustRun("webhook", "pause", made.ID)
	if got := add(made.ID); got.Status != api.WebhookActive || settings(got) != want {
		t.Errorf("a paused one added again: %s, %s", got.Status, settings(got))
	}

	ctx := r.within(2 * time.Minute)
	bob := r.phone.NewContact("Bob", "491515550111")
	say := func(text string) {
		t.Helper()
		if _, err := bob.SendText(ctx, text); err != nil {
			t.Fatal(err)
		}
		if err := r.phone.WaitDrained(ctx); err != nil {
			t.Fatal(err)
		}
	}
	r.mustRun("webhook", "pause", made.ID)
	say("one")
	if text := r.mustRun("webhook", "resume", made.ID); !strings.Contains(text, "by its user") {
		t.Errorf("resumed without the reason: %s", text)
	}
	r.until("what waited arrives", func() bool { return slices.Equal(texts(t, recv), []string{"one"}) })

	for i, ref := range []string{recv.URL(), made.ID} {
		r.until("everything is settled", func() bool { return r.status().Pending == 0 })
		r.mustRun("webhook", "pause", made.ID)
		say(fmt.Sprint("kept ", i))
		if res := one[api.RemoveWebhookResult](r, "webhook", "remove", made.ID, "--yes"); res.DeadLettered != 1 {
			t.Errorf("removed: %+v", res)
		}
		say(fmt.Sprint("missed ", i))
		if res := r.run("webhook", "show", made.ID); res.code != 1 || !strings.Contains(res.stderr, "webhook add "+made.ID) {
			t.Errorf("shown while removed: exit %d %s", res.code, res.stderr)
		}
		got := add(ref)
		if got.Result != "revived" || settings(got) != want || got.Dead != 1 {
			t.Errorf("revived as %s: %s %s\nwant %s", ref, got.Result, settings(got), want)
		}
		r.mustRun("deadletter", "replay", "--url", made.ID, "--rate", "1000")
	}
	r.until("the replayed ones arrive", func() bool { return slices.Equal(texts(t, recv), []string{"kept 0", "kept 1", "one"}) })
	if c := recv.Counts(); c.SignaturesInvalid > 0 || c.SignaturesValid == 0 {
		t.Errorf("%d signatures are valid, %d are not", c.SignaturesValid, c.SignaturesInvalid)
	}
	for _, d := range recv.Deliveries() {
		if d.Header.Get("X-Tenant") != "blue" {
			t.Errorf("%s was sent without its header", d.EventID)
		}
	}

	r.mustRun("webhook", "remove", made.ID, "--yes")
	got := add(made.ID, "--kind", "*", "--not-chat", "none", "--no-secret")
	if got.Result != "revived" || got.Signed || got.Kinds != nil || got.NotChats != nil || got.MaxRate != 50 || len(got.Headers) != 1 {
		t.Errorf("revived with changes: %+v", got)
	}
	r.mustRun("webhook", "remove", made.ID, "--purge", "--yes")
	if res := r.run("webhook", "add", made.ID); res.code == 0 || !strings.Contains(res.stderr, "no webhook") {
		t.Errorf("a purged id: exit %d %s%s", res.code, res.stdout, res.stderr)
	}
	if got := add(recv.URL()); got.Result != "created" || got.ID == made.ID || fmt.Sprint(got.Events, got.Headers, got.MaxRate) != "[*] [] 0" {
		t.Errorf("added after the purge: %+v", got)
	}
}

// TestAWebhookTestOpensAFailingLane: its status says failing, with the reason, status --check fails
// and what comes waits; a test that fails changes nothing, one that succeeds lets all of it go.
// With --redrive what died comes too, without it that stays.
func TestAWebhookTestOpensAFailingLane(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	recv := r.receiver(receiver.Options{Script: receiver.MustScript("503")})
	hook := one[added](r, "webhook", "add", recv.URL(), "--event", "message.received", "--schedule", "0s", "--hold-after", "2")
	again := r.receiver(receiver.Options{Script: receiver.MustScript("503")})
	redriven := one[added](r, "webhook", "add", again.URL(), "--event", "message.received", "--schedule", "0s", "--hold-after", "2", "--redrive")
	r.write(10, r.phone.NewContact("Bob", "491515550111"))
	state := func() api.Webhook { return one[api.Webhook](r, "webhook", "show", hook.ID) }
	r.until("it is failing", func() bool { return state().Status == api.WebhookFailing })
	if w := state(); !strings.Contains(w.Reason, "503") {
		t.Errorf("failing for %q", w.Reason)
	}
	if res := r.run("status", "--check"); res.code != 1 || !strings.Contains(res.stdout, "webhook_failing") {
		t.Errorf("status --check: exit %d %s", res.code, res.stdout)
	}
	if res := r.run("webhook", "test", hook.ID); res.code != 1 || state().Status != api.WebhookFailing {
		t.Errorf("a test that failed: exit %d, %s", res.code, state().Status)
	}
	recv.SetScript(nil, false)
	if res := r.run("webhook", "test", hook.ID); res.code != 0 {
		t.Fatalf("exit %d %s%s", res.code, res.stdout, res.stderr)
	}
	w := state()
	if w.Status != api.WebhookActive {
		t.Errorf("after a test that succeeded: %s %s", w.Status, w.Reason)
	}
	r.until("what waited arrives", func() bool { w = state(); return w.Pending == 0 })
	if got := len(texts(t, recv)); int64(got)+w.Dead != 10 || got == 0 {
		t.Errorf("%d arrived, %d dead of 10", got, w.Dead)
	}
	again.SetScript(nil, false)
	r.mustRun("webhook", "test", redriven.ID)
	r.until("everything arrives at the one with --redrive", func() bool { return len(texts(t, again)) == 10 })
	r.until("its letters are gone", func() bool {
		w := one[api.Webhook](r, "webhook", "show", redriven.ID)
		return w.Pending == 0 && w.Dead == 0
	})
	if res := r.run("deadletter", "replay", "--status"); res.code != 0 || !strings.Contains(res.stdout, "redrive done") {
		t.Errorf("the redrive is shown as: %s%s", res.stdout, res.stderr)
	}
	if c := again.Counts(); c.Replayed == 0 || c.Duplicates > 0 {
		t.Errorf("%+v", c)
	}
	if left := state().Dead; left != w.Dead {
		t.Errorf("the one without has %d dead, had %d", left, w.Dead)
	}
	if res := r.run("status", "--check"); res.code != 0 {
		t.Errorf("status --check: exit %d %s", res.code, res.stdout)
	}
}
