package translate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waVnameCert"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/wajson/wajsontest"
	"waoutbox/outbox"
)

func text(s string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(s)} }

func wrap(m *waE2E.Message) *waE2E.FutureProofMessage { return &waE2E.FutureProofMessage{Message: m} }

// data is the part of a body after the timestamp, without the closing brace.
func data(ev outbox.Event) string {
	_, after, _ := strings.Cut(string(ev.Body), `,"data":`)
	return strings.TrimSuffix(after, "}")
}

// shown is the message of a message.received or message.sent body, as JSON.
func shown(t *testing.T, ev outbox.Event) string {
	t.Helper()
	var b struct {
		Data struct {
			Messages []struct{ Message json.RawMessage }
		}
	}
	if err := json.Unmarshal(ev.Body, &b); err != nil || len(b.Data.Messages) != 1 {
		t.Fatalf("%v in %s", err, ev.Body)
	}
	return string(b.Data.Messages[0].Message)
}

func TestSuppressedMessages(t *testing.T) {
	skdm := &waE2E.SenderKeyDistributionMessage{GroupID: proto.String("g"), AxolotlSenderKeyDistributionMessage: []byte{1}}
	peer := direct(1, "13")
	peer.Category, peer.IsFromMe = "peer", true
	for name, evt := range map[string]*events.Message{
		"only a session key":         arrived(inGroup(1, "13"), &waE2E.Message{SenderKeyDistributionMessage: skdm, MessageContextInfo: deviceInfo()}),
		"only a fast ratchet key":    arrived(inGroup(1, "13"), &waE2E.Message{FastRatchetKeySenderKeyDistributionMessage: skdm}),
		"only context":               arrived(direct(1, "13"), &waE2E.Message{MessageContextInfo: deviceInfo()}),
		"nothing":                    arrived(direct(1, "13"), &waE2E.Message{}),
		"no message":                 {Info: direct(1, "13")},
		"from the own phone":         arrived(peer, text("x")),
		"app state keys":             arrived(direct(1, "13"), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum()}}),
		"history sync":               arrived(direct(1, "13"), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION.Enum()}}),
		"protocol without type":      arrived(direct(1, "13"), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Key: &waCommon.MessageKey{ID: proto.String("X")}}}),
		"machinery inside a wrapper": arrived(direct(1, "13"), &waE2E.Message{EphemeralMessage: wrap(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_APP_STATE_FATAL_EXCEPTION_NOTIFICATION.Enum()}})}),
	} {
		if evs := newFixture().must(t, evt); len(evs) != 0 {
			t.Errorf("%s: %s", name, evs[0].Body)
		}
	}
	// A sender that hides what cannot be read leaves an alarm.
	for name, c := range map[string]struct {
		evt    *events.UndecryptableMessage
		alarms int
	}{
		"hidden failure":            {&events.UndecryptableMessage{Info: direct(1, "13"), DecryptFailMode: events.DecryptFailHide}, 1},
		"hidden failure in a group": {&events.UndecryptableMessage{Info: inGroup(1, "13"), DecryptFailMode: events.DecryptFailHide}, 1},
		"peer failure":              {&events.UndecryptableMessage{Info: peer}, 0},
		"hidden peer failure":       {&events.UndecryptableMessage{Info: peer, DecryptFailMode: events.DecryptFailHide}, 0},
	} {
		f := newFixture()
		if evs := f.must(t, c.evt); len(evs) != 0 {
			t.Errorf("%s: %s", name, evs[0].Body)
		}
		if got := *f.alarms; len(got) != c.alarms || len(got) == 1 && got[0].Code != AlarmUnreadable {
			t.Errorf("%s: alarms %v", name, got)
		}
	}
	// A sender cannot have a message suppressed that says something.
	theirs := direct(1, "13")
	theirs.Category = "peer"
	keys := &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum()}
	for name, evt := range map[string]*events.Message{
		"named a peer's":          arrived(theirs, text("x")),
		"beside machinery":        arrived(direct(1, "13"), &waE2E.Message{Conversation: proto.String("x"), ProtocolMessage: keys}),
		"around machinery":        arrived(direct(1, "13"), &waE2E.Message{Conversation: proto.String("x"), EphemeralMessage: wrap(&waE2E.Message{ProtocolMessage: keys})}),
		"beside untyped protocol": arrived(direct(1, "13"), &waE2E.Message{Conversation: proto.String("x"), ProtocolMessage: &waE2E.ProtocolMessage{}}),
	} {
		if evs := newFixture().must(t, evt); len(evs) != 1 || !strings.Contains(shown(t, evs[0]), `"conversation":"x"`) {
			t.Errorf("%s: %v", name, evs)
		}
	}
}

