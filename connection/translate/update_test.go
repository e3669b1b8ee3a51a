package translate

import (
	"fmt"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox"
)

// ownDevice is the source of what another device of the account reports about
// the chat with Alice.
func ownDevice(r *events.Receipt) *events.Receipt {
	r.Sender, r.SenderAlt, r.RecipientAlt, r.IsFromMe = deviceJID(self.LID.User, 0, self.LID.Server), types.JID{}, alicePN, true
	return r
}

func TestReceiptTypes(t *testing.T) {
	group := func(typ types.ReceiptType, sender types.JID) *events.Receipt {
		return &events.Receipt{MessageSource: types.MessageSource{Chat: team, IsGroup: true, Sender: sender}, MessageIDs: []string{"X"}, Timestamp: second(0), Type: typ}
	}
	direct := `[{"key":{"remoteJid":"204813927440123@lid","remoteJidAlt":"15550100123@s.whatsapp.net","fromMe":%v,"id":"X","addressingMode":"lid"},"update":{"status":%d,"messageTimestamp":1735689600}}]`
	member := `[{"key":{"remoteJid":"120363025846172094@g.us","fromMe":%v,"id":"X","participant":"%s","participantAlt":"%s","addressingMode":"%s"},"update":{},"receipt":{"userJid":"%s","%s":1735689600}}]`
	bob := []any{true, "118302945561077@lid", "15550100456@s.whatsapp.net", "lid", "118302945561077@lid"}
	for name, c := range map[string]struct {
		evt  *events.Receipt
		want string // "" for none
	}{
		"delivered":         {receiptOf(1, types.ReceiptTypeDelivered, "X"), fmt.Sprintf(direct, true, 3)},
		"read":              {receiptOf(1, types.ReceiptTypeRead, "X"), fmt.Sprintf(direct, true, 4)},
		"played":            {receiptOf(1, types.ReceiptTypePlayed, "X"), fmt.Sprintf(direct, true, 5)},
		"read by us, quiet": {ownDevice(receiptOf(1, types.ReceiptTypeReadSelf, "X")), fmt.Sprintf(direct, false, 4)},
		"played by us":      {ownDevice(receiptOf(1, types.ReceiptTypePlayed, "X")), fmt.Sprintf(direct, false, 5)},
		"our device got it": {ownDevice(receiptOf(1, types.ReceiptTypeSender, "X")), fmt.Sprintf(direct, true, 2)},
		"retry":             {receiptOf(1, types.ReceiptTypeRetry, "X"), ""},
		"played-self":       {receiptOf(1, types.ReceiptTypePlayedSelf, "X"), ""},
		"server error":      {receiptOf(1, types.ReceiptTypeServerError, "X"), ""},
		"inactive":          {receiptOf(1, types.ReceiptTypeInactive, "X"), ""},
		"no ids":            {receiptOf(1, types.ReceiptTypeRead), ""},
		"an empty id":       {receiptOf(1, types.ReceiptTypeRead, "", "X"), fmt.Sprintf(direct, true, 4)},
		"group delivered":   {group(types.ReceiptTypeDelivered, bobLID), fmt.Sprintf(member, append(bob, "receiptTimestamp")...)},
		"group read":        {group(types.ReceiptTypeRead, bobLID), fmt.Sprintf(member, append(bob, "readTimestamp")...)},
		"group played":      {group(types.ReceiptTypePlayed, bobLID), fmt.Sprintf(member, append(bob, "readTimestamp")...)},
		"group sender":      {group(types.ReceiptTypeSender, self.LID), ""},
		// The library leaves IsFromMe false in grouped receipts.
		"group, us by number": {group(types.ReceiptTypeReadSelf, self.PN), fmt.Sprintf(member, false, "15550100999@s.whatsapp.net", "77203948571236@lid", "pn", "15550100999@s.whatsapp.net", "readTimestamp")},
		"group, us by LID":    {group(types.ReceiptTypeRead, self.LID), fmt.Sprintf(member, false, "77203948571236@lid", "15550100999@s.whatsapp.net", "lid", "77203948571236@lid", "readTimestamp")},
	} {
		evs := newFixture().must(t, c.evt)
		switch {
		case c.want == "" && len(evs) != 0:
			t.Errorf("%s: %s", name, evs[0].Body)
		case c.want != "" && (len(evs) != 1 || data(evs[0]) != c.want):
			t.Errorf("%s: got %v, want %s", name, evs, c.want)
		}
	}
}

