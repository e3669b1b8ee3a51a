package translate

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waSyncAction"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"waoutbox/outbox"
)

// The people of the golden bodies.
var (
	self     = Self{PN: deviceJID("15550100999", 7, types.DefaultUserServer), LID: deviceJID("77203948571236", 7, types.HiddenUserServer)}
	aliceLID = types.NewJID("204813927440123", types.HiddenUserServer)
	alicePN  = types.NewJID("15550100123", types.DefaultUserServer)
	bobLID   = types.NewJID("118302945561077", types.HiddenUserServer)
	bobPN    = types.NewJID("15550100456", types.DefaultUserServer)
	team     = types.NewJID("120363025846172094", types.GroupServer)
)

func deviceJID(user string, device uint16, server string) types.JID {
	return types.JID{User: user, Device: device, Server: server}
}

// contacts returns from a fixed address book.
type contacts map[types.JID]types.JID

func (c contacts) AltJID(_ context.Context, jid types.JID) types.JID { return c[jid] }

func knownContacts() contacts {
	return contacts{aliceLID: alicePN, alicePN: aliceLID, bobLID: bobPN, bobPN: bobLID}
}

// second is the i-th second of the golden bodies' minute.
func second(i int) time.Time { return time.Unix(1735689600+int64(i), 0) }

// created is when the golden body number i was made.
func created(i int) time.Time { return second(i).Add(417 * time.Millisecond) }

// stepClock gives the set times one after the other, the last one for ever.
type stepClock struct{ times []time.Time }

func (c *stepClock) set(times ...time.Time) { c.times = times }

func (c *stepClock) now() time.Time {
	at := c.times[0]
	if len(c.times) > 1 {
		c.times = c.times[1:]
	}
	return at
}

// fixture is a translator of the golden account with all there is to steer it.
type fixture struct {
	*Translator
	clock  *stepClock
	book   contacts
	self   *Self
	alarms *[]Alarm
	given  *[]reflect.Type // the types of the events that must was given
}

func newFixture(opts ...Option) fixture {
	f := fixture{clock: &stepClock{}, book: knownContacts(), self: new(self), alarms: new([]Alarm), given: new([]reflect.Type)}
	f.clock.set(created(0))
	var mu sync.Mutex
	opts = append(opts, WithAlarm(func(a Alarm) {
		mu.Lock()
		defer mu.Unlock()
		*f.alarms = append(*f.alarms, a)
	}))
	f.Translator = New(func() Self { return *f.self }, f.book, f.clock.now, opts...)
	return f
}

// must translates an event that is no bug.
func (f fixture) must(t testing.TB, evt any) []outbox.Event {
	t.Helper()
	return f.mustFrom(t, nil, evt)
}

// mustFrom is must for an event of which the stanza is known.
func (f fixture) mustFrom(t testing.TB, stanza *waBinary.Node, evt any) []outbox.Event {
	t.Helper()
	*f.given = append(*f.given, reflect.TypeOf(evt))
	evs, err := f.Translate(WithStanza(t.Context(), stanza), evt)
	if err != nil {
		t.Fatal(err)
	}
	return evs
}

func direct(i int, id string) types.MessageInfo {
	return types.MessageInfo{
		MessageSource: types.MessageSource{Chat: aliceLID, Sender: deviceJID(aliceLID.User, 3, aliceLID.Server), SenderAlt: deviceJID(alicePN.User, 3, alicePN.Server), AddressingMode: types.AddressingModeLID},
		ID:            "3A5F0C91B7D24E68A1" + id, PushName: "Alice", Timestamp: second(i - 1), Type: "text",
	}
}

func inGroup(i int, id string) types.MessageInfo {
	return types.MessageInfo{
		MessageSource: types.MessageSource{Chat: team, IsGroup: true, Sender: deviceJID(bobLID.User, 2, bobLID.Server), SenderAlt: deviceJID(bobPN.User, 2, bobPN.Server), AddressingMode: types.AddressingModeLID},
		ID:            "AC0B4F6E2D9C41E7A3B8D5F01C2E7A" + id, PushName: "Bob", Timestamp: second(i - 1), Type: "text",
	}
}

