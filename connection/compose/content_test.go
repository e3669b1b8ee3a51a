package compose

import (
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
)

func TestContentRoundTrip(t *testing.T) {
	c := Content{
		By:      translate.Self{PN: types.NewJID("15550100999", types.DefaultUserServer), LID: types.NewJID("1", types.HiddenUserServer)},
		To:      types.NewJID("204813927440123", types.HiddenUserServer),
		Message: &waE2E.Message{Conversation: proto.String("x")},
		Asked:   types.NewJID("15550100123", types.DefaultUserServer), Fingerprint: "f",
	}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeContent(b)
	if err != nil || got.By != c.By || got.To != c.To || got.Asked != c.Asked || got.Fingerprint != "f" || !proto.Equal(got.Message, c.Message) {
		t.Errorf("got %+v, %v", got, err)
	}
	// An entry of an older version names neither account nor recipient.
	old, err := DecodeContent([]byte(`{"v":1,"to":"1@lid","message":"CgF4"}`))
	if err != nil || old.To.String() != "1@lid" || old.Message.GetConversation() != "x" || !old.Asked.IsEmpty() || old.Fingerprint != "" || !old.By.PN.IsEmpty() {
		t.Errorf("an old entry: %+v, %v", old, err)
	}
	for content, want := range map[string]string{
		`{"v":2,"to":"1@lid"}`: "version 2", `{"v":1,"to":"1@lid","message":"/w=="}`: "message", `{`: "content",
	} {
		if _, err := DecodeContent([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", content, err)
		}
	}
}
