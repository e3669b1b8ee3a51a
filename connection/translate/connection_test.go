package translate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/util/jsontime"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// closeData is the data of a close, at the fixed time of the fixture.
func closeData(status string, code int, http, message, data string) string {
	return fmt.Sprintf(`{"status":"%s","connection":"close","lastDisconnect":{"error":{"data":%s,"isBoom":true,"isServer":%v,"output":{"statusCode":%d,"payload":{"statusCode":%d,"error":"%s","message":"%s"},"headers":{}}},"date":"2025-01-01T00:00:00.417Z"}}`,
		status, data, code >= 500, code, code, http, message)
}

func TestCloses(t *testing.T) {
	for name, c := range map[string]struct {
		evt  any
		want string
	}{
		"lost":              {&events.Disconnected{}, closeData("disconnected", 428, "Precondition Required", "Connection Closed", "null")},
		"unlinked by phone": {&events.LoggedOut{Reason: events.ConnectFailureLoggedOut}, closeData("disconnected", 401, "Unauthorized", "Stream Errored (conflict)", "null")},
		"locked":            {&events.LoggedOut{OnConnect: true, Reason: events.ConnectFailureMainDeviceGone}, closeData("disconnected", 403, "Forbidden", "Connection Failure", `{"reason":"403"}`)},
		"banned for a time": {&events.TemporaryBan{Code: events.TempBanBlockedByUsers}, closeData("disconnected", 402, "Payment Required", "Connection Failure", `{"reason":"402"}`)},
		"outdated":          {&events.ClientOutdated{}, closeData("disconnected", 405, "Method Not Allowed", "Connection Failure", `{"reason":"405"}`)},
		"refused":           {&events.ConnectFailure{Reason: 499}, closeData("disconnected", 499, "Unknown", "Connection Failure", `{"reason":"499"}`)},
		"refused by server": {&events.ConnectFailure{Reason: events.ConnectFailureExperimental}, closeData("disconnected", 501, "Not Implemented", "Connection Failure", `{"reason":"501"}`)},
		"refused, no code":  {&events.ConnectFailure{}, closeData("disconnected", 500, "Internal Server Error", "An internal server error occurred", `{"reason":"500"}`)},
		"pairing failed":    {&events.PairError{}, closeData("pairing_required", 500, "Internal Server Error", "An internal server error occurred", "null")},
	} {
		f := newFixture()
		if ev := f.must(t, c.evt)[0]; data(ev) != c.want || ev.Chat != "connection" {
			t.Errorf("%s: got %s, want %s", name, data(ev), c.want)
		}
	}
	if got, want := data(newFixture().PairingTimeout()), closeData("pairing_required", 408, "Request Time-out", "QR refs attempts ended", "null"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStreamErrorNamesTheNextDisconnect(t *testing.T) {
	for code, want := range map[string]string{
		"516": closeData("disconnected", 516, "Unknown", "Stream Errored (unknown)", "null"),
		"":    closeData("disconnected", 500, "Internal Server Error", "An internal server error occurred", "null"),
		"xml": closeData("disconnected", 500, "Internal Server Error", "An internal server error occurred", "null"),
	} {
		f := newFixture()
		if evs := f.must(t, &events.StreamError{Code: code}); len(evs) != 0 {
			t.Errorf("the stream error itself: %s", evs[0].Body)
		}
		if got := data(f.must(t, &events.Disconnected{})[0]); got != want {
			t.Errorf("%q: got %s, want %s", code, got, want)
		}
		if got := data(f.must(t, &events.Disconnected{})[0]); !strings.Contains(got, `"statusCode":428`) {
			t.Errorf("the code is used twice: %s", got)
		}
	}
	f := newFixture()
	f.must(t, &events.StreamError{Code: "516"})
	f.must(t, &events.Connected{})
	if got := data(f.must(t, &events.Disconnected{})[0]); !strings.Contains(got, `"statusCode":428`) {
		t.Errorf("an old code outlives a connection: %s", got)
	}
}

func TestUnlinkedDoesNotReconnect(t *testing.T) {
	f := newFixture()
	*f.self = Self{}
	evs := f.must(t, &events.Disconnected{})
	if len(evs) != 1 || evs[0].Account != "" {
		t.Errorf("got %v", evs)
	}
	f.must(t, &events.Connected{})
	if got := data(f.must(t, &events.OfflineSyncCompleted{})[0]); strings.Contains(got, "gap") {
		t.Errorf("an unlinked service missed nothing: %s", got)
	}
}

func TestQRCodes(t *testing.T) {
	f := newFixture()
	show := func(evt any) string {
		var all []string
		for _, ev := range f.must(t, evt) {
			all = append(all, data(ev))
		}
		return strings.Join(all, "")
	}
	if got := show(&events.RotateADVSecret{OldSecret: "S1", NewSecret: "S2"}); got != "" {
		t.Errorf("nothing is on show: %s", got)
	}
	if got := show(&events.QR{Codes: []string{"ref1,S1,9", "ref2,S1,9"}}); got != `{"status":"qr_required","qr":"ref1,S1,9"}` {
		t.Errorf("got %s", got)
	}
	if _, again := f.QRCode("ref1,S1,9"); again {
		t.Error("the code on show is told twice")
	}
	if ev, ok := f.QRCode("ref2,S1,9"); !ok || data(ev) != `{"status":"qr_required","qr":"ref2,S1,9"}` || !ev.Random {
		t.Errorf("got %s, %v", ev.Body, ok)
	}
	if got := show(&events.RotateADVSecret{OldSecret: "S1", NewSecret: "S2"}); got != `{"status":"qr_required","qr":"ref2,S2,9"}` {
		t.Errorf("got %s", got)
	}
	if got := show(&events.RotateADVSecret{OldSecret: "S1", NewSecret: "S3"}); got != "" {
		t.Errorf("a secret that is not on show: %s", got)
	}
	for _, evt := range []any{&events.PairPasskeyRequest{}, &events.PairPasskeyConfirmation{Code: "SECRET"}, &events.PairPasskeyError{}} {
		if got := show(evt); got != `{"status":"pairing_required"}` {
			t.Errorf("%T: %s", evt, got)
		}
	}
	show(&events.PairSuccess{})
	if got := show(&events.RotateADVSecret{OldSecret: "S2", NewSecret: "S4"}); got != "" {
		t.Errorf("after pairing: %s", got)
	}
}

func TestGap(t *testing.T) {
	f := newFixture()
	synced := func(count int) string {
		return strings.TrimPrefix(data(f.must(t, &events.OfflineSyncCompleted{Count: count})[0]), `{"status":"connected","receivedPendingNotifications":true`)
	}
	f.must(t, &events.Connected{})
	if got := synced(3); got != "}" {
		t.Errorf("nothing was missed: %s", got)
	}
	// Down twice before it caught up: one gap from the first loss, to the last return.
	f.clock.set(created(10))
	f.must(t, &events.Disconnected{})
	f.clock.set(created(12))
	f.must(t, &events.Connected{})
	f.clock.set(created(13))
	f.must(t, &events.StreamReplaced{})
	f.clock.set(created(15))
	f.must(t, &events.Connected{})
	f.must(t, &events.OfflineSyncPreview{Total: 9})
	if got, want := synced(7), fmt.Sprintf(`,"gap":{"from":%d,"to":%d,"caughtUp":9}}`, created(10).UnixMilli(), created(15).UnixMilli()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := synced(1); got != "}" {
		t.Errorf("the gap is told twice: %s", got)
	}
	// The service itself was down.
	g := newFixture()
	g.OutageSince(second(1))
	g.OutageSince(second(2)) // too late
	g.clock.set(created(30))
	g.must(t, &events.Connected{})
	f = g
	if got, want := synced(4), fmt.Sprintf(`,"gap":{"from":%d,"to":%d,"caughtUp":4}}`, second(1).UnixMilli(), created(30).UnixMilli()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReachoutTimelock(t *testing.T) {
	f := newFixture()
	on := data(f.must(t, &events.NotifyAccountReachoutTimelock{IsActive: true, EnforcementType: "X", TimeEnforcementEnds: jsontime.UnixString{Time: second(5)}})[0])
	if want := `{"status":"connected","reachoutTimeLock":{"isActive":true,"timeEnforcementEnds":"2025-01-01T00:00:05.000Z","enforcementType":"X"}}`; on != want {
		t.Errorf("got %s, want %s", on, want)
	}
	if off := data(f.must(t, &events.NotifyAccountReachoutTimelock{})[0]); off != `{"status":"connected","reachoutTimeLock":{"isActive":false}}` {
		t.Errorf("got %s", off)
	}
}

func TestPresences(t *testing.T) {
	ev := newFixture().must(t, &events.Presence{From: deviceJID(alicePN.User, 2, alicePN.Server), Unavailable: true, LastSeen: time.Time{}})[0]
	if want := `{"id":"15550100123@s.whatsapp.net","presences":{"15550100123@s.whatsapp.net":{"lastKnownPresence":"unavailable"}}}`; data(ev) != want || ev.Chat != aliceLID.String() {
		t.Errorf("got %s in %s, want %s", data(ev), ev.Chat, want)
	}
}

func TestMissedCalls(t *testing.T) {
	meta := types.BasicCallMeta{From: aliceLID, CallCreator: aliceLID, CallCreatorAlt: alicePN, CallID: "C", Timestamp: second(0)}
	inTeam := meta
	inTeam.GroupJID = team
	ours := meta
	ours.CallCreator = self.LID
	video := &waBinary.Node{Tag: "offer", Content: []waBinary.Node{{Tag: "video"}}}
	timeout := func(m types.BasicCallMeta) *events.CallTerminate {
		return &events.CallTerminate{BasicCallMeta: m, Reason: "timeout"}
	}
	for name, c := range map[string]struct {
		before []any
		end    *events.CallTerminate
		stub   int // 0 for no event
	}{
		"voice":               {[]any{&events.CallOffer{BasicCallMeta: meta, Data: &waBinary.Node{Tag: "offer"}}}, timeout(meta), 40},
		"video":               {[]any{&events.CallOffer{BasicCallMeta: meta, Data: video}}, timeout(meta), 41},
		"offer unseen":        {nil, timeout(meta), 40},
		"group voice":         {[]any{&events.CallOfferNotice{BasicCallMeta: inTeam, Media: "audio", Type: "group"}}, timeout(inTeam), 45},
		"group video":         {[]any{&events.CallOfferNotice{BasicCallMeta: inTeam, Media: "video", Type: "group"}}, timeout(inTeam), 46},
		"video by offer only": {[]any{&events.CallOffer{BasicCallMeta: meta, Data: video}, &events.CallOfferNotice{BasicCallMeta: meta, Media: "audio"}}, timeout(meta), 41},
		"offer forgotten":     {[]any{&events.CallOffer{BasicCallMeta: meta, Data: video}, &events.CallAccept{BasicCallMeta: meta}}, timeout(meta), 40},
		"declined":            {[]any{&events.CallOffer{BasicCallMeta: meta, Data: video}, &events.CallReject{BasicCallMeta: meta}}, timeout(meta), 40},
		"ended otherwise":     {nil, &events.CallTerminate{BasicCallMeta: meta, Reason: "accepted_elsewhere"}, 0},
		"our own call":        {nil, timeout(ours), 0},
	} {
		f := newFixture()
		for _, evt := range c.before {
			if evs := f.must(t, evt); len(evs) > 0 {
				t.Errorf("%s: %T gave %s", name, evt, evs[0].Body)
			}
		}
		evs := f.must(t, c.end)
		if c.stub == 0 {
			if len(evs) > 0 {
				t.Errorf("%s: %s", name, evs[0].Body)
			}
			continue
		}
		want := fmt.Sprintf(`{"messages":[{"key":{"remoteJid":"204813927440123@lid","remoteJidAlt":"15550100123@s.whatsapp.net","fromMe":false,"id":"C"},"messageTimestamp":1735689600,"broadcast":false,"messageStubType":%d}],"type":"notify"}`, c.stub)
		if len(evs) != 1 || data(evs[0]) != want {
			t.Errorf("%s: got %v, want %s", name, evs, want)
		}
	}
}

// callStanza is one of several parts: of each its tag, the reason and the call's id.
func callStanza(parts ...string) *waBinary.Node {
	n := &waBinary.Node{Tag: "call", Attrs: waBinary.Attrs{"from": aliceLID, "t": fmt.Sprint(second(26).Unix())}}
	var list []waBinary.Node
	for i := 0; i < len(parts); i += 3 {
		list = append(list, waBinary.Node{Tag: parts[i], Attrs: waBinary.Attrs{
			"reason": parts[i+1], "call-id": parts[i+2], "call-creator": deviceJID(aliceLID.User, 3, aliceLID.Server), "caller_pn": alicePN,
		}})
	}
	n.Content = list
	return n
}

// Of a stanza with several parts, of which the library makes nothing, each part is what it is
// alone. Before, a missed call among them was not told.
func TestCallsInOneStanza(t *testing.T) {
	f := newFixture()
	several := callStanza("offer", "", "A", "offer_notice", "", "B", "offer", "", "C", "accept", "", "C",
		"terminate", "timeout", "A", "terminate", "accepted_elsewhere", "C", "terminate", "timeout", "B", "nonsense", "", "D")
	parts := several.GetChildren()
	parts[0].Content, parts[1].Attrs["media"] = []waBinary.Node{{Tag: "video"}}, "video"
	var got []string
	for _, ev := range f.must(t, &events.UnknownCallEvent{Node: several}) {
		got = append(got, ev.Message)
		if !strings.Contains(string(ev.Body), `"messageStubType":41`) {
			t.Errorf("no video call: %s", ev.Body)
		}
	}
	if !slices.Equal(got, []string{"A", "B"}) {
		t.Errorf("missed: %q, want A and B", got)
	}
	for _, none := range []*waBinary.Node{nil, {Tag: "call"}, callStanza("nonsense", "", "X")} {
		if evs := f.must(t, &events.UnknownCallEvent{Node: none}); len(evs) != 0 {
			t.Errorf("%v: %s", none, evs[0].Body)
		}
	}
}

// A call without an id gets one of its own: each is told, and its key names it.
//
// Mutation of call.go: missed calls without an id are one.
func TestMissedCallsWithoutAnID(t *testing.T) {
	f := newFixture()
	evt := &events.CallTerminate{Reason: "timeout", BasicCallMeta: types.BasicCallMeta{From: aliceLID, CallCreator: aliceLID, Timestamp: second(0)}}
	first, second := f.must(t, evt)[0], f.must(t, evt)[0]
	if first.Key == second.Key || first.Message == "" || first.Message == second.Message || strings.Contains(string(first.Body), `"id":""`) {
		t.Errorf("%s %s\n%s %s", first.Key, first.Body, second.Key, second.Body)
	}
}

func TestRingingIsBounded(t *testing.T) {
	var r ringingCalls
	for i := range 10 * maxRinging {
		r.add(fmt.Sprint(i), true)
	}
	if len(r.video) != maxRinging || len(r.order) != maxRinging {
		t.Errorf("%d calls, %d in order", len(r.video), len(r.order))
	}
	if r.take("0") || !r.take(fmt.Sprint(10*maxRinging-1)) || len(r.order) != maxRinging-1 {
		t.Error("the newest calls must be known, the oldest forgotten")
	}
}

// The end of the backlog is told behind the open link, whichever comes first, and of a connection
// that ended before it was open not at all. Before, the gap could come before the link was open.
//
// Mutation of connection.go: and the gap is told before the link is open.
func TestCaughtUpFollowsOpen(t *testing.T) {
	f := newFixture()
	f.OutageSince(created(1))
	told := func(evt any) (all []string) {
		for _, ev := range f.must(t, evt) {
			all = append(all, data(ev))
		}
		return all
	}
	f.clock.set(created(2))
	if got := told(&events.OfflineSyncCompleted{Count: 1}); len(got) != 0 {
		t.Errorf("told before the link is open: %q", got)
	}
	f.must(t, &events.Disconnected{})
	if got := told(&events.Connected{}); len(got) != 1 {
		t.Errorf("the link is told as caught up after another connection was: %q", got)
	}
	f.must(t, &events.Disconnected{})
	if got := told(&events.OfflineSyncCompleted{Count: 2}); len(got) != 0 {
		t.Errorf("told before the link is open: %q", got)
	}
	got := told(&events.Connected{})
	if len(got) != 2 || !strings.Contains(got[0], `"connection":"open"`) || !strings.Contains(got[1], fmt.Sprintf(`"gap":{"from":%d,`, created(1).UnixMilli())) {
		t.Errorf("told %q", got)
	}
}