func arrived(info types.MessageInfo, m *waE2E.Message) *events.Message {
	return (&events.Message{Info: info, RawMessage: m}).UnwrapRaw()
}

// votes opens every poll vote as one for the golden option.
type votes struct{ Secrets }

func (votes) DecryptPollVote(context.Context, *events.Message) (*waE2E.PollVoteMessage, error) {
	return &waE2E.PollVoteMessage{SelectedOptions: [][]byte{b64("8SlYgWpJrfosbI3o3SFEwWPpLF43Xelk1TMYfH0jbDY=")}}, nil
}

// goldenCase makes one golden body from an event of the library; pick is the
// place of the body among the events that come out, of how many.
type goldenCase struct {
	body     string
	no       int // number of the body: fixes its time
	pick, of int
	make     func(t *testing.T, f fixture) []outbox.Event
}

func goldenCases() []goldenCase {
	sent := goldenMessages()
	one := func(body string, no int, evt any) goldenCase {
		return goldenCase{body, no, 0, 1, func(t *testing.T, f fixture) []outbox.Event { return f.must(t, evt) }}
	}
	group := func(body string, no int, g events.GroupInfo) goldenCase {
		g.JID, g.Timestamp = team, second(no-1)
		if g.Sender == nil {
			g.Sender, g.SenderPN = &bobLID, &bobPN
		}
		return one(body, no, &g)
	}
	cases := []goldenCase{
		one("message.received-missed-call", 27, &events.CallTerminate{Reason: "timeout", BasicCallMeta: types.BasicCallMeta{
			From: aliceLID, CallCreator: deviceJID(aliceLID.User, 3, aliceLID.Server), CallCreatorAlt: alicePN, CallID: "E2B7A1C9D40F4C6B9A51", Timestamp: second(26)}}),
		one("message.received-missed-call", 27, &events.UnknownCallEvent{Node: callStanza(
			"transport", "", "E2B7A1C9D40F4C6B9A51", "terminate", "timeout", "E2B7A1C9D40F4C6B9A51")}),
		one("message.received-view-once-unavailable", 20, &events.UndecryptableMessage{Info: direct(20, "20"), IsUnavailable: true, UnavailableType: events.UnavailableTypeViewOnce}),
		one("message.received-undecryptable", 21, &events.UndecryptableMessage{Info: inGroup(21, "96")}),
		one("message.received-recovered", 22, func() *events.Message {
			info := inGroup(22, "96")
			info.AddressingMode, info.SenderAlt, info.Sender = "", types.JID{}, bobLID
			evt := arrived(info, sent["message.received-recovered"])
			evt.SourceWebMsg = &waWeb.WebMessageInfo{Key: &waCommon.MessageKey{ID: proto.String(info.ID)}}
			evt.UnavailableRequestID = "3EB05D1F0A77C21E9A4410"
			return evt
		}()),
		one("message.received-newsletter", 25, arrived(types.MessageInfo{
			MessageSource: types.MessageSource{Chat: types.NewJID("120363171744447809", types.NewsletterServer), Sender: types.NewJID("120363171744447809", types.NewsletterServer)},
			ID:            "7C2F9E41D05B4A1CB6A8", ServerID: 412, Timestamp: second(24)}, sent["message.received-newsletter"])),
		one("message.received-status", 26, arrived(func() types.MessageInfo {
			info := direct(26, "23")
			info.Chat, info.IsGroup = types.StatusBroadcastJID, true
			return info
		}(), sent["message.received-status"])),
		one("message.sent-from-phone", 30, arrived(types.MessageInfo{
			MessageSource: types.MessageSource{Chat: aliceLID, Sender: deviceJID(self.LID.User, 0, self.LID.Server), IsFromMe: true, RecipientAlt: alicePN, AddressingMode: types.AddressingModeLID},
			ID:            "AC5E0B7D1F2A4C86B3D9E7F00A1B2C3D", PushName: "Shop", Timestamp: second(29)},
			&waE2E.Message{
				MessageContextInfo: sent["message.sent-from-phone"].MessageContextInfo,
				DeviceSentMessage: &waE2E.DeviceSentMessage{
					DestinationJID: proto.String(aliceLID.String()),
					Message:        &waE2E.Message{Conversation: sent["message.sent-from-phone"].Conversation},
				},
			})),
		{"message.sent-text", 28, 0, 1, func(t *testing.T, f fixture) []outbox.Event {
			evs, err := f.Sent(t.Context(), whatsmeow.SendResponse{ID: "3EB0C431C26A1916E07A5D", Timestamp: second(27), Sender: self.LID, Chat: aliceLID}, sent["message.sent-text"])
			return sureAll(t, evs, err)
		}},
		{"message.sent-group-image", 29, 0, 1, func(t *testing.T, f fixture) []outbox.Event {
			evs, err := f.Sent(t.Context(), whatsmeow.SendResponse{ID: "3EB0F00D5C8842B19E7710", Timestamp: second(28), Sender: self.LID, Chat: team}, sent["message.sent-group-image"])
			return sureAll(t, evs, err)
		}},
		{"message.update-error", 38, 0, 1, func(t *testing.T, f fixture) []outbox.Event {
			ev, err := f.SendFailed(t.Context(), aliceLID, types.JID{}, "3EB0C431C26A1916E07A61", "479")
			return sure(t, ev, err)
		}},

		one("message.update-delivered", 31, receiptOf(31, "", "3EB0C431C26A1916E07A5D")),
		one("message.update-read", 32, receiptOf(32, types.ReceiptTypeRead, "3EB0C431C26A1916E07A5E", "3EB0C431C26A1916E07A5D")),
		one("message.update-played", 33, receiptOf(33, types.ReceiptTypePlayed, "3EB0C431C26A1916E07A60")),
		one("message.update-read-on-own-device", 34, func() *events.Receipt {
			r := receiptOf(34, types.ReceiptTypeRead, "3A5F0C91B7D24E68A113")
			r.Sender, r.SenderAlt, r.RecipientAlt, r.IsFromMe = deviceJID(self.LID.User, 0, self.LID.Server), types.JID{}, alicePN, true
			return r
		}()),
		one("message.update-group-receipt", 35, &events.Receipt{
			MessageSource: types.MessageSource{Chat: team, IsGroup: true, Sender: deviceJID(bobLID.User, 2, bobLID.Server), AddressingMode: types.AddressingModeLID},
			MessageIDs:    []string{"3EB0F00D5C8842B19E7710"}, Timestamp: second(34), Type: types.ReceiptTypeRead}),
		one("message.update-starred", 39, &events.Star{ChatJID: aliceLID, MessageID: "3A5F0C91B7D24E68A113", Timestamp: second(38), Action: &waSyncAction.StarAction{Starred: proto.Bool(true)}}),

		{"connection.update-connecting", 41, 0, 1, func(_ *testing.T, f fixture) []outbox.Event { return []outbox.Event{f.Connecting()} }},
		one("connection.update-qr", 42, &events.QR{Codes: []string{
			"https://wa.me/settings/linked_devices#2@iuWpunToXVGh3RqR8cOCXY7UckAtaLLH,Y5U2/jBVuhx+al/FMhn2HMZWCyBF0276UtpehUdRiYA=,h4QNS4SQM4wCHE658gV09wo84k1ZrqGxrQUYHz7x3eo=,0Fo7PHwO94xF6WlpOp2EjgyVj/CXL0YbUnREqT9kf74=,9", "second"}}),
		one("connection.update-new-login", 43, &events.PairSuccess{ID: self.PN, LID: self.LID}),
		one("connection.update-open", 44, &events.Connected{}),
		{"connection.update-offline-synced", 45, 0, 1, func(t *testing.T, f fixture) []outbox.Event {
			f.clock.set(created(44))
			f.must(t, &events.Connected{})
			f.clock.set(created(45))
			return f.must(t, &events.OfflineSyncCompleted{})
		}},
		{"connection.update-close", 46, 0, 2, func(t *testing.T, f fixture) []outbox.Event {
			f.clock.set(second(45), created(46))
			return f.must(t, &events.Disconnected{})
		}},
		{"connection.update-connecting", 41, 1, 2, func(t *testing.T, f fixture) []outbox.Event {
			f.clock.set(second(40), created(40), created(41))
			return f.must(t, &events.Disconnected{})
		}},
		{"connection.update-logged-out", 47, 0, 1, func(t *testing.T, f fixture) []outbox.Event {
			f.clock.set(second(46), created(47))
			return f.must(t, &events.LoggedOut{OnConnect: true, Reason: events.ConnectFailureLoggedOut})
		}},
		{"connection.update-replaced", 48, 0, 1, func(t *testing.T, f fixture) []outbox.Event {
			f.clock.set(second(47), created(48))
			return f.must(t, &events.StreamReplaced{})
		}},
		{"connection.update-gap", 65, 0, 1, func(t *testing.T, f fixture) []outbox.Event {
			f.clock.set(second(45), created(46))
			f.must(t, &events.Disconnected{})
			f.clock.set(created(62))
			f.must(t, &events.Connected{})
			f.must(t, &events.OfflineSyncPreview{Total: 12})
			f.clock.set(created(65))
			return f.must(t, &events.OfflineSyncCompleted{Count: 12})
		}},

		group("group.update-subject", 50, events.GroupInfo{Name: &types.GroupName{Name: "Team <launch> & ops", NameSetAt: second(49), NameSetBy: bobLID, NameSetByPN: bobPN}}),
		group("group.update-description", 51, events.GroupInfo{Topic: &types.GroupTopic{Topic: "Daily stand-up 09:30", TopicID: "3EB09E1D22", TopicSetAt: second(50), TopicSetBy: bobLID}}),
		group("group.update-announce", 52, events.GroupInfo{Announce: &types.GroupAnnounce{IsAnnounce: true}}),
		group("group.update-restrict", 53, events.GroupInfo{Locked: &types.GroupLocked{}}),
		group("group.update-ephemeral", 54, events.GroupInfo{Ephemeral: &types.GroupEphemeral{IsEphemeral: true, DisappearingTimer: 604800}}),
		group("group.update-invite-code", 55, events.GroupInfo{NewInviteLink: proto.String("https://chat.whatsapp.com/Jk2Vq8ZpW1xE4tLr9sYb3N")}),
		group("group.update-participants-add", 56, events.GroupInfo{Join: []types.JID{aliceLID}}),
		group("group.update-participants-leave", 57, events.GroupInfo{Leave: []types.JID{aliceLID}, Sender: &aliceLID, SenderPN: &alicePN}),
		group("group.update-participants-promote", 58, events.GroupInfo{Promote: []types.JID{aliceLID}}),
		group("group.update-deleted", 66, events.GroupInfo{Delete: &types.GroupDelete{Deleted: true}}),
		group("group.update-suspended", 67, events.GroupInfo{Suspended: true}),
		group("group.update-number-change", 68, events.GroupInfo{Sender: &aliceLID, SenderPN: &alicePN, UnknownChanges: []*waBinary.Node{{Tag: "modify", Content: []waBinary.Node{{Tag: "participant", Attrs: waBinary.Attrs{"jid": aliceLID}}}}}}),
		group("group.update-join-request", 69, events.GroupInfo{Sender: &aliceLID, SenderPN: &alicePN, UnknownChanges: []*waBinary.Node{{Tag: "created_membership_requests", Attrs: waBinary.Attrs{"request_method": "invite_link"}}}}),
		{"group.update-approval-mode", 70, 0, 1, func(t *testing.T, f fixture) []outbox.Event {
			stanza := &waBinary.Node{Tag: "notification", Content: []waBinary.Node{{Tag: "membership_approval_mode", Content: []waBinary.Node{{Tag: "group_join", Attrs: waBinary.Attrs{"state": "on"}}}}}}
			return f.mustFrom(t, stanza, &events.GroupInfo{JID: team, Sender: &bobLID, SenderPN: &bobPN, Timestamp: second(69), MembershipApprovalMode: &types.GroupMembershipApprovalMode{IsJoinApprovalRequired: true}})
		}},
		one("message.received-number-change", 75, &events.Message{
			Info: types.MessageInfo{ID: "1735689674-7", Timestamp: second(74), MessageSource: types.MessageSource{Chat: alicePN, Sender: alicePN, SenderAlt: aliceLID}},
			SourceWebMsg: &waWeb.WebMessageInfo{MessageStubType: waWeb.WebMessageInfo_INDIVIDUAL_CHANGE_NUMBER.Enum(),
				MessageStubParameters: []string{alicePN.String(), "15550100777@s.whatsapp.net"}}}),
		one("message.update-channel-message-deleted", 74, arrived(types.MessageInfo{
			MessageSource: types.MessageSource{Chat: types.NewJID("120363171744447809", types.NewsletterServer), Sender: types.NewJID("120363171744447809", types.NewsletterServer)},
			ID:            "7C2F9E41D05B4A1CB6A8", ServerID: 412, Timestamp: second(73), Edit: types.EditAttributeAdminRevoke}, &waE2E.Message{})),
		one("group.update-joined", 59, joinedSuppliers()),

		one("presence.update-available", 60, &events.Presence{From: aliceLID}),
		one("presence.update-unavailable", 61, &events.Presence{From: aliceLID, Unavailable: true, LastSeen: second(60)}),
		one("presence.update-composing", 62, typing(types.ChatPresenceComposing, types.ChatPresenceMediaText)),
		one("presence.update-recording", 63, typing(types.ChatPresenceComposing, types.ChatPresenceMediaAudio)),
		one("presence.update-group-paused", 64, &events.ChatPresence{State: types.ChatPresencePaused, MessageSource: types.MessageSource{Chat: team, IsGroup: true, Sender: deviceJID(bobLID.User, 2, bobLID.Server)}}),
	}
	for name, info := range map[string]struct {
		no   int
		info types.MessageInfo
	}{
		"text":             {1, direct(1, "13")},
		"text-reply":       {2, direct(2, "14")},
		"group-text":       {3, inGroup(3, "90")},
		"image":            {4, direct(4, "15")},
		"video":            {5, inGroup(5, "91")},
		"audio-ptt":        {6, direct(6, "16")},
		"document":         {7, direct(7, "17")},
		"sticker":          {8, inGroup(8, "92")},
		"contact":          {9, direct(9, "18")},
		"location":         {10, direct(10, "19")},
		"live-location":    {11, inGroup(11, "93")},
		"reaction":         {12, direct(12, "1A")},
		"reaction-removed": {13, direct(13, "1B")},
		"poll":             {14, inGroup(14, "94")},
		"ephemeral":        {18, direct(18, "1E")},
		"view-once":        {19, direct(19, "1F")},
		"buttons-response": {23, direct(23, "21")},
		"list-response":    {24, direct(24, "22")},
		"status-mention":   {71, inGroup(71, "97")},
		"limit-sharing":    {72, inGroup(72, "98")},
		"member-label":     {73, inGroup(73, "99")},
	} {
		body := "message.received-" + name
		cases = append(cases, one(body, info.no, arrived(info.info, sent[body])))
	}
	// One event of the library, two bodies.
	for _, c := range []struct {
		received, update string
		first, second    int
		info             types.MessageInfo
	}{
		{"message.received-edit", "message.update-edit", 16, 36, direct(16, "1C")},
		{"message.received-revoke", "message.update-revoke", 17, 37, direct(17, "1D")},
		{"message.received-poll-vote", "message.update-poll-vote", 15, 40, inGroup(15, "95")},
	} {
		both := func(t *testing.T, f fixture) []outbox.Event {
			f.clock.set(created(c.first), created(c.second))
			return f.must(t, arrived(c.info, goldenMessages()[c.received]))
		}
		cases = append(cases, goldenCase{c.received, c.first, 0, 2, both}, goldenCase{c.update, c.second, 1, 2, both})
	}
	return cases
}