func TestDisappearingSettingIsShown(t *testing.T) {
	evs := newFixture().must(t, arrived(direct(1, "13"), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(86400)}}))
	if len(evs) != 1 || shown(t, evs[0]) != `{"protocolMessage":{"type":"EPHEMERAL_SETTING","ephemeralExpiration":86400}}` {
		t.Errorf("got %v", evs)
	}
}

// Mutation of content.go: a session key of a group stands in the body.
func TestSessionKeysNeverLeave(t *testing.T) {
	skdm := &waE2E.SenderKeyDistributionMessage{AxolotlSenderKeyDistributionMessage: []byte("very secret")}
	m := &waE2E.Message{
		Conversation: proto.String("hi"), SenderKeyDistributionMessage: skdm, FastRatchetKeySenderKeyDistributionMessage: skdm,
		EphemeralMessage: wrap(&waE2E.Message{SenderKeyDistributionMessage: skdm, ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text: proto.String("in"), ContextInfo: &waE2E.ContextInfo{QuotedMessage: &waE2E.Message{SenderKeyDistributionMessage: skdm, Conversation: proto.String("q")}}}}),
	}
	evs := newFixture().must(t, arrived(inGroup(1, "13"), m))
	want := `{"conversation":"hi","ephemeralMessage":{"message":{"extendedTextMessage":{"text":"in","contextInfo":{"quotedMessage":{"conversation":"q"}}}}}}`
	if len(evs) != 1 || shown(t, evs[0]) != want {
		t.Errorf("got %s, want %s", evs[0].Body, want)
	}
}

// TestLentContextInfo: the library copies the outer context info into the
// innermost message; only the outer one is shown, and the library's event is
// left as it was.
func TestLentContextInfo(t *testing.T) {
	secret := &waE2E.MessageContextInfo{MessageSecret: []byte{1}}
	evt := arrived(direct(1, "13"), &waE2E.Message{MessageContextInfo: secret, EphemeralMessage: wrap(&waE2E.Message{ViewOnceMessage: wrap(text("x"))})})
	before := proto.Clone(evt.RawMessage)
	if evt.Message.MessageContextInfo != secret {
		t.Fatal("the library does not lend the context info any more: remove the rule")
	}
	evs := newFixture().must(t, evt)
	if want := `{"messageContextInfo":{"messageSecret":"AQ=="},"ephemeralMessage":{"message":{"viewOnceMessage":{"message":{"conversation":"x"}}}}}`; shown(t, evs[0]) != want {
		t.Errorf("got %s, want %s", shown(t, evs[0]), want)
	}
	if !proto.Equal(before, evt.RawMessage) || evt.Message.MessageContextInfo != secret {
		t.Error("the library's event was changed")
	}
	// Its own context info stays.
	own := arrived(direct(1, "13"), &waE2E.Message{MessageContextInfo: secret, EphemeralMessage: wrap(&waE2E.Message{Conversation: proto.String("x"), MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: []byte{2}}})})
	if got := shown(t, newFixture().must(t, own)[0]); !strings.Contains(got, `"Ag=="`) || !strings.Contains(got, `"AQ=="`) {
		t.Errorf("got %s", got)
	}
}

