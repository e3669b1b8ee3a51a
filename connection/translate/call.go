package translate

import (
	"context"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"waoutbox/connection/wajson"
	"waoutbox/outbox"
)

// The message stub types of missed calls.
const (
	stubMissedVoice      = 40
	stubMissedVideo      = 41
	stubMissedGroupVoice = 45
	stubMissedGroupVideo = 46
)

// maxRinging bounds how many calls are remembered: an offer whose end was never
// seen must not stay for ever.
const maxRinging = 128

// ringingCalls remembers which calls that ring are video calls; order has the oldest first.
type ringingCalls struct {
	video map[string]bool
	order []string
}

func (r *ringingCalls) add(id string, video bool) {
	if r.video == nil {
		r.video = make(map[string]bool)
	}
	if _, known := r.video[id]; !known {
		r.order = append(r.order, id)
	}
	r.video[id] = r.video[id] || video // the notice comes beside the offer
	if len(r.order) > maxRinging {
		delete(r.video, r.order[0])
		r.order = r.order[1:]
	}
}

// take forgets a call and says whether it was a video call.
func (r *ringingCalls) take(id string) bool {
	video, known := r.video[id]
	if !known {
		return false
	}
	delete(r.video, id)
	for i, o := range r.order {
		if o == id {
			r.order = append(r.order[:i:i], r.order[i+1:]...)
			break
		}
	}
	return video
}

func (t *Translator) callOffer(evt *events.CallOffer) {
	video := false
	if evt.Data != nil {
		_, video = evt.Data.GetOptionalChildByTag("video")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls.add(evt.CallID, video)
}

func (t *Translator) callOfferNotice(evt *events.CallOfferNotice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls.add(evt.CallID, evt.Media == "video")
}

func (t *Translator) callAccept(evt *events.CallAccept) { t.endCall(evt.CallID) }

func (t *Translator) callReject(evt *events.CallReject) { t.endCall(evt.CallID) }

func (t *Translator) endCall(id string) (video bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls.take(id)
}

// callParts translates what the library leaves as it came: a call's stanza of several parts, or of
// one that it does not know. Each part that it knows is what it is where it comes alone.
func (t *Translator) callParts(ctx context.Context, evt *events.UnknownCallEvent) (evs []outbox.Event, err error) {
	if evt.Node == nil {
		return nil, nil
	}
	for _, part := range evt.Node.GetChildren() {
		meta := callMeta(evt.Node, &part)
		switch part.Tag {
		case "offer":
			t.callOffer(&events.CallOffer{BasicCallMeta: meta, Data: &part})
		case "offer_notice":
			t.callOfferNotice(&events.CallOfferNotice{BasicCallMeta: meta, Media: part.AttrGetter().OptionalString("media")})
		case "accept", "reject":
			t.endCall(meta.CallID)
		case "terminate":
			missed, err := t.callTerminate(ctx, &events.CallTerminate{BasicCallMeta: meta, Reason: part.AttrGetter().OptionalString("reason")})
			if err != nil {
				return nil, err
			}
			evs = append(evs, missed...)
		}
	}
	return evs, nil
}

// callMeta reads what part of a call's stanza says of the call, as the library does.
func callMeta(stanza, part *waBinary.Node) types.BasicCallMeta {
	of, in := stanza.AttrGetter(), part.AttrGetter()
	meta := types.BasicCallMeta{
		From: of.OptionalJIDOrEmpty("from"), Timestamp: of.OptionalUnixTime("t"),
		CallCreator: in.OptionalJIDOrEmpty("call-creator"), CallID: in.OptionalString("call-id"), GroupJID: in.OptionalJIDOrEmpty("group-jid"),
	}
	alt := "caller_lid"
	if meta.CallCreator.Server == types.HiddenUserServer {
		alt = "caller_pn"
	}
	meta.CallCreatorAlt = in.OptionalJIDOrEmpty(alt)
	return meta
}

// callsFrom is who sent a call's stanza.
func callsFrom(evt *events.UnknownCallEvent) types.JID {
	if evt.Node == nil {
		return types.JID{}
	}
	return evt.Node.AttrGetter().OptionalJIDOrEmpty("from")
}

// callTerminate translates a call that nobody took into a missed call.
func (t *Translator) callTerminate(ctx context.Context, evt *events.CallTerminate) ([]outbox.Event, error) {
	video := t.endCall(evt.CallID)
	if evt.Reason != "timeout" || t.isMe(evt.CallCreator) { // nobody missed the account's own call
		return nil, nil
	}
	k := key{id: evt.CallID, sender: t.address(ctx, evt.CallCreator, evt.CallCreatorAlt)}
	if k.id == "" { // another call than every other
		k.id = strings.ToUpper(strings.TrimPrefix(unique().key, idPrefix))
	}
	k.chat = k.sender
	switch from := BareJID(evt.From); from {
	case k.sender.jid:
	case k.sender.alt:
		k.chat = address{jid: k.sender.alt, alt: k.sender.jid}
	default:
		k.chat = t.address(ctx, from, types.JID{})
	}
	stub := int64(stubMissedVoice)
	switch group := !evt.GroupJID.IsEmpty(); {
	case group && video:
		stub = stubMissedGroupVideo
	case group:
		stub = stubMissedGroupVoice
	case video:
		stub = stubMissedVideo
	}
	e := new(wajson.Object).
		Obj("key", k.json()).
		Int("messageTimestamp", unixSeconds(evt.Timestamp)).
		Bool("broadcast", false).
		Int("messageStubType", stub)
	id := stable(evt.Timestamp, tuple(t.account(), "message", k.chat.canonical(), k.senderID(), k.id, "call"))
	return one(t.messageEvent(MessageReceived, id, k, messages(e, "notify", ""))), nil
}
