package connection

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
)

// ackRig is a client of the library with the settings of a session, linked to the simulator, whose
// event handler returns what a test wants.
type ackRig struct {
	*rig
	bob   *wasim.Contact
	group *wasim.Group
	n     int // stanzas so far

	mu      sync.Mutex
	refuse  func(evt any) bool // the events under test
	returns bool               // what the handler returns for them
	got     []any              // the events under test that came
}

func newAckRig(t *testing.T) *ackRig {
	r := &ackRig{rig: linkedRig(t), refuse: func(any) bool { return false }}
	ctx := bounded(t)
	r.bob = r.acc.NewContact("Bob", "15550100123")
	r.group = r.acc.NewGroup("Team", r.bob)
	// so that every collection is fetched before the changes under test
	must(t, r.acc.SetPushName(ctx, "Shop"))
	for _, patch := range firstPatches(r) {
		must(t, r.acc.ChangeState(ctx, patch))
	}
	must(t, r.acc.WaitDrained(ctx))
	dev, err := r.dev.Current(ctx)
	must(t, err)
	for _, name := range []appstate.WAPatchName{appstate.WAPatchCriticalBlock, appstate.WAPatchRegularHigh, appstate.WAPatchRegularLow, appstate.WAPatchRegular} {
		eventually(t, "the first sync of "+string(name), func() bool {
			version, _, err := dev.AppState.GetAppStateVersion(ctx, string(name))
			must(t, err)
			return version > 1 // what was there before is one, the change another
		})
	}
	r.stop()

	r.build(r.sim.URL(), r.sim.RootKey())
	dev, err = r.dev.Current(ctx)
	must(t, err)
	link, cancel := context.WithCancel(context.Background())
	s := r.newSession(link, dev)
	s.cli.AddEventHandlerWithSuccessStatus(r.handle)
	must(t, s.connect(ctx))
	t.Cleanup(func() {
		s.disconnect()
		cancel()
		r.http.CloseIdleConnections()
		must(t, r.dev.Close())
	})
	must(t, r.acc.WaitOnline(ctx))
	return r
}

func (r *ackRig) handle(evt any) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.refuse(evt) {
		return true
	}
	r.got = append(r.got, evt)
	return r.returns
}

// acked sends a stanza whose event is refused or not, and reports whether the stanza was
// acknowledged, with the event. A stanza sent after it whose acknowledgement nothing holds up tells
// when to look: the library handles stanzas one after the other.
func (r *ackRig) acked(t *testing.T, typ reflect.Type, returns bool, send func() (id string)) (evt any, acked bool) {
	t.Helper()
	ctx := bounded(t)
	r.mu.Lock()
	r.got, r.returns, r.refuse = nil, returns, func(evt any) bool {
		receipt, ok := evt.(*events.Receipt)
		return reflect.TypeOf(evt) == typ && !(ok && receipt.IsGroup && receipt.MessageIDs[0] != firstPart)
	}
	r.mu.Unlock()
	id := send()
	eventually(t, fmt.Sprintf("%v", typ), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.got) > 0
	})
	marker := r.id()
	must(t, r.acc.SendStanza(ctx, notice(marker, "marker")))
	eventually(t, "the stanza after it", func() bool { return r.wasAcked(marker) })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = func(any) bool { return false }
	return r.got[0], r.wasAcked(id)
}

// firstPart is the message the first part of a grouped receipt names.
const firstPart = "3EB0D0"

func (r *ackRig) wasAcked(id string) bool {
	return slices.ContainsFunc(r.acc.Acked(), func(a wasim.Ack) bool { return a.ID == id })
}

// syncs are the announcements of changes of the synced state. Pending ones are read first: what is
// acknowledged meanwhile is in both lists rather than in none.
func (r *ackRig) syncs() map[string]bool {
	ids := make(map[string]bool)
	for _, a := range append(r.acc.Pending(), r.acc.Acked()...) {
		if a.Type == "server_sync" {
			ids[a.ID] = true
		}
	}
	return ids
}

func (r *ackRig) id() string {
	r.n++
	return fmt.Sprintf("TEST%d", r.n)
}

// notice is a notification of the server.
func notice(id, kind string, content ...waBinary.Node) waBinary.Node {
	return waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"id": id, "from": types.ServerJID, "type": kind, "t": fmt.Sprint(time.Now().Unix())}, Content: content}
}

func tag(name string, attrs waBinary.Attrs, content any) waBinary.Node {
	return waBinary.Node{Tag: name, Attrs: attrs, Content: content}
}

func parsed(t *testing.T, s string) types.JID {
	t.Helper()
	jid, err := types.ParseJID(s)
	must(t, err)
	return jid
}