// Mutation of update.go: a receipt that names its messages in another order is a new event.
func TestReceiptIdentity(t *testing.T) {
	f := newFixture()
	key := func(r *events.Receipt) string { return f.must(t, r)[0].Key }
	read := key(receiptOf(1, types.ReceiptTypeRead, "A", "B"))
	if key(receiptOf(1, types.ReceiptTypeRead, "B", "A")) != read {
		t.Error("the order of the ids changes the event id")
	}
	for name, r := range map[string]*events.Receipt{
		"other ids":    receiptOf(1, types.ReceiptTypeRead, "A"),
		"other status": receiptOf(1, types.ReceiptTypeDelivered, "A", "B"),
		"other reader": ownDevice(receiptOf(1, types.ReceiptTypeRead, "A", "B")),
	} {
		if key(r) == read {
			t.Errorf("%s: same event id", name)
		}
	}
}

func TestLongReceiptIsSplit(t *testing.T) {
	var ids []string
	for i := range 2500 {
		ids = append(ids, fmt.Sprintf("3EB0C431C26A1916E07A5D%010d", i))
	}
	evs := newFixture().must(t, receiptOf(1, types.ReceiptTypeRead, ids...))
	total := 0
	seen := map[string]bool{}
	for _, ev := range evs {
		if len(ev.Body) > outbox.MaxBody/2 || seen[ev.Key] {
			t.Errorf("a body of %d bytes, id %s", len(ev.Body), ev.Key)
		}
		seen[ev.Key] = true
		total += strings.Count(string(ev.Body), `"status":4`)
	}
	if total != len(ids) || len(evs) != 3 {
		t.Errorf("%d of %d receipts in %d events", total, len(ids), len(evs))
	}
}

func TestStars(t *testing.T) {
	star := events.Star{ChatJID: team, SenderJID: bobLID, MessageID: "X", Timestamp: second(0), Action: &waSyncAction.StarAction{Starred: proto.Bool(false)}}
	want := `[{"key":{"remoteJid":"120363025846172094@g.us","fromMe":false,"id":"X","participant":"118302945561077@lid","participantAlt":"15550100456@s.whatsapp.net","addressingMode":"lid"},"update":{"starred":false}}]`
	ev := newFixture().must(t, &star)[0]
	if data(ev) != want {
		t.Errorf("got %s, want %s", data(ev), want)
	}
	own := events.Star{ChatJID: team, IsFromMe: true, MessageID: "X", Timestamp: second(0), Action: &waSyncAction.StarAction{Starred: proto.Bool(true)}}
	if got := data(newFixture().must(t, &own)[0]); got != `[{"key":{"remoteJid":"120363025846172094@g.us","fromMe":true,"id":"X"},"update":{"starred":true}}]` {
		t.Errorf("own: %s", got)
	}
	again := star
	again.Timestamp = second(1)
	if newFixture().must(t, &again)[0].Key == ev.Key {
		t.Error("unstarring twice gives one id")
	}
	star.FromFullSync = true
	if evs := newFixture().must(t, &star); len(evs) != 0 {
		t.Errorf("from a full sync: %s", evs[0].Body)
	}
}

func TestSendFailedWithoutCode(t *testing.T) {
	ev, err := newFixture().SendFailed(t.Context(), alicePN, types.JID{}, "X", "")
	want := `[{"key":{"remoteJid":"15550100123@s.whatsapp.net","remoteJidAlt":"204813927440123@lid","fromMe":true,"id":"X","addressingMode":"pn"},"update":{"status":0}}]`
	if err != nil || data(ev) != want || ev.Stamp != 0 || ev.Random {
		t.Errorf("%v: %s, want %s", err, data(ev), want)
	}
}
