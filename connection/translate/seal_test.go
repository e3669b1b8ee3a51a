package translate

import (
	"context"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// unsealed opens every sealed edit as the message given.
type unsealed struct {
	Secrets
	plain *waE2E.Message
}

func (u unsealed) DecryptSecretEncryptedMessage(_ context.Context, evt *events.Message) (*waE2E.Message, error) {
	plain := proto.Clone(u.plain).(*waE2E.Message)
	plain.MessageContextInfo = evt.Message.MessageContextInfo // as the library does
	return plain, nil
}

func editOf(id string, content *waE2E.Message) *waE2E.Message {
	p := &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: content}
	if id != "" {
		p.Key = &waCommon.MessageKey{ID: proto.String(id)}
	}
	return &waE2E.Message{ProtocolMessage: p}
}

// TestSealedEdits: whatever shape the plaintext of a sealed edit has, the message arrives and an
// update of its target.
func TestSealedEdits(t *testing.T) {
	target := &waCommon.MessageKey{ID: proto.String("T")}
	sealed := func() *waE2E.Message {
		return &waE2E.Message{
			MessageContextInfo:     deviceInfo(),
			SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{TargetMessageKey: target, SecretEncType: waE2E.SecretEncryptedMessage_MESSAGE_EDIT.Enum()},
		}
	}
	untyped := editOf("OLD", text("new"))
	untyped.ProtocolMessage.Type = nil
	for name, c := range map[string]struct {
		plain     *waE2E.Message
		shown, id string
	}{
		"a protocol message":            {editOf("OLD", text("new")), `"protocolMessage":{"key":{"id":"OLD"},"type":"MESSAGE_EDIT","editedMessage":{"conversation":"new"}}`, "OLD"},
		"a protocol message without id": {editOf("", text("new")), `"protocolMessage":{"key":{"id":"T"},"type":"MESSAGE_EDIT","editedMessage":{"conversation":"new"}}`, "T"},
		"one without type":              {untyped, `"protocolMessage":{"key":{"id":"OLD"},"type":"MESSAGE_EDIT","editedMessage":{"conversation":"new"}}`, "OLD"},
		"in a wrapper":                  {&waE2E.Message{EditedMessage: wrap(editOf("OLD", text("new")))}, `"editedMessage":{"message":{"protocolMessage":{"key":{"id":"OLD"},"type":"MESSAGE_EDIT","editedMessage":{"conversation":"new"}}}}`, "OLD"},
		"in a wrapper without id":       {&waE2E.Message{EditedMessage: wrap(editOf("", text("new")))}, `"editedMessage":{"message":{"protocolMessage":{"key":{"id":"T"},"type":"MESSAGE_EDIT","editedMessage":{"conversation":"new"}}}}`, "T"},
		"content alone":                 {text("new"), `"protocolMessage":{"key":{"id":"T"},"type":"MESSAGE_EDIT","editedMessage":{"conversation":"new"}}`, "T"},
	} {
		for wrapping, m := range map[string]*waE2E.Message{"": sealed(), "wrapped ": {EphemeralMessage: wrap(sealed())}, "strangely wrapped ": {GroupMentionedMessage: wrap(sealed())}} {
			f := newFixture(WithSecrets(func() Secrets { return unsealed{plain: c.plain} }))
			evs := f.must(t, arrived(direct(1, "13"), m))
			if len(evs) != 2 || !strings.Contains(shown(t, evs[0]), c.shown) || strings.Contains(shown(t, evs[0]), "secretEncrypted") {
				t.Errorf("%s%s: %d events, %s", wrapping, name, len(evs), evs[0].Body)
				continue
			}
			if got := data(evs[1]); evs[1].Name != MessageUpdate || !strings.Contains(got, `"id":"`+c.id+`"`) || !strings.Contains(got, `"update":{"message":{"editedMessage":{"message":{"conversation":"new"}}}`) {
				t.Errorf("%s%s: update %s", wrapping, name, got)
			}
		}
	}
	evs := newFixture().must(t, arrived(direct(1, "13"), sealed()))
	want := `[{"key":{"remoteJid":"204813927440123@lid","remoteJidAlt":"15550100123@s.whatsapp.net","fromMe":false,"id":"T","addressingMode":"lid"},"update":{"messageTimestamp":1735689600}}]`
	if len(evs) != 2 || data(evs[1]) != want {
		t.Errorf("not opened: %v, want %s", evs, want)
	}
}

// TestNoUpdateOfNothing: an edit or a revoke that names no message arrives, and updates nothing.
func TestNoUpdateOfNothing(t *testing.T) {
	for name, m := range map[string]*waE2E.Message{
		"edit":             editOf("", text("new")),
		"edit, empty id":   {ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: &waCommon.MessageKey{ID: proto.String("")}}},
		"revoke":           {ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REVOKE.Enum()}},
		"revoke, no id":    {ProtocolMessage: &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: &waCommon.MessageKey{}}},
		"sealed, no key":   {SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{}},
		"sealed, empty id": {SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{TargetMessageKey: &waCommon.MessageKey{}}},
	} {
		if evs := newFixture().must(t, arrived(direct(1, "13"), m)); len(evs) != 1 || evs[0].Name != MessageReceived {
			t.Errorf("%s: %v", name, evs)
		}
	}
}