func sure(t *testing.T, ev outbox.Event, err error) []outbox.Event {
	t.Helper()
	return sureAll(t, []outbox.Event{ev}, err)
}

func sureAll(t *testing.T, evs []outbox.Event, err error) []outbox.Event {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return evs
}

func receiptOf(no int, typ types.ReceiptType, ids ...string) *events.Receipt {
	return &events.Receipt{
		MessageSource: types.MessageSource{Chat: aliceLID, Sender: deviceJID(aliceLID.User, 3, aliceLID.Server), AddressingMode: types.AddressingModeLID},
		MessageIDs:    ids, Timestamp: second(no - 1), Type: typ,
	}
}

func typing(state types.ChatPresence, media types.ChatPresenceMedia) *events.ChatPresence {
	return &events.ChatPresence{State: state, Media: media, MessageSource: types.MessageSource{Chat: aliceLID, Sender: deviceJID(aliceLID.User, 3, aliceLID.Server)}}
}

func joinedSuppliers() *events.JoinedGroup {
	return &events.JoinedGroup{Sender: &bobLID, SenderPN: &bobPN, GroupInfo: types.GroupInfo{
		JID: types.NewJID("120363041122334455", types.GroupServer), OwnerJID: bobLID, OwnerPN: bobPN, AddressingMode: types.AddressingModeLID,
		GroupName:            types.GroupName{Name: "Suppliers", NameSetAt: second(0), NameSetBy: bobLID},
		GroupCreated:         second(0),
		ParticipantVersionID: "1735689600",
		Participants: []types.GroupParticipant{
			{JID: bobLID, LID: bobLID, PhoneNumber: bobPN, IsAdmin: true, IsSuperAdmin: true},
			{JID: BareJID(self.LID), LID: BareJID(self.LID), PhoneNumber: BareJID(self.PN)},
		},
	}}
}

