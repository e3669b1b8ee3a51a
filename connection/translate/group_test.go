package translate

import (
	"context"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

const byBob = `"author":"118302945561077@lid","authorPn":"15550100456@s.whatsapp.net"`

func TestGroupAttributes(t *testing.T) {
	parent := types.NewJID("77", types.GroupServer)
	mode := func(content any) []*waBinary.Node {
		return []*waBinary.Node{nil, {Tag: "other"}, {Tag: "member_add_mode", Content: content}}
	}
	for name, c := range map[string]struct {
		change events.GroupInfo
		want   string // the fields between id and author; "" for no event
	}{
		"not announce":        {events.GroupInfo{Announce: &types.GroupAnnounce{}}, `"announce":false`},
		"restrict":            {events.GroupInfo{Locked: &types.GroupLocked{IsLocked: true}}, `"restrict":true`},
		"ephemeral off":       {events.GroupInfo{Ephemeral: &types.GroupEphemeral{DisappearingTimer: 5}}, `"ephemeralDuration":0`},
		"description deleted": {events.GroupInfo{Topic: &types.GroupTopic{Topic: "old", TopicID: "T", TopicDeleted: true, TopicSetAt: second(0), TopicSetBy: bobLID}}, `"desc":"","descId":"T","descOwner":"118302945561077@lid","descTime":1735689600`},
		"into a community":    {events.GroupInfo{Link: &types.GroupLinkChange{Type: types.GroupLinkChangeTypeParent, Group: types.GroupLinkTarget{JID: parent}}}, `"linkedParent":"77@g.us"`},
		"community's own":     {events.GroupInfo{Link: &types.GroupLinkChange{Type: types.GroupLinkChangeTypeSub, Group: types.GroupLinkTarget{JID: parent}}}, ""},
		"all may add":         {events.GroupInfo{UnknownChanges: mode([]byte("all_member_add"))}, `"memberAddMode":true`},
		"admins may add":      {events.GroupInfo{UnknownChanges: mode([]byte("admin_add"))}, `"memberAddMode":false`},
		"invite link revoked": {events.GroupInfo{UnknownChanges: []*waBinary.Node{{Tag: "revoke"}}}, `"inviteCode":""`},
		"mode without text":   {events.GroupInfo{UnknownChanges: mode(nil)}, ""},
		"approval mode":       {events.GroupInfo{MembershipApprovalMode: &types.GroupMembershipApprovalMode{IsJoinApprovalRequired: true}}, ""},
		"out of a community":  {events.GroupInfo{Unlink: &types.GroupLinkChange{Type: types.GroupLinkChangeTypeParent, Group: types.GroupLinkTarget{JID: parent}}}, `"linkedParent":""`},
		"deleted":             {events.GroupInfo{Delete: &types.GroupDelete{Deleted: true}}, `"deleted":true`},
		"deleted for a cause": {events.GroupInfo{Delete: &types.GroupDelete{Deleted: true, DeleteReason: "integrity"}}, `"deleted":true,"deleteReason":"integrity"`},
		"suspended":           {events.GroupInfo{Suspended: true}, `"suspended":true`},
		"suspended no longer": {events.GroupInfo{Unsuspended: true}, `"suspended":false`},
	} {
		c.change.JID, c.change.Sender, c.change.SenderPN, c.change.Timestamp = team, &bobLID, &bobPN, second(0)
		evs := newFixture().must(t, &c.change)
		if c.want == "" {
			if len(evs) > 0 {
				t.Errorf("%s: %s", name, evs[0].Body)
			}
			continue
		}
		want := `[{"id":"120363025846172094@g.us",` + c.want + `,` + byBob + `}]`
		if len(evs) != 1 || data(evs[0]) != want || evs[0].Chat != team.String() || evs[0].Stamp != 1735689600 {
			t.Errorf("%s: got %v, want %s", name, evs, want)
		}
	}
}

func TestGroupAuthors(t *testing.T) {
	for name, c := range map[string]struct {
		sender, pn *types.JID
		want       string
	}{
		"unknown":           {nil, nil, ``},
		"LID, number known": {&bobLID, nil, `,` + byBob},
		"by number":         {&bobPN, nil, `,"author":"15550100456@s.whatsapp.net"`},
	} {
		evs := newFixture().must(t, &events.GroupInfo{JID: team, Sender: c.sender, SenderPN: c.pn, Timestamp: second(0), Locked: &types.GroupLocked{}})
		if want := `[{"id":"120363025846172094@g.us","restrict":false` + c.want + `}]`; data(evs[0]) != want {
			t.Errorf("%s: got %s, want %s", name, data(evs[0]), want)
		}
	}
}

func TestGroupParticipants(t *testing.T) {
	stranger := types.NewJID("6", types.HiddenUserServer)
	evs := newFixture().must(t, &events.GroupInfo{JID: team, Sender: &bobLID, SenderPN: &bobPN, Timestamp: second(0), Demote: []types.JID{alicePN, stranger}})
	want := `[{"id":"120363025846172094@g.us",` + byBob + `,"participants":[{"id":"15550100123@s.whatsapp.net","lid":"204813927440123@lid","admin":null},{"id":"6@lid","admin":null}],"action":"demote"}]`
	if len(evs) != 1 || data(evs[0]) != want {
		t.Errorf("got %v, want %s", evs, want)
	}
	turned := newFixture().must(t, &events.GroupInfo{JID: team, Sender: &bobLID, SenderPN: &bobPN, Timestamp: second(0), Demote: []types.JID{stranger, alicePN}})
	if turned[0].Key != evs[0].Key {
		t.Error("the order of the members changes the event id")
	}
}

// TestSeveralChangesAtOnce: one event each, every one with its own id.
func TestSeveralChangesAtOnce(t *testing.T) {
	evs := newFixture().must(t, &events.GroupInfo{
		JID: team, Sender: &bobLID, SenderPN: &bobPN, Timestamp: second(0),
		Name: &types.GroupName{Name: "N"}, Topic: &types.GroupTopic{Topic: "T"}, Announce: &types.GroupAnnounce{}, Locked: &types.GroupLocked{},
		Ephemeral: &types.GroupEphemeral{}, NewInviteLink: proto.String("code"), Join: []types.JID{aliceLID}, Leave: []types.JID{aliceLID}, Promote: []types.JID{aliceLID}, Demote: []types.JID{aliceLID},
	})
	seen := map[string]bool{}
	for _, ev := range evs {
		if seen[ev.Key] || strings.Count(string(ev.Body), `"id":"1203`) != 1 {
			t.Errorf("%s: %s", ev.Key, ev.Body)
		}
		seen[ev.Key] = true
	}
	if len(evs) != 10 {
		t.Errorf("%d events, want 10", len(evs))
	}
}

func TestJoinedGroupWithEverything(t *testing.T) {
	evt := joinedSuppliers()
	evt.ParticipantVersionID = "first"
	evt.Sender, evt.SenderPN = nil, nil
	evt.NameSetByPN = bobPN
	evt.ParticipantCount = 900
	evt.GroupTopic = types.GroupTopic{Topic: "D", TopicID: "T", TopicSetAt: second(1), TopicSetBy: bobLID}
	evt.LinkedParentJID = types.NewJID("77", types.GroupServer)
	evt.IsEphemeral, evt.DisappearingTimer = true, 86400
	evt.IsLocked, evt.IsAnnounce, evt.IsParent, evt.IsDefaultSubGroup, evt.IsJoinApprovalRequired, evt.MemberAddMode = true, true, true, true, true, types.GroupMemberAddModeAllMember
	evt.Participants = []types.GroupParticipant{{JID: alicePN, LID: aliceLID, PhoneNumber: alicePN, IsAdmin: true}}
	evs := newFixture().must(t, evt)
	want := `[{"id":"120363041122334455@g.us","addressingMode":"lid","subject":"Suppliers","subjectOwner":"118302945561077@lid","subjectOwnerPn":"15550100456@s.whatsapp.net","subjectTime":1735689600,"creation":1735689600,` +
		`"owner":"118302945561077@lid","ownerPn":"15550100456@s.whatsapp.net","size":900,"desc":"D","descId":"T","descOwner":"118302945561077@lid","descTime":1735689601,"linkedParent":"77@g.us","ephemeralDuration":86400,` +
		`"restrict":true,"announce":true,"isCommunity":true,"isCommunityAnnounce":true,"joinApprovalMode":true,"memberAddMode":true,"participants":[{"id":"15550100123@s.whatsapp.net","lid":"204813927440123@lid","admin":"admin"}]}]`
	if len(evs) != 1 || data(evs[0]) != want || evs[0].Stamp != 0 || evs[0].Random {
		t.Errorf("got %v, want %s", evs, want)
	}
	again := joinedSuppliers()
	again.Sender, again.SenderPN = nil, nil
	again.ParticipantVersionID = "later"
	if newFixture().must(t, again)[0].Key == evs[0].Key {
		t.Error("joining again later gives the same id")
	}
}

func TestPictures(t *testing.T) {
	f := newFixture()
	for _, c := range []struct {
		evt  events.Picture
		want string
	}{
		{events.Picture{JID: team, Author: bobLID, Timestamp: second(0), PictureID: "1"}, `[{"id":"120363025846172094@g.us","imgUrl":"changed","author":"118302945561077@lid"}]`},
		{events.Picture{JID: team, Timestamp: second(0), Remove: true}, `[{"id":"120363025846172094@g.us","imgUrl":"removed"}]`},
	} {
		if evs := f.must(t, &c.evt); len(evs) != 1 || data(evs[0]) != c.want {
			t.Errorf("got %v, want %s", evs, c.want)
		}
	}
	if evs := f.must(t, &events.Picture{JID: aliceLID, Author: aliceLID, Timestamp: second(0)}); len(evs) != 0 {
		t.Errorf("a user's picture: %s", evs[0].Body)
	}
}

// TestEqualChangesOfOneSecond: on, off and on again within a second by one author are three events,
// by the version the server gives each, else by its notice; the same notice twice is one.
//
// Mutation of group.go: equal changes of a group within a second are one event, so that the last
// state is lost.
func TestEqualChangesOfOneSecond(t *testing.T) {
	from := func(id string) context.Context {
		return WithStanza(t.Context(), &waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"id": id}})
	}
	group := func(g events.GroupInfo) any {
		g.JID, g.Sender, g.Timestamp = team, &bobLID, second(0)
		return &g
	}
	announce := func(on bool, version string) any {
		return group(events.GroupInfo{Announce: &types.GroupAnnounce{IsAnnounce: on, AnnounceVersionID: version}})
	}
	promote := func(version string) any {
		return group(events.GroupInfo{Promote: []types.JID{aliceLID}, ParticipantVersionID: version})
	}
	locked := group(events.GroupInfo{Locked: &types.GroupLocked{IsLocked: true}})
	joined := func(version string) any {
		e := joinedSuppliers()
		e.ParticipantVersionID = version
		return e
	}
	picture := func(id string) any {
		return &events.Picture{JID: team, Author: bobLID, Timestamp: second(0), PictureID: id}
	}
	for name, c := range map[string]struct {
		first, again, other any
		a, b                string // the notices of the first and of the other
	}{
		"announce":                {announce(true, "1"), announce(true, "1"), announce(true, "3"), "", ""},
		"promote":                 {promote("1"), promote("1"), promote("3"), "", ""},
		"a setting, no version":   {locked, locked, locked, "N1", "N2"},
		"promote without version": {promote(""), promote(""), promote(""), "N1", "N2"},
		"picture":                 {picture("1"), picture("1"), picture("2"), "", ""},
		"picture without id":      {picture(""), picture(""), picture(""), "N1", "N2"},
		"joined":                  {joined("1"), joined("1"), joined("2"), "N1", "N1"},
		"joined without version":  {joined(""), joined(""), joined(""), "N1", "N2"},
	} {
		f := newFixture()
		key := func(evt any, notice string) string {
			evs, err := f.Translate(from(notice), evt)
			if err != nil || len(evs) != 1 || evs[0].Random {
				t.Fatalf("%s: %v, %v", name, evs, err)
			}
			return evs[0].Key
		}
		first := key(c.first, c.a)
		if key(c.again, c.a) != first {
			t.Errorf("%s: a redelivery has another id", name)
		}
		if key(c.other, c.b) == first {
			t.Errorf("%s: two changes have one id", name)
		}
	}
	// Nothing tells one from another: each is an event of its own.
	f := newFixture()
	if a, b := f.must(t, joined(""))[0], f.must(t, joined(""))[0]; a.Key == b.Key || !a.Random {
		t.Errorf("joined twice: %s and %s", a.Key, b.Key)
	}
}