// TestKeysOfGroupsAndDevicesNeverLeave: a message that only hands a key on is no event, and of one
// that says something too the key is left out.
//
// Mutation of content.go: a group's root key reaches a webhook.
func TestKeysOfGroupsAndDevicesNeverLeave(t *testing.T) {
	info := &waE2E.MessageContextInfo{MessageSecret: []byte("very secret")}
	root := func() *waE2E.Message {
		return &waE2E.Message{MessageContextInfo: info, RootSecretDistributeMessage: &waE2E.RootSecretDistributeMessage{ChatJID: proto.String(team.String())}}
	}
	keys := func() *waE2E.Message {
		return &waE2E.Message{GroupRootKeyShare: &waE2E.GroupRootKeyShare{Keys: []*waE2E.GroupRootKeyShareEntry{{GroupRootKey: []byte("very secret")}}}}
	}
	for name, m := range map[string]*waE2E.Message{
		"root secret":                    root(),
		"group root key":                 keys(),
		"in a wrapper":                   {MessageContextInfo: info, EphemeralMessage: wrap(root())},
		"group root key in a wrapper":    {ViewOnceMessage: wrap(keys())},
		"to the account's other devices": {MessageContextInfo: info, DeviceSentMessage: &waE2E.DeviceSentMessage{Message: root()}},
	} {
		if evs := newFixture().must(t, arrived(inGroup(1, "13"), m)); len(evs) != 0 {
			t.Errorf("%s: %s", name, evs[0].Body)
		}
	}
	said := keys()
	said.RootSecretDistributeMessage, said.MessageContextInfo = root().RootSecretDistributeMessage, &waE2E.MessageContextInfo{MessageSecret: []byte("very secret"), MessageAssociation: &waE2E.MessageAssociation{MessageIndex: proto.Int32(1)}}
	said.Conversation = proto.String("hi")
	revoke := &waE2E.ProtocolMessage{Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: &waCommon.MessageKey{ID: proto.String("X")}, AppStateSyncKeyShare: &waE2E.AppStateSyncKeyShare{
		Keys: []*waE2E.AppStateSyncKey{{KeyData: &waE2E.AppStateSyncKeyData{KeyData: []byte("very secret")}}}}}
	for name, c := range map[string]struct {
		m    *waE2E.Message
		want string
	}{
		"with a text":        {said, `{"conversation":"hi","messageContextInfo":{"messageAssociation":{"messageIndex":1}}}`},
		"keys in a revoke":   {&waE2E.Message{ProtocolMessage: revoke}, `{"protocolMessage":{"key":{"id":"X"},"type":"REVOKE"}}`},
		"quoted":             {&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("x"), ContextInfo: &waE2E.ContextInfo{QuotedMessage: keys()}}}, `{"extendedTextMessage":{"text":"x","contextInfo":{"quotedMessage":{}}}}`},
		"an ordinary secret": {&waE2E.Message{Conversation: proto.String("x"), MessageContextInfo: &waE2E.MessageContextInfo{MessageSecret: []byte{1}}}, `{"conversation":"x","messageContextInfo":{"messageSecret":"AQ=="}}`},
	} {
		before := proto.Clone(c.m)
		evs := newFixture().must(t, arrived(inGroup(1, "13"), c.m))
		if len(evs) == 0 || shown(t, evs[0]) != c.want {
			t.Errorf("%s: %v, want %s", name, evs, c.want)
		}
		if !proto.Equal(before, c.m) {
			t.Errorf("%s: the library's message was changed", name)
		}
	}
}

// TestPlaceholderOfARecoveredEdit: it has the edit's own id. With the target's, which the library
// puts in its place, the target's own event would count as known.
//
// Mutation of message.go: a recovered edit has the id of the message it edits, which then counts as
// known.
func TestPlaceholderOfARecoveredEdit(t *testing.T) {
	evt := arrived(direct(1, "13"), editOf("OLD", text("new")))
	evt.SourceWebMsg = &waWeb.WebMessageInfo{Key: &waCommon.MessageKey{ID: proto.String("EDIT")}}
	evt.Info.ID, evt.Message = "OLD", text("new")
	target := direct(1, "13")
	target.ID = "OLD"
	original := newFixture().must(t, arrived(target, text("old")))[0]
	ev, ok := newFixture().Placeholder(evt)
	if !ok || ev.Key == original.Key || ev.Message != "EDIT" {
		t.Errorf("placeholder %s of %q, the target is %s", ev.Key, ev.Message, original.Key)
	}
	poisoned := newFixture(WithSecrets(func() Secrets { panic("poison") }))
	if evs := poisoned.must(t, evt); len(evs) != 1 || evs[0].Key != ev.Key {
		t.Errorf("unreadable: %v, want %s", evs, ev.Key)
	}
}