func TestEnvelopeFields(t *testing.T) {
	info := direct(1, "13")
	info.VerifiedName = &types.VerifiedName{Details: &waVnameCert.VerifiedNameCertificate_Details{VerifiedName: proto.String("Alice Ltd")}}
	evt := arrived(info, text("x"))
	evt.RetryCount = 2
	evt.UnavailableRequestID = "REQ"
	want := `{"messages":[{"key":{"remoteJid":"204813927440123@lid","remoteJidAlt":"15550100123@s.whatsapp.net","fromMe":false,"id":"3A5F0C91B7D24E68A113","addressingMode":"lid"},` +
		`"messageTimestamp":1735689600,"pushName":"Alice","broadcast":false,"message":{"conversation":"x"},"verifiedBizName":"Alice Ltd","retryCount":2}],"type":"notify","requestId":"REQ"}`
	if got := data(newFixture().must(t, evt)[0]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKeys(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*types.MessageInfo)
		want   string
	}{
		"phone-number chat": {func(i *types.MessageInfo) {
			i.Chat, i.Sender, i.SenderAlt, i.AddressingMode = alicePN, deviceJID(alicePN.User, 1, alicePN.Server), types.JID{}, ""
		}, `{"remoteJid":"15550100123@s.whatsapp.net","remoteJidAlt":"204813927440123@lid","fromMe":false,"id":"ID","addressingMode":"pn"}`},
		"hosted members": {func(i *types.MessageInfo) {
			i.Chat, i.Sender, i.SenderAlt, i.AddressingMode = team, deviceJID("1", 99, types.HostedLIDServer), deviceJID("2", 99, types.HostedServer), ""
		}, `{"remoteJid":"120363025846172094@g.us","fromMe":false,"id":"ID","participant":"1@lid","participantAlt":"2@s.whatsapp.net","addressingMode":"lid"}`},
		"unknown person": {func(i *types.MessageInfo) {
			i.Chat = types.NewJID("5", types.HiddenUserServer)
			i.Sender, i.SenderAlt, i.AddressingMode = i.Chat, types.JID{}, ""
		}, `{"remoteJid":"5@lid","fromMe":false,"id":"ID","addressingMode":"lid"}`},
		"broadcast list": {func(i *types.MessageInfo) { i.Chat = types.NewJID("9", types.BroadcastServer) },
			`{"remoteJid":"9@broadcast","fromMe":false,"id":"ID","participant":"204813927440123@lid","participantAlt":"15550100123@s.whatsapp.net","addressingMode":"lid"}`},
		"bot in someone's chat": {func(i *types.MessageInfo) {
			i.Chat, i.Sender, i.SenderAlt, i.AddressingMode = aliceLID, types.MetaAIJID, types.JID{}, ""
		}, `{"remoteJid":"204813927440123@lid","remoteJidAlt":"15550100123@s.whatsapp.net","fromMe":false,"id":"ID","addressingMode":"pn"}`},
		"note to self": {func(i *types.MessageInfo) {
			i.Chat, i.Sender, i.SenderAlt, i.IsFromMe = BareJID(self.LID), self.LID, types.JID{}, true
		}, `{"remoteJid":"77203948571236@lid","remoteJidAlt":"15550100999@s.whatsapp.net","fromMe":true,"id":"ID","addressingMode":"lid"}`},
	} {
		info := direct(1, "13")
		info.ID = "ID"
		c.change(&info)
		evs := newFixture().must(t, arrived(info, text("x")))
		if got := data(evs[0]); !strings.HasPrefix(got, `{"messages":[{"key":`+c.want+`,`) {
			t.Errorf("%s: got %s, want the key %s", name, got, c.want)
		}
	}
}