var update = flag.Bool("update", false, "rewrite testdata/events: receivers depend on every byte of a body that was released")

// TestGoldenBodies holds every body byte for byte. Write the body of a new event with -update, and
// read it: the bodies that are there do not change.
//
// Mutation of connection/wajson/encode.go: an escape that JSON does not need.
func TestGoldenBodies(t *testing.T) {
	covered := map[string]bool{"connection.update-test": true} // TestTestBody
	for _, c := range goldenCases() {
		covered[c.body] = true
		t.Run(c.body, func(t *testing.T) {
			file := filepath.Join("testdata", "events", c.body+".json")
			f := newFixture(WithSecrets(func() Secrets { return votes{} }))
			f.clock.set(created(c.no))
			evs := c.make(t, f)
			if len(evs) != c.of {
				t.Fatalf("%d events, want %d", len(evs), c.of)
			}
			ev := evs[c.pick]
			if *update {
				if err := os.WriteFile(file, ev.Body, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(ev.Body, want) {
				t.Errorf("body\n%s\nwant\n%s", ev.Body, want)
			}
			name, _, _ := strings.Cut(c.body, "-")
			if ev.Name != name || !ev.Time.Equal(created(c.no)) || ev.Account != "15550100999@s.whatsapp.net" || ev.Chat == "" {
				t.Errorf("event is %s at %v of %s in %q", ev.Name, ev.Time, ev.Account, ev.Chat)
			}
			info := Catalog()[slices.IndexFunc(Catalog(), func(e EventInfo) bool { return e.Name == ev.Name })]
			if kind := outbox.ChatKind(ev.Chat); !slices.Contains(info.Kinds, kind) && (kind != "" || len(info.Kinds) > 0) {
				t.Errorf("%s in %s is of the kind %q, the catalogue knows %q", ev.Name, ev.Chat, kind, info.Kinds)
			}
			if random := ev.Name == ConnectionUpdate || ev.Name == PresenceUpdate; ev.Random != random || !eventIDPattern.MatchString(ev.Key) {
				t.Errorf("id %q, random %v", ev.Key, ev.Random)
			}
			if len(*f.alarms) > 0 {
				t.Errorf("alarms: %v", *f.alarms)
			}
		})
	}
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) != 75 {
		t.Fatalf("%d golden bodies (%v), want 75", len(files), err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); !covered[name] {
			t.Errorf("no event makes the golden body %s", name)
		}
	}
}

func TestTestBody(t *testing.T) {
	want, err := os.ReadFile("testdata/events/connection.update-test.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := TestBody("", created(49)); !bytes.Equal(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}
