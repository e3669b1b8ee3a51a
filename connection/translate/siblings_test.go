package translate

import (
	"bytes"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// TestSeveralWrappers: the library puts a copy of the outermost context info into the message that
// it takes for the innermost; of several wrappers side by side it may choose another one than the
// translation does. The copy was shown: "editedMessage":{"message":{"messageContextInfo":….
func TestSeveralWrappers(t *testing.T) {
	t.Parallel()
	wrap := func(m *waE2E.Message) *waE2E.FutureProofMessage { return &waE2E.FutureProofMessage{Message: m} }
	m := &waE2E.Message{
		MessageContextInfo: &waE2E.MessageContextInfo{MessageAddOnDurationInSecs: proto.Uint32(7)},
		ViewOnceMessage:    wrap(&waE2E.Message{Conversation: proto.String("lower number")}),
		EphemeralMessage:   wrap(&waE2E.Message{EditedMessage: wrap(&waE2E.Message{Conversation: proto.String("chosen by the library")})}),
	}
	f := newFixture()
	evs := f.must(t, arrived(direct(1, "13"), m))
	if n := bytes.Count(evs[0].Body, []byte("messageAddOnDurationInSecs")); n != 1 {
		t.Errorf("the context info is shown %d times: %s", n, evs[0].Body)
	}
}