func TestUndecryptableTexts(t *testing.T) {
	for name, c := range map[string]struct {
		evt  events.UndecryptableMessage
		want string
	}{
		"no ciphertext":         {events.UndecryptableMessage{Info: direct(1, "13"), IsUnavailable: true}, "Message absent from node"},
		"other kind":            {events.UndecryptableMessage{Info: inGroup(1, "13"), IsUnavailable: true, UnavailableType: "hosted"}, "Message absent from node"},
		"missing sender key":    {events.UndecryptableMessage{Info: inGroup(1, "13"), IsUnavailable: true}, "Message could not be decrypted"},
		"ciphertext, no secret": {events.UndecryptableMessage{Info: direct(1, "13")}, "Message could not be decrypted"},
	} {
		if got := data(newFixture().must(t, &c.evt)[0]); !strings.Contains(got, `"messageStubType":2,"messageStubParameters":["`+c.want+`"]`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	own := direct(1, "13")
	own.IsFromMe = true
	ev := newFixture().must(t, &events.UndecryptableMessage{Info: own})[0]
	if ev.Name != MessageSent || !strings.Contains(data(ev), `"broadcast":false,"status":2,"messageStubType":2`) {
		t.Errorf("own: %s %s", ev.Name, ev.Body)
	}
}

// TestVariantsHaveTheirOwnIDs: the notice, the message and a missed call under
// one message id are different events.
func TestVariantsHaveTheirOwnIDs(t *testing.T) {
	f := newFixture()
	info := direct(1, "13")
	seen := map[string]int{}
	for i, evt := range []any{
		arrived(info, text("x")),
		&events.UndecryptableMessage{Info: info},
		&events.UndecryptableMessage{Info: info, IsUnavailable: true, UnavailableType: events.UnavailableTypeViewOnce},
		&events.CallTerminate{Reason: "timeout", BasicCallMeta: types.BasicCallMeta{From: aliceLID, CallCreator: aliceLID, CallID: info.ID, Timestamp: info.Timestamp}},
	} {
		key := f.must(t, evt)[0].Key
		if j, twice := seen[key]; twice {
			t.Errorf("events %d and %d have the id %s", j, i, key)
		}
		seen[key] = i
	}
	again := arrived(info, text("x"))
	again.RetryCount = 1
	if key := f.must(t, again)[0].Key; seen[key] != 0 || key == "" {
		t.Error("a redelivery has another id")
	}
}

func TestOwnEditAndRevoke(t *testing.T) {
	info := direct(1, "13")
	info.IsFromMe, info.Sender, info.SenderAlt, info.RecipientAlt = true, deviceJID(self.LID.User, 0, self.LID.Server), types.JID{}, alicePN
	evs := newFixture().must(t, arrived(info, &waE2E.Message{EditedMessage: wrap(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key: &waCommon.MessageKey{ID: proto.String("OLD"), FromMe: proto.Bool(true)}, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: text("new")}})}))
	if len(evs) != 2 || evs[0].Name != MessageSent || evs[1].Name != MessageUpdate {
		t.Fatalf("events %v", evs)
	}
	// No time in the edit: the message's own.
	want := `[{"key":{"remoteJid":"204813927440123@lid","remoteJidAlt":"15550100123@s.whatsapp.net","fromMe":true,"id":"OLD","addressingMode":"lid"},"update":{"message":{"editedMessage":{"message":{"conversation":"new"}}},"messageTimestamp":1735689600}}]`
	if got := data(evs[1]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if evs[0].Key == evs[1].Key || evs[0].Chat != evs[1].Chat {
		t.Error("message and update need two ids and one chat")
	}
}

func TestAdminRevoke(t *testing.T) {
	for name, c := range map[string]struct {
		author, want string
	}{
		"of a member's message": {"204813927440123@lid", `{"remoteJid":"120363025846172094@g.us","fromMe":false,"id":"OLD","participant":"204813927440123@lid","participantAlt":"15550100123@s.whatsapp.net","addressingMode":"lid"}`},
		"of our message":        {"77203948571236@lid", `{"remoteJid":"120363025846172094@g.us","fromMe":true,"id":"OLD","participant":"77203948571236@lid","participantAlt":"15550100999@s.whatsapp.net","addressingMode":"lid"}`},
	} {
		info := inGroup(1, "13")
		info.Edit = types.EditAttributeAdminRevoke
		evs := newFixture().must(t, arrived(info, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Key: &waCommon.MessageKey{ID: proto.String("OLD"), Participant: proto.String(c.author)}, Type: waE2E.ProtocolMessage_REVOKE.Enum()}}))
		if len(evs) != 2 || !strings.HasPrefix(data(evs[1]), `[{"key":`+c.want+`,"update":{"message":null,"messageStubType":1,"key":{`) {
			t.Errorf("%s: %s", name, evs[len(evs)-1].Body)
		}
	}
}

