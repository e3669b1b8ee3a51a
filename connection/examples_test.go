package connection

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/outbox/api"
)

// elsewhere are the example bodies that something else than one stanza brings about, and those
// whose bytes are chosen anew each time. Other tests have them; so have those of the link.
var elsewhere = map[string]string{
	"message.update-poll-vote":       "TestPollVoteOfTheRealThing",
	"message.received-recovered":     "TestUnreadableAndRecovered",
	"message.received-undecryptable": "TestUnreadableAndRecovered",
	"message.sent-group-image":       "an own send, with an upload: TestTheExampleOfASentImage",
	"message.sent-text":              "an own send: TestSendTextToANumber",
	"message.update-error":           "an own send: TestSendTextErrors",
}

// TestExamplesThroughTheSimulator: what the example bodies show comes about through the simulated
// WhatsApp and the unmodified library, byte for byte but for times and for who is who.
func TestExamplesThroughTheSimulator(t *testing.T) {
	r := newExamplesRig(t)
	files, err := filepath.Glob("translate/testdata/events/*.json")
	must(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if _, left := elsewhere[name]; left || strings.HasPrefix(name, "connection.") {
			continue
		}
		raw, err := os.ReadFile(file)
		must(t, err)
		r.bringAbout(name, []byte(r.who.Replace(strings.TrimSpace(string(raw)))))
	}
}

type examplesRig struct {
	*rig
	alice, bob *wasim.Contact
	team       *wasim.Group
	channel    *wasim.Channel
	who        *strings.Replacer
}

func newExamplesRig(t *testing.T) *examplesRig {
	r := &examplesRig{rig: linkedRig(t)}
	r.alice, r.bob = r.acc.NewContact("Alice", "15550100123"), r.acc.NewContact("Bob", "15550100456")
	r.team, r.channel = r.acc.NewGroup("Team", r.bob, r.alice), r.acc.NewChannel("News")
	must(t, r.acc.SetPushName(bounded(t), "Shop"))
	r.who = strings.NewReplacer(
		"204813927440123@lid", r.alice.LID(), "15550100123@s.whatsapp.net", r.alice.PN(),
		"118302945561077@lid", r.bob.LID(), "15550100456@s.whatsapp.net", r.bob.PN(),
		"77203948571236@lid", r.acc.LID(), "15550100999@s.whatsapp.net", r.acc.PN(),
		"120363025846172094@g.us", r.team.JID(), "120363171744447809@newsletter", r.channel.JID(), `"server_id":"412"`, `"server_id":"1"`,
	)
	return r
}

// bringAbout lets happen what an example shows, and compares.
func (r *examplesRig) bringAbout(name string, want []byte) {
	r.t.Helper()
	ctx := bounded(r.t)
	act, ok := r.acts()[name]
	if !ok {
		act = r.arrive
	}
	must(r.t, act(ctx, want))
	must(r.t, r.acc.WaitDrained(ctx))
	event, _, _ := strings.Cut(name, "-")
	var last []byte
	stored := func() bool {
		for _, ev := range r.named(event) {
			if last = ev.Body; timeless(last) == timeless(want) {
				return true
			}
		}
		return false
	}
	// Everything else is stored before it is acknowledged.
	if event == "presence.update" || name == "message.update-starred" {
		eventually(r.t, name, stored)
	}
	if !stored() {
		r.t.Errorf("%s\nlast %s\nwant %s", name, last, want)
	}
}

var times = regexp.MustCompile(`:1[67]\d{8}(\d{3})?([,}])`)

// timeless replaces the times in a body.
func timeless(body []byte) string { return times.ReplaceAllString(string(body), ":0$2") }

// example is what the arrival of a message reads of an example body.
type example struct {
	Data struct {
		Messages []struct {
			Key struct {
				RemoteJID string `json:"remoteJid"`
				FromMe    bool   `json:"fromMe"`
				ID        string `json:"id"`
			} `json:"key"`
			MessageTimestamp int64           `json:"messageTimestamp"`
			Message          json.RawMessage `json:"message"`
		} `json:"messages"`
	} `json:"data"`
}

// arrive sends the message of an example from whom it shows.
func (r *examplesRig) arrive(ctx context.Context, want []byte) error {
	var ex example
	must(r.t, json.Unmarshal(want, &ex))
	shown := ex.Data.Messages[0]
	m := r.readMessage(shown.Message)
	f := wasim.Form{ID: shown.Key.ID, At: time.Unix(shown.MessageTimestamp, 0)}
	var err error
	switch {
	case shown.Key.FromMe:
		_, err = r.acc.PhoneSendAs(ctx, r.alice, m, f)
	case shown.Key.RemoteJID == r.team.JID():
		_, err = r.bob.SendGroupAs(ctx, r.team, m, f)
	case shown.Key.RemoteJID == r.channel.JID():
		_, err = r.channel.Post(ctx, m, f)
	case shown.Key.RemoteJID == types.StatusBroadcastJID.String():
		_, err = r.alice.PostStatus(ctx, m, f)
	default:
		_, err = r.alice.SendAs(ctx, m, f)
	}
	return err
}

