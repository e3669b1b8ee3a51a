package directory

import (
	"testing"

	"go.mau.fi/whatsmeow/types"
)

func TestRank(t *testing.T) {
	p := &people{by: map[types.JID]*person{}}
	who := p.add(types.NewJID("491515550111", types.DefaultUserServer), types.NewJID("2048", types.HiddenUserServer), types.ContactInfo{FullName: "Bob  van Dyke", PushName: "Bobby"})
	stranger := p.add(types.JID{}, types.NewJID("4096", types.HiddenUserServer), types.ContactInfo{PushName: "555"})
	for query, want := range map[string]int{
		"bob van dyke": rankWhole, "BOBBY": rankWhole, "bob": rankStart, "van d": rankWord, "yke": rankPart, "alice": rankNone, "": rankNone, " ": rankNone,
		"491515550111": rankWhole, "+49 151 5550111": rankWhole, "0049 151-5550111": rankWhole, "0151 5550111": rankStart, "5550": rankPart, "55": rankNone,
		"2048@lid": rankWhole, "491515550111@s.whatsapp.net": rankWhole, "2048": rankNone, "000": rankNone,
	} {
		if got := p.rank(who, query); got != want {
			t.Errorf("%q: got %d, want %d", query, got, want)
		}
	}
	if got := p.rank(stranger, "555"); got != rankWhole || stranger.recipient().Phone != "" || stranger.recipient().JID != "4096@lid" {
		t.Errorf("somebody without a number: %d, %+v", got, stranger.recipient())
	}
}

// The two entries of a person that the store may have are one, with the best of both.
func TestMerge(t *testing.T) {
	who := person{info: types.ContactInfo{FullName: "Bob Miller"}}
	who.merge(types.ContactInfo{FullName: "other", PushName: "Bob", BusinessName: "Bob's"})
	if who.name() != "Bob Miller" || who.info.PushName != "Bob" || who.info.BusinessName != "Bob's" {
		t.Errorf("%+v", who)
	}
	if got := (person{info: types.ContactInfo{PushName: "B", BusinessName: "Bob's"}}).name(); got != "Bob's" {
		t.Errorf("named %q", got)
	}
}
