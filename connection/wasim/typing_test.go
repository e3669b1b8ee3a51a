package wasim

import (
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/types"
)

func TestTypingOfTheCompanion(t *testing.T) {
	_, a, cl := linked(t)
	ctx := testContext(t)
	bob := a.NewContact("Bob", "15550100123")
	for _, media := range []types.ChatPresenceMedia{types.ChatPresenceMediaText, types.ChatPresenceMediaAudio} {
		if err := cl.SendChatPresence(ctx, bob.pn, types.ChatPresenceComposing, media); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := a.WaitTyping(ctx, bob.LID(), 2); err != nil || !slices.Equal(got, []string{"composing", "recording"}) {
		t.Errorf("got %q, %v", got, err)
	}
}