// acts are the examples that are not just a message with the content they show.
func (r *examplesRig) acts() map[string]func(context.Context, []byte) error {
	const id, older = "3EB0C431C26A1916E07A5D", "3EB0C431C26A1916E07A5E"
	nothing := func(context.Context, []byte) error { return nil }
	receipt := func(typ string, ids ...string) func(context.Context, []byte) error {
		return func(ctx context.Context, _ []byte) error { return r.alice.SendReceipt(ctx, typ, ids...) }
	}
	group := func(setting, value string) func(context.Context, []byte) error {
		return func(ctx context.Context, _ []byte) error { return r.team.Set(ctx, r.bob, setting, value) }
	}
	change := func(n waBinary.Node) func(context.Context, []byte) error {
		return func(ctx context.Context, _ []byte) error { return r.team.Change(ctx, r.alice, n) }
	}
	members := func(by *wasim.Contact, do func(context.Context, *wasim.Contact, ...*wasim.Contact) error) func(context.Context, []byte) error {
		return func(ctx context.Context, _ []byte) error { return do(ctx, by, r.alice) }
	}
	lid, pn := r.parse(r.alice.LID()), r.parse(r.alice.PN())
	return map[string]func(context.Context, []byte) error{
		"message.received-missed-call": func(ctx context.Context, _ []byte) error {
			return r.alice.EndCall(ctx, wasim.Ring{ID: "E2B7A1C9D40F4C6B9A51"}, "timeout")
		},
		"message.received-number-change": func(ctx context.Context, _ []byte) error {
			changed := tag("modify", waBinary.Attrs{"old": pn, "new": types.NewJID("15550100777", types.DefaultUserServer), "old_lid": lid, "new_lid": lid}, nil)
			return r.acc.SendStanza(ctx, notice("1735689674-7", "contacts", changed))
		},
		"message.received-view-once-unavailable": func(ctx context.Context, _ []byte) error {
			_, err := r.alice.SendAs(ctx, nil, wasim.Form{ID: "3A5F0C91B7D24E68A120", Unavailable: "view_once"})
			return err
		},
		"message.update-edit":                    nothing, // the edit has brought it about
		"message.update-revoke":                  nothing,
		"message.update-channel-message-deleted": func(ctx context.Context, _ []byte) error { return r.channel.Delete(ctx, "7C2F9E41D05B4A1CB6A8") },
		"message.update-delivered":               receipt("", id),
		"message.update-played":                  receipt("played", "3EB0C431C26A1916E07A60"),
		"message.update-read":                    receipt("read", older, id),
		"message.update-group-receipt": func(ctx context.Context, _ []byte) error {
			return r.bob.SendGroupReceipt(ctx, r.team, "read", "3EB0F00D5C8842B19E7710")
		},
		"message.update-read-on-own-device": func(ctx context.Context, _ []byte) error {
			return r.acc.PhoneRead(ctx, r.alice, "3A5F0C91B7D24E68A113")
		},
		"message.update-starred": func(ctx context.Context, _ []byte) error {
			return r.acc.ChangeState(ctx, appstate.BuildStar(lid, lid, "3A5F0C91B7D24E68A113", false, true))
		},
		"group.update-announce":      group("announcement", ""),
		"group.update-approval-mode": group("membership_approval_mode", "on"),
		"group.update-deleted":       group("delete", ""),
		"group.update-ephemeral":     group("ephemeral", "604800"),
		"group.update-invite-code":   group("invite", "Jk2Vq8ZpW1xE4tLr9sYb3N"),
		"group.update-restrict":      group("unlocked", ""),
		"group.update-suspended":     group("suspended", ""),
		"group.update-subject": func(ctx context.Context, _ []byte) error {
			return r.team.SetSubject(ctx, r.bob, "Team <launch> & ops")
		},
		"group.update-description": func(ctx context.Context, _ []byte) error {
			body := []waBinary.Node{tag("body", nil, []byte("Daily stand-up 09:30"))}
			return r.team.Change(ctx, r.bob, tag("description", waBinary.Attrs{"id": "3EB09E1D22"}, body))
		},
		"group.update-joined":               r.joined,
		"group.update-participants-add":     members(r.bob, r.team.Add),
		"group.update-participants-promote": members(r.bob, r.team.Promote),
		"group.update-participants-leave":   members(r.alice, r.team.Remove),
		"group.update-join-request": change(tag("created_membership_requests", waBinary.Attrs{"request_method": "invite_link"}, []waBinary.Node{
			tag("requested_user", waBinary.Attrs{"jid": lid, "phone_number": pn}, nil)})),
		"group.update-number-change": change(tag("modify", nil, []waBinary.Node{tag("participant", waBinary.Attrs{"jid": lid, "phone_number": pn}, nil)})),
		"presence.update-available":  func(ctx context.Context, _ []byte) error { return r.alice.SetPresence(ctx, true, time.Time{}) },
		"presence.update-unavailable": func(ctx context.Context, _ []byte) error {
			return r.alice.SetPresence(ctx, false, time.Unix(1735689660, 0))
		},
		"presence.update-composing":    func(ctx context.Context, _ []byte) error { return r.alice.Typing(ctx, "composing") },
		"presence.update-recording":    func(ctx context.Context, _ []byte) error { return r.alice.Typing(ctx, "recording") },
		"presence.update-group-paused": func(ctx context.Context, _ []byte) error { return r.bob.GroupTyping(ctx, r.team, "paused") },
	}
}

