package connection

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/outbox"
)

// sealedEdit is an edit of Bob's own message, sealed with that message's secret.
func sealedEdit(t *testing.T, bob, target string, secret []byte, plain *waE2E.Message) *waE2E.Message {
	t.Helper()
	key := hkdfutil.SHA256(secret, nil, []byte(target+bob+bob+"Message Edit"), 32)
	iv := make([]byte, 12)
	rand.Read(iv)
	sealed, err := gcmutil.Encrypt(key, iv, encoded(t, plain), nil)
	must(t, err)
	return &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{
		TargetMessageKey: &waCommon.MessageKey{RemoteJID: proto.String(bob), FromMe: proto.Bool(true), ID: proto.String(target)},
		EncPayload:       sealed, EncIV: iv, SecretEncType: waE2E.SecretEncryptedMessage_MESSAGE_EDIT.Enum(),
	}}
}

// TestSealedEditsOfTheRealThing: the library opens them, and each is told as a message and as an
// update of its target, whatever shape it has.
func TestSealedEditsOfTheRealThing(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	edit := func(id string, text string) *waE2E.Message {
		p := &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: &waE2E.Message{Conversation: proto.String(text)}}
		if id != "" {
			p.Key = &waCommon.MessageKey{ID: proto.String(id)}
		}
		return &waE2E.Message{ProtocolMessage: p}
	}
	for name, shape := range map[string]func(target, text string) *waE2E.Message{
		"protocol message": edit,
		"without key":      func(_, text string) *waE2E.Message { return edit("", text) },
		"wrapped": func(target, text string) *waE2E.Message {
			return &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: edit(target, text)}}
		},
		"the content alone": func(_, text string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(text)} },
	} {
		for known, secret := range map[bool][]byte{true: []byte(strings.Repeat("s", 32)), false: nil} {
			first := &waE2E.Message{Conversation: proto.String("before")}
			if known {
				first.MessageContextInfo = &waE2E.MessageContextInfo{MessageSecret: secret}
			}
			target, err := r.bob.Send(ctx, first)
			must(t, err)
			_, err = r.bob.Send(ctx, sealedEdit(t, r.bob.LID(), target, secret, shape(target, "after")))
			must(t, err)
			must(t, r.acc.WaitDrained(ctx))
			updates := r.named(translate.MessageUpdate)
			want := fmt.Sprintf(`"id":"%s","addressingMode":"lid"},"update":{"messageTimestamp"`, target)
			if known {
				want = fmt.Sprintf(`"id":"%s","addressingMode":"lid"},"update":{"message":{"editedMessage":{"message":{"conversation":"after"}}}`, target)
			}
			if len(updates) == 0 || !strings.Contains(string(updates[len(updates)-1].Body), want) {
				t.Errorf("%s, secret known %v: %s, want %s", name, known, bodies(updates), want)
			}
		}
	}
}

// TestPollVoteOfTheRealThing: the library opens a vote on the account's own poll, and the update of
// the poll is that of the example.
func TestPollVoteOfTheRealThing(t *testing.T) {
	const poll, id = "3EB0A8D10C5F4477B2E9C1", "AC0B4F6E2D9C41E7A3B8D5F01C2E7A95"
	r := newExamplesRig(t)
	ctx := bounded(t)
	raw, err := os.ReadFile("translate/testdata/events/message.update-poll-vote.json")
	must(t, err)
	want := timeless([]byte(r.who.Replace(strings.TrimSpace(string(raw)))))
	secret := []byte(strings.Repeat("s", 32))
	_, err = r.acc.PhoneSendGroupAs(ctx, r.team, &waE2E.Message{
		PollCreationMessage: &waE2E.PollCreationMessage{Name: proto.String("When?")}, MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: secret},
	}, wasim.Form{ID: poll})
	must(t, err)
	must(t, r.acc.WaitDrained(ctx))

	option, err := base64.StdEncoding.DecodeString("8SlYgWpJrfosbI3o3SFEwWPpLF43Xelk1TMYfH0jbDY=")
	must(t, err)
	iv := make([]byte, 12)
	rand.Read(iv)
	key := hkdfutil.SHA256(secret, nil, []byte(poll+r.acc.LID()+r.bob.LID()+"Poll Vote"), 32)
	sealed, err := gcmutil.Encrypt(key, iv, encoded(t, &waE2E.PollVoteMessage{SelectedOptions: [][]byte{option}}), []byte(poll+"\x00"+r.bob.LID()))
	must(t, err)
	_, err = r.bob.SendGroupAs(ctx, r.team, &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
		PollCreationMessageKey: &waCommon.MessageKey{RemoteJID: proto.String(r.team.JID()), FromMe: proto.Bool(false), ID: proto.String(poll), Participant: proto.String(r.acc.LID())},
		Vote:                   &waE2E.PollEncValue{EncPayload: sealed, EncIV: iv}, SenderTimestampMS: proto.Int64(1735689617901),
	}}, wasim.Form{ID: id})
	must(t, err)
	must(t, r.acc.WaitDrained(ctx))
	got := r.named("message.update")
	if !slices.ContainsFunc(got, func(ev outbox.Event) bool { return timeless(ev.Body) == want }) {
		t.Errorf("%s\nwant %s", bodies(got), want)
	}
}