// TestApprovalMode is read from the stanza: the library says on whatever it is.
func TestApprovalMode(t *testing.T) {
	for state, want := range map[string]string{"on": `"joinApprovalMode":true`, "off": `"joinApprovalMode":false`, "other": ""} {
		stanza := &waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"id": "N1"}, Content: []waBinary.Node{{
			Tag: "membership_approval_mode", Content: []waBinary.Node{{Tag: "group_join", Attrs: waBinary.Attrs{"state": state}}}}}}
		evs, err := newFixture().Translate(WithStanza(t.Context(), stanza), &events.GroupInfo{
			JID: team, Sender: &bobLID, SenderPN: &bobPN, Timestamp: second(0), MembershipApprovalMode: &types.GroupMembershipApprovalMode{IsJoinApprovalRequired: true}})
		switch {
		case err != nil || want == "" && len(evs) > 0:
			t.Errorf("%s: %v, %v", state, evs, err)
		case want != "" && (len(evs) != 1 || data(evs[0]) != `[{"id":"120363025846172094@g.us",`+want+`,`+byBob+`}]`):
			t.Errorf("%s: %v", state, evs)
		}
	}
}

// TestChangesOfPersons: who asks to join, is refused, or has another number.
func TestChangesOfPersons(t *testing.T) {
	person := func(attrs waBinary.Attrs) waBinary.Node { return waBinary.Node{Tag: "participant", Attrs: attrs} }
	alice := person(waBinary.Attrs{"jid": aliceLID, "phone_number": alicePN})
	aliceSaid := `"participants":[{"id":"204813927440123@lid","phoneNumber":"15550100123@s.whatsapp.net","admin":null}]`
	bobSaid := `"participants":[{"id":"118302945561077@lid","phoneNumber":"15550100456@s.whatsapp.net","admin":null}]`
	for name, c := range map[string]struct {
		node waBinary.Node
		want string
	}{
		"asks to join":         {waBinary.Node{Tag: "created_membership_requests", Attrs: waBinary.Attrs{"request_method": "invite_link"}}, bobSaid + `,"action":"request","method":"invite_link"`},
		"asks himself":         {waBinary.Node{Tag: "membership_approval_request", Attrs: waBinary.Attrs{"request_method": "linked_group_join"}}, bobSaid + `,"action":"request","method":"linked_group_join"`},
		"asks for another":     {waBinary.Node{Tag: "created_membership_requests", Content: []waBinary.Node{{Tag: "requested_user", Attrs: waBinary.Attrs{"jid": aliceLID}}}}, aliceSaid + `,"action":"request"`},
		"takes it back":        {waBinary.Node{Tag: "revoked_membership_requests", Content: []waBinary.Node{person(waBinary.Attrs{"jid": bobPN, "lid": bobLID})}}, `"participants":[{"id":"15550100456@s.whatsapp.net","lid":"118302945561077@lid","admin":null}],"action":"request_revoked"`},
		"is refused":           {waBinary.Node{Tag: "revoked_membership_requests", Content: []waBinary.Node{alice}}, aliceSaid + `,"action":"request_rejected"`},
		"has another number":   {waBinary.Node{Tag: "modify", Content: []waBinary.Node{alice}}, aliceSaid + `,"action":"modify"`},
		"nobody is news":       {waBinary.Node{Tag: "growth_locked"}, ""},
		"without addresses":    {waBinary.Node{Tag: "modify", Content: []waBinary.Node{{Tag: "participant", Attrs: waBinary.Attrs{"jid": "x"}}}}, bobSaid + `,"action":"modify"`},
		"mode without content": {waBinary.Node{Tag: "member_add_mode"}, ""},
	} {
		evs := newFixture().must(t, &events.GroupInfo{JID: team, Sender: &bobLID, SenderPN: &bobPN, Timestamp: second(0), UnknownChanges: []*waBinary.Node{&c.node}})
		switch {
		case c.want == "" && len(evs) > 0:
			t.Errorf("%s: %s", name, evs[0].Body)
		case c.want != "" && (len(evs) != 1 || data(evs[0]) != `[{"id":"120363025846172094@g.us",`+byBob+`,`+c.want+`}]`):
			t.Errorf("%s: %v, want %s", name, evs, c.want)
		}
	}
}