func TestNewsletterEdit(t *testing.T) {
	channel := types.NewJID("120363171744447809", types.NewsletterServer)
	evt := arrived(types.MessageInfo{MessageSource: types.MessageSource{Chat: channel, Sender: channel}, ID: "N1", ServerID: 412, Timestamp: second(0)}, text("better"))
	evt.NewsletterMeta = &events.NewsletterMessageMeta{EditTS: time.UnixMilli(1735689618999)}
	evs := newFixture().must(t, evt)
	want := `[{"key":{"remoteJid":"120363171744447809@newsletter","fromMe":false,"id":"N1","server_id":"412"},"update":{"message":{"editedMessage":{"message":{"conversation":"better"}}},"messageTimestamp":1735689618}}]`
	if len(evs) != 1 || data(evs[0]) != want {
		t.Errorf("got %v, want %s", evs, want)
	}
	evt.NewsletterMeta.EditTS = time.UnixMilli(1735689619000)
	if newFixture().must(t, evt)[0].Key == evs[0].Key {
		t.Error("a second edit has the id of the first")
	}
}

// TestRecoveredEdit: the library hands over the target's id and content; the
// event keeps the edit's own id.
func TestRecoveredEdit(t *testing.T) {
	raw := &waE2E.Message{EditedMessage: wrap(&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key: &waCommon.MessageKey{ID: proto.String("OLD")}, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: text("new"), TimestampMS: proto.Int64(1735689699999)}})}
	info := direct(1, "13")
	evt := arrived(info, raw)
	evt.SourceWebMsg = &waWeb.WebMessageInfo{Key: &waCommon.MessageKey{ID: proto.String("EDIT")}}
	evt.Info.ID, evt.Message = "OLD", text("new")
	evs := newFixture().must(t, evt)
	if len(evs) != 2 || !strings.Contains(data(evs[0]), `"id":"EDIT","addressingMode"`) || !strings.Contains(data(evs[1]), `"id":"OLD","addressingMode"`) || !strings.HasSuffix(data(evs[1]), `"messageTimestamp":1735689699}}]`) {
		t.Errorf("got %v", evs)
	}
}