// joined is the account put into a group, whose owner of the subject has no phone number.
func (r *examplesRig) joined(ctx context.Context, _ []byte) error {
	suppliers, at := types.NewJID("120363041122334455", types.GroupServer), "1735689600"
	bob, bobPN := r.parse(r.bob.LID()), r.parse(r.bob.PN())
	n := notice("1735689658-1", "w:gp2", tag("create", waBinary.Attrs{"type": "new"}, []waBinary.Node{
		tag("group", waBinary.Attrs{
			"id": suppliers.User, "subject": "Suppliers", "s_t": at, "s_o": bob, "creation": at, "creator": bob, "creator_pn": bobPN,
			"addressing_mode": "lid", "size": "2", "p_v_id": at, "a_v_id": at,
		}, []waBinary.Node{
			tag("participant", waBinary.Attrs{"jid": bob, "phone_number": bobPN, "type": "superadmin"}, nil),
			tag("participant", waBinary.Attrs{"jid": r.parse(r.acc.LID()), "phone_number": r.parse(r.acc.PN())}, nil),
		})}))
	n.Attrs["from"], n.Attrs["participant"], n.Attrs["participant_pn"] = suppliers, bob, bobPN
	return r.acc.SendStanza(ctx, n)
}

// chosenAnew are the fields of a sent picture that are others with each send.
var chosenAnew = regexp.MustCompile(`"(id|url|fileSha256|fileLength|mediaKey|fileEncSha256|directPath|mediaKeyTimestamp|jpegThumbnail)":"[^"]+"`)

// TestTheExampleOfASentImage: a picture that is sent into a group is told as the example shows, but
// for what is chosen anew with each.
func TestTheExampleOfASentImage(t *testing.T) {
	r := newExamplesRig(t)
	raw, err := os.ReadFile("translate/testdata/events/message.sent-group-image.json")
	must(t, err)
	var picture bytes.Buffer
	must(t, jpeg.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 1280, 720)), nil))
	_, err = r.SendFile(bounded(t), api.Send{To: r.team.JID(), File: &api.File{Caption: "menu"}}, &picture)
	must(t, err)
	shape := func(body []byte) string { return chosenAnew.ReplaceAllString(timeless(body), `"$1":""`) }
	want := shape([]byte(r.who.Replace(strings.TrimSpace(string(raw)))))
	sent := r.named(translate.MessageSent)
	if len(sent) != 1 || shape(sent[0].Body) != want {
		t.Errorf("told %s\nwant %s", bodies(sent), want)
	}
}

func (r *examplesRig) parse(jid string) types.JID {
	j, err := types.ParseJID(jid)
	must(r.t, err)
	return j
}

// readMessage reads the message of a body back into WhatsApp's, as its sender writes it: with the
// keys of reactions and votes in the sender's perspective.
func (r *examplesRig) readMessage(shown []byte) *waE2E.Message {
	r.t.Helper()
	dec := json.NewDecoder(bytes.NewReader(shown))
	dec.UseNumber()
	var value map[string]any
	must(r.t, dec.Decode(&value))
	m := &waE2E.Message{}
	raw, err := json.Marshal(r.unrenamed(value, m.ProtoReflect().Descriptor()))
	must(r.t, err)
	must(r.t, protojson.Unmarshal(raw, m))
	if key := m.GetReactionMessage().GetKey(); key != nil {
		*key.RemoteJID, *key.FromMe = r.acc.LID(), false
	}
	if key := m.GetPollUpdateMessage().GetPollCreationMessageKey(); key != nil {
		*key.FromMe = false
	}
	return m
}

// unrenamed gives the fields of a message in a body the names that protobuf's JSON has for them.
func (r *examplesRig) unrenamed(value map[string]any, md protoreflect.MessageDescriptor) map[string]any {
	out := make(map[string]any)
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		v, ok := value[fd.JSONName()]
		for name, other := range value {
			if !ok && strings.EqualFold(name, fd.JSONName()) {
				v, ok = other, true
			}
		}
		if !ok {
			continue
		}
		if one, is := v.(map[string]any); is && fd.Message() != nil {
			v = r.unrenamed(one, fd.Message())
		}
		if list, is := v.([]any); is && fd.Message() != nil {
			for i := range list {
				list[i] = r.unrenamed(list[i].(map[string]any), fd.Message())
			}
		}
		out[fd.JSONName()] = v
	}
	if len(out) != len(value) {
		r.t.Errorf("not every field of %v is one of %s", value, md.FullName())
	}
	return out
}
