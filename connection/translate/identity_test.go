package translate

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
)

var eventIDPattern = regexp.MustCompile(`^evt_[0-9a-f]{32}$`)

const account = "15550100999@s.whatsapp.net"

// Mutation of identity.go: an id that depends on the moment.
func TestIdentityVectors(t *testing.T) {
	for _, c := range []struct {
		tuple     *wajson.Array
		json, key string
	}{
		{
			tuple(account, "message", "204813927440123@lid", "204813927440123@lid", "3A5F0C91B7D24E68A113", "content"),
			`["v1","15550100999@s.whatsapp.net","message","204813927440123@lid","204813927440123@lid","3A5F0C91B7D24E68A113","content"]`,
			"evt_ca2abeb06855622c807670ec0c30ac48",
		},
		{
			tuple(account, "message", "120363025846172094@g.us", "118302945561077@lid", "AC0B4F6E2D9C41E7A3B8D5F01C2E7A96", "ciphertext"),
			`["v1","15550100999@s.whatsapp.net","message","120363025846172094@g.us","118302945561077@lid","AC0B4F6E2D9C41E7A3B8D5F01C2E7A96","ciphertext"]`,
			"evt_82b932cd161f8092ae9978bdf9e06daa",
		},
		{
			tuple(account, "receipt", "204813927440123@lid", "204813927440123@lid").Int(4).Arr(wajson.Strings("3EB0C431C26A1916E07A5D", "3EB0C431C26A1916E07A5E")),
			`["v1","15550100999@s.whatsapp.net","receipt","204813927440123@lid","204813927440123@lid",4,["3EB0C431C26A1916E07A5D","3EB0C431C26A1916E07A5E"]]`,
			"evt_5de7a27deec1ed45de91bd5cc5a0ebf7",
		},
	} {
		if got := string(c.tuple.JSON()); got != c.json {
			t.Errorf("tuple %s, want %s", got, c.json)
		}
		if got := stable(second(0), c.tuple); got.key != c.key || got.random || got.stamp != 1735689600 {
			t.Errorf("identity %+v, want key %s", got, c.key)
		}
	}
}

// TestEventsHaveTheVectorIDs goes the whole way from the library's event to the
// published vectors.
func TestEventsHaveTheVectorIDs(t *testing.T) {
	f := newFixture()
	for key, evt := range map[string]any{
		"evt_ca2abeb06855622c807670ec0c30ac48": arrived(direct(1, "13"), goldenMessages()["message.received-text"]),
		"evt_82b932cd161f8092ae9978bdf9e06daa": &events.UndecryptableMessage{Info: inGroup(21, "96")},
		"evt_5de7a27deec1ed45de91bd5cc5a0ebf7": receiptOf(32, types.ReceiptTypeRead, "3EB0C431C26A1916E07A5E", "3EB0C431C26A1916E07A5D"),
	} {
		if evs := f.must(t, evt); len(evs) != 1 || evs[0].Key != key {
			t.Errorf("%T has %v, want the id %s", evt, evs, key)
		}
	}
}

// TestSameIDUnderEitherAddressing: the phone-number form of a chat whose LID is
// known is the same event, and in the same order.
//
// Mutation of address.go: an id depends on the address the server used.
func TestSameIDUnderEitherAddressing(t *testing.T) {
	f := newFixture()
	lid := f.must(t, arrived(direct(1, "13"), goldenMessages()["message.received-text"]))[0]
	info := direct(1, "13")
	info.Chat, info.Sender, info.SenderAlt, info.AddressingMode = alicePN, alicePN, types.JID{}, types.AddressingModePN
	pn := f.must(t, arrived(info, goldenMessages()["message.received-text"]))[0]
	if lid.Key != pn.Key || lid.Chat != pn.Chat || pn.Chat != "204813927440123@lid" {
		t.Errorf("%s in %s, and %s in %s", lid.Key, lid.Chat, pn.Key, pn.Chat)
	}
	delete(f.book, alicePN)
	if alone := f.must(t, arrived(info, goldenMessages()["message.received-text"]))[0]; alone.Chat != "15550100123@s.whatsapp.net" {
		t.Errorf("without a known LID the chat is %s", alone.Chat)
	}
}

func TestRandomIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		id := unique()
		if !id.random || id.stamp != 0 || !eventIDPattern.MatchString(id.key) || seen[id.key] {
			t.Fatalf("identity %+v", id)
		}
		seen[id.key] = true
	}
}

func TestStampIsBounded(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want uint32
	}{
		{time.Time{}, 0}, {time.Unix(0, 0), 0}, {time.Unix(-5, 0), 0}, {second(0), 1735689600},
		{time.Unix(math.MaxUint32, 0), math.MaxUint32}, {time.Unix(1<<40, 0), math.MaxUint32}, {time.Unix(1<<60, 0), 0},
	} {
		if got := stampOf(c.at); got != c.want {
			t.Errorf("stamp of %v = %d, want %d", c.at.Unix(), got, c.want)
		}
	}
}

// The account's own message is the same event from whichever device and under either addressing.
func TestOwnMessagesHaveOneSender(t *testing.T) {
	var keys []string
	for _, sender := range []types.JID{self.PN, self.LID, deviceJID(self.PN.User, 0, self.PN.Server), deviceJID(self.LID.User, 3, self.LID.Server)} {
		info := types.MessageInfo{MessageSource: types.MessageSource{Chat: team, IsGroup: true, Sender: sender, IsFromMe: true}, ID: "3EB0A", Timestamp: second(0)}
		keys = append(keys, newFixture().must(t, arrived(info, text("x")))[0].Key)
	}
	if vector := stable(second(0), tuple("15550100999@s.whatsapp.net", "message", team.String(), "me", "3EB0A", "content")); keys[0] != vector.key {
		t.Errorf("id %s, want that of the sender me, %s", keys[0], vector.key)
	}
	if len(slices.Compact(keys)) != 1 {
		t.Errorf("ids %q of one message", keys)
	}
}

// The time of an event is the one in its body, which has no less than milliseconds.
//
// Mutation of translator.go: the time of an event is finer than what its body shows.
func TestTimeIsTheBodysTimestamp(t *testing.T) {
	f := newFixture()
	f.clock.set(created(1).Add(123456 * time.Nanosecond))
	ev := f.must(t, arrived(direct(1, "13"), text("x")))[0]
	if want := fmt.Sprintf(`"timestamp":%d,`, ev.Time.UnixMilli()); !ev.Time.Equal(created(1)) || !strings.Contains(string(ev.Body), want) {
		t.Errorf("time %v, body %s", ev.Time, ev.Body)
	}
}