func TestKeysOfOthersAreTurned(t *testing.T) {
	reaction := func(k *waCommon.MessageKey) *waE2E.Message {
		return &waE2E.Message{EphemeralMessage: wrap(&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: k, Text: proto.String("x")}})}
	}
	own := inGroup(1, "13")
	own.IsFromMe = true
	for name, c := range map[string]struct {
		info types.MessageInfo
		key  *waCommon.MessageKey
		want string
	}{
		"their own message": {inGroup(1, "13"), &waCommon.MessageKey{RemoteJID: proto.String(team.String()), FromMe: proto.Bool(true), ID: proto.String("X")},
			`{"remoteJid":"120363025846172094@g.us","fromMe":false,"id":"X","participant":"118302945561077@lid"}`},
		"our message by device": {inGroup(1, "13"), &waCommon.MessageKey{RemoteJID: proto.String(team.String()), ID: proto.String("X"), Participant: proto.String("15550100999:4@s.whatsapp.net")},
			`{"remoteJid":"120363025846172094@g.us","fromMe":true,"id":"X","participant":"15550100999:4@s.whatsapp.net"}`},
		"a third one's": {inGroup(1, "13"), &waCommon.MessageKey{RemoteJID: proto.String("x"), ID: proto.String("X"), Participant: proto.String("204813927440123@lid")},
			`{"remoteJid":"120363025846172094@g.us","fromMe":false,"id":"X","participant":"204813927440123@lid"}`},
		"direct, theirs": {direct(1, "13"), &waCommon.MessageKey{RemoteJID: proto.String("77203948571236@lid"), FromMe: proto.Bool(true), ID: proto.String("X")},
			`{"remoteJid":"204813927440123@lid","fromMe":false,"id":"X"}`},
		"nonsense": {direct(1, "13"), &waCommon.MessageKey{RemoteJID: proto.String("a.b.c:d@e"), ID: proto.String("X")},
			`{"remoteJid":"204813927440123@lid","fromMe":false,"id":"X"}`},
		"own reaction stays": {own, &waCommon.MessageKey{RemoteJID: proto.String("as is"), FromMe: proto.Bool(true), ID: proto.String("X")},
			`{"remoteJid":"as is","fromMe":true,"id":"X"}`},
	} {
		raw := reaction(c.key)
		before := proto.Clone(raw)
		evs := newFixture().must(t, arrived(c.info, raw))
		if want := `{"ephemeralMessage":{"message":{"reactionMessage":{"key":` + c.want + `,"text":"x"}}}}`; shown(t, evs[0]) != want {
			t.Errorf("%s: got %s, want %s", name, shown(t, evs[0]), want)
		}
		if !proto.Equal(before, raw) {
			t.Errorf("%s: the library's message was changed", name)
		}
	}
}

// vault opens everything, or nothing.
type vault struct{ err error }

func (v vault) DecryptReaction(context.Context, *events.Message) (*waE2E.ReactionMessage, error) {
	return &waE2E.ReactionMessage{Text: proto.String("👍")}, v.err
}

func (v vault) DecryptComment(context.Context, *events.Message) (*waE2E.Message, error) {
	return text("comment"), v.err
}

func (v vault) DecryptPollVote(context.Context, *events.Message) (*waE2E.PollVoteMessage, error) {
	return &waE2E.PollVoteMessage{}, v.err
}

func (v vault) DecryptSecretEncryptedMessage(_ context.Context, evt *events.Message) (*waE2E.Message, error) {
	if evt.Message.SecretEncryptedMessage.SecretEncType == nil {
		panic("as the library does")
	}
	return &waE2E.Message{MessageContextInfo: evt.Message.MessageContextInfo, ProtocolMessage: &waE2E.ProtocolMessage{
		Key: &waCommon.MessageKey{ID: proto.String("OLD")}, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: text("new")}}, v.err
}

