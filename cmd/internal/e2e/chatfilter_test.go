package e2e

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"waoutbox/connection/wasim"
	"waoutbox/dispatcher/receiver"
	"waoutbox/outbox/api"
)

// TestAPhoneNumberFilterOutlivesTheLID: a webhook for a chat by its phone number, added when nobody
// knew the chat's LID, gets the chat's messages before the LID is learned and after, when the chat
// goes by its LID, across a kill; and those of no other chat. Before an event knew both addresses
// of its chat, it got the first of them only.
func TestAPhoneNumberFilterOutlivesTheLID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.pair()
	ctx := r.within(time.Minute)
	bob, carol := r.phone.NewContact("Bob", "491515550111"), r.phone.NewContact("Carol", "491515550122")
	recv, all := r.receiver(receiver.Options{Secret: secret}), r.receiver(receiver.Options{})
	r.addWebhook(all.URL(), "", "message.received")
	res := r.runWith(secret, "webhook", "add", recv.URL(), "--json", "--event", "message.received", "--chat", bob.PN(), "--secret-stdin")
	var hook api.Webhook
	if err := json.Unmarshal([]byte(res.stdout), &hook); err != nil || !slices.Equal(hook.Chats, []string{bob.PN()}) {
		t.Fatalf("webhook add: exit %d: %s%s", res.code, res.stdout, res.stderr)
	}

	var want []string
	say := func(from *wasim.Contact, text string, mine bool) {
		t.Helper()
		id, err := from.SendText(ctx, text)
		if err != nil {
			t.Fatal(err)
		}
		if mine {
			want = append(want, id)
		}
	}
	// the messages a receiver got, each once: a kill may repeat one, and a message that the first
	// stanza by LID could not open comes again when it can be
	got := func(recv *receiver.Receiver) (ids []string) {
		for _, d := range recv.Deliveries() {
			if id := messageIDs(t, d.Body)[0]; !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		return ids
	}
	arrived := func(recv *receiver.Receiver, n int) func() bool {
		return func() bool { return len(got(recv)) >= n }
	}
	bob.SetAddressing(wasim.ByPNAlone)
	say(bob, "by phone number, no LID known", true)
	say(carol, "another chat", false)
	r.until("both arrived", arrived(all, 2))
	bob.SetAddressing(wasim.ByLID)
	say(bob, "the LID is learned", true)
	bob.SetAddressing(wasim.ByPNAlone)
	say(bob, "by phone number, the LID is known", true)
	r.until("all of them arrived", arrived(all, 4))
	r.kill()
	bob.SetAddressing(wasim.ByLID)
	say(bob, "by LID, after a kill", true)
	say(carol, "another chat, after a kill", false)
	r.serve()
	r.until("all of them arrived, after a kill", arrived(all, 6))
	r.until("those of the chat arrived", arrived(recv, len(want)))
	if got := got(recv); !slices.Equal(got, want) {
		t.Errorf("the webhook of the chat got %v, want %v: by phone number, then by LID", got, want)
	}
}