// firstPatches start the collections the cases below change.
func firstPatches(r *ackRig) []appstate.PatchInfo {
	chat := parsed(r.t, r.bob.LID())
	return []appstate.PatchInfo{
		appstate.BuildMute(chat, true, time.Hour), // regular_high
		appstate.BuildArchive(chat, true, time.Time{}, nil),
		appstate.BuildLabelEdit("1", "first", 0, false),
	}
}

// TestAcknowledgementsAreWhatTheLibraryDoes drives the pinned library: what it acknowledges when
// the handler returns false, and when true, is what the table says of the type. A library that
// changes its mind loses events silently, or has them sent again for ever.
//
// Mutation of session.go: the library acknowledges beside the handler.
func TestAcknowledgementsAreWhatTheLibraryDoes(t *testing.T) {
	r := newAckRig(t)
	ctx := bounded(t)
	bob, team, own := parsed(t, r.bob.LID()), parsed(t, r.group.JID()), parsed(t, r.acc.PN())
	now := fmt.Sprint(time.Now().Unix())

	stanza := func(n waBinary.Node) func() string {
		return func() string {
			n.Attrs["id"] = r.id()
			must(t, r.acc.SendStanza(ctx, n))
			return n.Attrs["id"].(string)
		}
	}
	call := func(kind string) func() string {
		return stanza(tag("call", waBinary.Attrs{"from": bob, "t": now}, []waBinary.Node{
			tag(kind, waBinary.Attrs{"call-id": "C1", "call-creator": bob, "reason": "timeout"}, nil)}))
	}
	server := func(kind string, content ...waBinary.Node) func() string {
		return stanza(notice("", kind, content...))
	}
	mex := func(data string) func() string {
		return server("mex", tag("update", waBinary.Attrs{"op_name": "x"}, []byte(`{"data":`+data+`}`)))
	}
	// what the phone changes in the synced state: its announcement is what is acknowledged
	state := func(patch func() appstate.PatchInfo) func() string {
		return func() string {
			before := r.syncs()
			must(t, r.acc.ChangeState(ctx, patch()))
			for id := range r.syncs() {
				if !before[id] {
					return id
				}
			}
			t.Fatal("the change was not announced")
			return ""
		}
	}
	sent := func(id string, err error) string {
		must(t, err)
		return id
	}
	type sender = func() string

	for _, c := range []struct {
		what string
		evt  any
		send sender
		want translate.AckMode
	}{
		{"message", &events.Message{}, func() string { return sent(r.bob.SendText(ctx, "x")) }, translate.AckByHandler},
		{"group message", &events.Message{}, func() string { return sent(r.bob.SendGroupText(ctx, r.group, "x")) }, translate.AckByHandler},
		{"message of the phone", &events.Message{}, func() string { return sent(r.acc.PhoneSendText(ctx, r.bob, "x")) }, translate.AckByHandler},
		{"channel message", &events.Message{}, stanza(tag("message", waBinary.Attrs{"from": types.NewJID("120363171744447809", types.NewsletterServer), "t": now, "server_id": "1"},
			[]waBinary.Node{tag("plaintext", nil, encoded(t, &waE2E.Message{Conversation: proto.String("x")}))})), translate.AckByHandler},
		{"the phone's copy of an unreadable message", &events.Message{}, func() string { return sent(r.acc.PhoneSend(ctx, r.bob, phoneCopyOf(t, bob))) }, translate.AckAlways},
		{"unavailable message", &events.UndecryptableMessage{}, stanza(tag("message", waBinary.Attrs{"from": bob, "t": now, "type": "text"},
			[]waBinary.Node{tag("unavailable", waBinary.Attrs{"type": "view_once"}, nil)})), translate.AckAlways},

		{"receipt", &events.Receipt{}, stanza(tag("receipt", waBinary.Attrs{"from": bob, "t": now, "type": "read"}, nil)), translate.AckByHandler},
		// of a grouped receipt, whose parts look like any receipt of a group, only the last one
		// counts
		{"first part of a grouped receipt", &events.Receipt{}, stanza(tag("receipt", waBinary.Attrs{"from": team, "t": now, "type": "read"}, []waBinary.Node{
			tag("participants", waBinary.Attrs{"key": firstPart}, []waBinary.Node{tag("user", waBinary.Attrs{"jid": bob, "t": now}, nil)}),
			tag("participants", waBinary.Attrs{"key": "3EB0D1"}, []waBinary.Node{tag("user", waBinary.Attrs{"jid": bob, "t": now}, nil)}),
		})), translate.AckAlways},
		{"request to send again", &events.Receipt{}, stanza(tag("receipt", waBinary.Attrs{"from": bob, "t": now, "type": "retry"}, nil)), translate.AckAlways},

		{"offer", &events.CallOffer{}, call("offer"), translate.AckAlways},
		{"offer notice", &events.CallOfferNotice{}, call("offer_notice"), translate.AckAlways},
		{"accept", &events.CallAccept{}, call("accept"), translate.AckAlways},
		{"reject", &events.CallReject{}, call("reject"), translate.AckAlways},
		{"terminate", &events.CallTerminate{}, call("terminate"), translate.AckAlways},
		{"preaccept", &events.CallPreAccept{}, call("preaccept"), translate.AckAlways},
		{"transport", &events.CallTransport{}, call("transport"), translate.AckAlways},
		{"relay latency", &events.CallRelayLatency{}, call("relaylatency"), translate.AckAlways},
		{"unknown call", &events.UnknownCallEvent{}, call("other"), translate.AckAlways},

		{"group change", &events.GroupInfo{}, stanza(tag("notification", waBinary.Attrs{"from": team, "participant": bob, "type": "w:gp2", "t": now},
			[]waBinary.Node{tag("announcement", waBinary.Attrs{"v_id": "1"}, nil)})), translate.AckByHandler},
		{"joined a group", &events.JoinedGroup{}, stanza(tag("notification", waBinary.Attrs{"from": team, "participant": bob, "type": "w:gp2", "t": now},
			[]waBinary.Node{tag("create", waBinary.Attrs{"type": "new", "key": "k"}, []waBinary.Node{
				tag("group", waBinary.Attrs{"id": team.User, "creation": now, "creator": bob, "subject": "Team", "s_t": now, "s_o": bob}, nil)})})), translate.AckByHandler},
		{"picture", &events.Picture{}, stanza(tag("notification", waBinary.Attrs{"from": team, "type": "picture", "t": now},
			[]waBinary.Node{tag("set", waBinary.Attrs{"jid": team, "id": "1"}, nil)})), translate.AckAlways},

		{"own blocklist", &events.Blocklist{}, server("account_sync", tag("blocklist", waBinary.Attrs{"dhash": "x"}, nil)), translate.AckAlways},
		{"own picture", &events.Picture{}, server("account_sync", tag("picture", nil, nil)), translate.AckAlways},
		{"about text", &events.UserAbout{}, stanza(tag("notification", waBinary.Attrs{"from": bob, "type": "status", "t": now}, []waBinary.Node{tag("set", nil, []byte("busy"))})), translate.AckAlways},
		{"new identity", &events.IdentityChange{}, stanza(tag("notification", waBinary.Attrs{"from": bob, "type": "encrypt", "t": now}, []waBinary.Node{tag("identity", nil, nil)})), translate.AckAlways},
		{"media retry", &events.MediaRetry{}, stanza(tag("notification", waBinary.Attrs{"from": bob, "type": "mediaretry", "t": now},
			[]waBinary.Node{tag("rmr", waBinary.Attrs{"jid": bob, "from_me": "false"}, nil), tag("error", waBinary.Attrs{"code": "2"}, nil)})), translate.AckAlways},
		{"counters of a channel", &events.NewsletterLiveUpdate{}, stanza(tag("notification", waBinary.Attrs{"from": types.NewJID("120363171744447809", types.NewsletterServer), "type": "newsletter", "t": now},
			[]waBinary.Node{tag("live_updates", nil, nil)})), translate.AckAlways},
		{"channel joined", &events.NewsletterJoin{}, mex(`{"xwa2_notify_newsletter_on_join":{}}`), translate.AckAlways},
		{"channel left", &events.NewsletterLeave{}, mex(`{"xwa2_notify_newsletter_on_leave":{}}`), translate.AckAlways},
		{"channel muted", &events.NewsletterMuteChange{}, mex(`{"xwa2_notify_newsletter_on_mute_change":{}}`), translate.AckAlways},
		{"limit on new chats", &events.NotifyAccountReachoutTimelock{}, mex(`{"xwa2_notify_account_reachout_timelock":{}}`), translate.AckAlways},
		{"new pairing secret", &events.RotateADVSecret{}, server("companion_reg_refresh", tag("companion_reg_refresh", nil, nil)), translate.AckAlways},
		{"passkey asked for", &events.PairPasskeyRequest{}, server("passkey_prologue_request", tag("passkey_request_options", nil, []byte(`{}`))), translate.AckAlways},

		{"star", &events.Star{}, state(func() appstate.PatchInfo { return appstate.BuildStar(bob, own, r.id(), true, true) }), translate.AckAlways},
		{"mute", &events.Mute{}, state(func() appstate.PatchInfo { return appstate.BuildMute(bob, true, time.Duration(r.n)*time.Hour) }), translate.AckAlways},
		{"pin", &events.Pin{}, state(func() appstate.PatchInfo { return appstate.BuildPin(bob, true) }), translate.AckAlways},
		{"archive", &events.Archive{}, state(func() appstate.PatchInfo { return appstate.BuildArchive(bob, true, time.Now(), nil) }), translate.AckAlways},
		{"mark as read", &events.MarkChatAsRead{}, state(func() appstate.PatchInfo { return appstate.BuildMarkChatAsRead(bob, true, time.Now(), nil) }), translate.AckAlways},
		{"delete chat", &events.DeleteChat{}, state(func() appstate.PatchInfo { return appstate.BuildDeleteChat(bob, time.Now(), nil, false) }), translate.AckAlways},
		{"label", &events.LabelEdit{}, state(func() appstate.PatchInfo { return appstate.BuildLabelEdit("1", r.id(), 0, false) }), translate.AckAlways},
		{"label of a chat", &events.LabelAssociationChat{}, state(func() appstate.PatchInfo { return appstate.BuildLabelChat(bob, "1", true) }), translate.AckAlways},
		{"label of a message", &events.LabelAssociationMessage{}, state(func() appstate.PatchInfo { return appstate.BuildLabelMessage(bob, "1", r.id(), true) }), translate.AckAlways},
		{"own name", &events.PushNameSetting{}, state(func() appstate.PatchInfo { return appstate.BuildSettingPushName(r.id()) }), translate.AckAlways},
		{"raw state", &events.AppState{}, state(func() appstate.PatchInfo { return appstate.BuildPin(bob, false) }), translate.AckAlways},

		{"presence", &events.Presence{}, stanza(tag("presence", waBinary.Attrs{"from": bob}, nil)), translate.AckNever},
		{"typing", &events.ChatPresence{}, stanza(tag("chatstate", waBinary.Attrs{"from": bob}, []waBinary.Node{tag("composing", nil, nil)})), translate.AckNever},
		{"forecast", &events.OfflineSyncPreview{}, stanza(tag("ib", waBinary.Attrs{"from": types.ServerJID}, []waBinary.Node{tag("offline_preview", waBinary.Attrs{"count": 1}, nil)})), translate.AckNever},
		{"caught up", &events.OfflineSyncCompleted{}, stanza(tag("ib", waBinary.Attrs{"from": types.ServerJID}, []waBinary.Node{tag("offline", waBinary.Attrs{"count": 1}, nil)})), translate.AckNever},
		{"old phone", &events.QRScannedWithoutMultidevice{}, stanza(tag("ib", waBinary.Attrs{"from": types.ServerJID}, []waBinary.Node{tag("downgrade_webclient", nil, nil)})), translate.AckNever},
	} {
		t.Run(c.what, func(t *testing.T) {
			typ := reflect.TypeOf(c.evt)
			evt, onFalse := r.acked(t, typ, false, c.send)
			_, onTrue := r.acked(t, typ, true, c.send)
			got := translate.AckByHandler
			switch {
			case onFalse && onTrue:
				got = translate.AckAlways
			case !onFalse && !onTrue:
				got = translate.AckNever
			case onFalse:
				t.Fatal("acknowledged when the handler returns false only")
			}
			if table := r.tr.Handling(evt).Ack; got != c.want || table != c.want {
				t.Errorf("the library does %v and the table says %v, want %v", got, table, c.want)
			}
		})
	}
}

func encoded(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	must(t, err)
	return b
}

// phoneCopyOf is the phone's answer to a request for a message that could not be read.
func phoneCopyOf(t *testing.T, chat types.JID) *waE2E.Message {
	t.Helper()
	web := &waWeb.WebMessageInfo{
		Key:     &waCommon.MessageKey{RemoteJID: proto.String(chat.String()), FromMe: proto.Bool(false), ID: proto.String("3EB0C0")},
		Message: &waE2E.Message{Conversation: proto.String("x")}, MessageTimestamp: proto.Uint64(1735689600),
	}
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_RESPONSE_MESSAGE.Enum(),
		PeerDataOperationRequestResponseMessage: &waE2E.PeerDataOperationRequestResponseMessage{
			PeerDataOperationRequestType: waE2E.PeerDataOperationRequestType_PLACEHOLDER_MESSAGE_RESEND.Enum(), StanzaID: proto.String("3EB0C1"),
			PeerDataOperationResult: []*waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult{{
				PlaceholderMessageResendResponse: &waE2E.PeerDataOperationRequestResponseMessage_PeerDataOperationResult_PlaceholderMessageResendResponse{WebMessageInfoBytes: encoded(t, web)},
			}},
		},
	}}
}