func TestSecretsAreOpened(t *testing.T) {
	target := &waCommon.MessageKey{RemoteJID: proto.String("77203948571236@lid"), ID: proto.String("T")}
	messages := map[string]struct {
		m            *waE2E.Message
		plain, raw   string // when opened, and when not
		events, then int    // how many come out
	}{
		"reaction": {&waE2E.Message{EncReactionMessage: &waE2E.EncReactionMessage{TargetMessageKey: target, EncIV: []byte{1}}},
			`{"reactionMessage":{"key":{"remoteJid":"204813927440123@lid","fromMe":true,"id":"T"},"text":"👍"}}`,
			`{"encReactionMessage":{"targetMessageKey":{"remoteJid":"77203948571236@lid","id":"T"},"encIv":"AQ=="}}`, 1, 1},
		"comment": {&waE2E.Message{EncCommentMessage: &waE2E.EncCommentMessage{TargetMessageKey: target}},
			`{"commentMessage":{"message":{"conversation":"comment"},"targetMessageKey":{"remoteJid":"77203948571236@lid","id":"T"}}}`,
			`{"encCommentMessage":{"targetMessageKey":{"remoteJid":"77203948571236@lid","id":"T"}}}`, 1, 1},
		"edit": {&waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{TargetMessageKey: target, SecretEncType: waE2E.SecretEncryptedMessage_MESSAGE_EDIT.Enum()}},
			`{"protocolMessage":{"key":{"id":"OLD"},"type":"MESSAGE_EDIT","editedMessage":{"conversation":"new"}}}`,
			`{"secretEncryptedMessage":{"targetMessageKey":{"remoteJid":"77203948571236@lid","id":"T"},"secretEncType":"MESSAGE_EDIT"}}`, 2, 2},
		"vote": {&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{PollCreationMessageKey: target, SenderTimestampMS: proto.Int64(math.MaxInt64)}},
			`{"pollUpdateMessage":{"pollCreationMessageKey":{"remoteJid":"204813927440123@lid","fromMe":true,"id":"T"},"senderTimestampMs":"9223372036854775807"}}`,
			`{"pollUpdateMessage":{"pollCreationMessageKey":{"remoteJid":"204813927440123@lid","fromMe":true,"id":"T"},"senderTimestampMs":"9223372036854775807"}}`, 2, 1},
		"vote on nothing": {&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{SenderTimestampMS: proto.Int64(1)}},
			`{"pollUpdateMessage":{"senderTimestampMs":"1"}}`, `{"pollUpdateMessage":{"senderTimestampMs":"1"}}`, 1, 1},
		"secret without type": {&waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{}},
			`{"secretEncryptedMessage":{}}`, `{"secretEncryptedMessage":{}}`, 1, 1},
	}
	for name, c := range messages {
		open := newFixture(WithSecrets(func() Secrets { return vault{} }))
		evs := open.must(t, arrived(direct(1, "13"), proto.Clone(c.m).(*waE2E.Message)))
		if len(evs) != c.events || shown(t, evs[0]) != c.plain {
			t.Errorf("%s: %d events, %s, want %d, %s", name, len(evs), shown(t, evs[0]), c.events, c.plain)
		}
		closed := newFixture(WithSecrets(func() Secrets { return vault{errors.New("no key")} }))
		evs = closed.must(t, arrived(direct(1, "13"), proto.Clone(c.m).(*waE2E.Message)))
		if len(evs) != c.then || shown(t, evs[0]) != c.raw {
			t.Errorf("%s unopened: %d events, %s, want %d, %s", name, len(evs), shown(t, evs[0]), c.then, c.raw)
		}
		if len(*open.alarms)+len(*closed.alarms) > 0 {
			t.Errorf("%s: alarms", name)
		}
	}
}

func TestTooLargeMessageLosesItsContentOnly(t *testing.T) {
	f := newFixture()
	f.clock.set(created(1))
	big := strings.Repeat("é", outbox.MaxBody/2)
	evs := f.must(t, arrived(direct(1, "13"), text(big)))
	want := `{"event":"message.received","timestamp":1735689601417,"data":{"messages":[{"key":{"remoteJid":"204813927440123@lid","remoteJidAlt":"15550100123@s.whatsapp.net","fromMe":false,"id":"3A5F0C91B7D24E68A113","addressingMode":"lid"},"messageTimestamp":1735689600,"pushName":"Alice","broadcast":false}],"type":"notify"}}`
	if len(evs) != 1 || string(evs[0].Body) != want || evs[0].Key != "evt_ca2abeb06855622c807670ec0c30ac48" {
		t.Errorf("got %.600s", evs[0].Body)
	}
	if len(*f.alarms) != 1 || (*f.alarms)[0].Code != "message_too_large" || (*f.alarms)[0].EventID != evs[0].Key {
		t.Errorf("alarms %v", *f.alarms)
	}
	// The same for an edit: message and update both go out without the content.
	evs = f.must(t, arrived(direct(1, "13"), &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Key: &waCommon.MessageKey{ID: proto.String("OLD")}, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: text(big)}}))
	if len(evs) != 2 || !strings.HasSuffix(data(evs[1]), `"update":{"messageTimestamp":1735689600}}]`) || len(*f.alarms) != 3 {
		t.Errorf("edit: %d events, %.600s", len(evs), evs[1].Body)
	}
	// And for an own send.
	evs, err := f.Sent(t.Context(), whatsmeow.SendResponse{ID: "S", Timestamp: second(0), Chat: aliceLID, Sender: self.LID}, text(big))
	if err != nil || len(evs) != 1 || strings.Contains(string(evs[0].Body), "éé") || !strings.HasSuffix(data(evs[0]), `"messageTimestamp":1735689600,"status":2}],"type":"append"}`) {
		t.Errorf("sent: %v %d events", err, len(evs))
	}
	// Just below the limit the content stays.
	body := f.must(t, arrived(direct(1, "13"), text(strings.Repeat("x", outbox.MaxBody-600))))[0].Body
	if !bytes.Contains(body, []byte("xxx")) || len(body) > outbox.MaxBody {
		t.Errorf("a body of %d bytes lost its content", len(body))
	}
}

// TestPoisonedMessageIsAnEnvelope: a panic while rendering costs the content of
// this one message.
func TestPoisonedMessageIsAnEnvelope(t *testing.T) {
	for name, poison := range map[string]func(fixture){
		"while rendering": func(f fixture) { f.Translator.renderer = nil },
		"while preparing": func(f fixture) { f.Translator.secrets = func() Secrets { panic("poison") } },
	} {
		f := newFixture()
		poison(f)
		evs := f.must(t, arrived(direct(1, "13"), text("x")))
		if len(evs) != 1 || shown(t, evs[0]) != "" || evs[0].Key != "evt_ca2abeb06855622c807670ec0c30ac48" {
			t.Errorf("%s: %v", name, evs)
		}
		if len(*f.alarms) != 1 || (*f.alarms)[0].Code != "message_unreadable" || (*f.alarms)[0].Err == nil {
			t.Errorf("%s: alarms %v", name, *f.alarms)
		}
	}
}

func TestDeepMessage(t *testing.T) {
	m := text("bottom")
	for range 3000 {
		m = &waE2E.Message{EphemeralMessage: wrap(m)}
	}
	f := newFixture()
	evs := f.must(t, arrived(direct(1, "13"), m))
	if len(evs) != 1 || len(*f.alarms) > 0 {
		t.Fatalf("%d events, alarms %v", len(evs), *f.alarms)
	}
	if n := strings.Count(string(evs[0].Body), `{"message":`); n != 49 {
		t.Errorf("%d wrappers, want 49 on 100 levels", n)
	}
	wajsontest.Node(t, [][]byte{evs[0].Body})
}

func TestSentInOtherChats(t *testing.T) {
	f := newFixture()
	channel := types.NewJID("1", types.NewsletterServer)
	evs, err := f.Sent(t.Context(), whatsmeow.SendResponse{ID: "S", ServerID: 7, Timestamp: second(0), Chat: channel, Sender: self.PN}, text("x"))
	if want := `{"messages":[{"key":{"remoteJid":"1@newsletter","fromMe":true,"id":"S","server_id":"7"},"message":{"conversation":"x"},"messageTimestamp":1735689600,"status":2}],"type":"append"}`; err != nil || len(evs) != 1 || data(evs[0]) != want {
		t.Errorf("%v %s, want %s", err, data(evs[0]), want)
	}
	same := f.must(t, func() *events.Message { // the phone reports what this service sent
		info := direct(1, "13")
		info.ID, info.IsFromMe, info.Sender, info.SenderAlt = "S", true, self.PN, types.JID{}
		return arrived(info, text("x"))
	}())[0]
	evs, err = f.Sent(t.Context(), whatsmeow.SendResponse{ID: "S", Timestamp: second(0), Chat: aliceLID, Sender: self.LID}, text("x"))
	if err != nil || len(evs) != 1 || evs[0].Key != same.Key || evs[0].Stamp != same.Stamp {
		t.Errorf("%v: an own message has two ids: %s and %s", err, evs[0].Key, same.Key)
	}
}
