package stanzas

import (
	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWeb"
	"go.mau.fi/whatsmeow/types/events"
)

// copiesIn are the copies of messages that a message of the own phone brings, as bytes, which the
// library's parser refuses: it logs a line and goes on.
func copiesIn(evt *events.Message) (refused [][]byte, request string) {
	if !evt.Info.IsFromMe || evt.Info.Sender.Device != 0 {
		return nil, ""
	}
	m := evt.RawMessage
	if sent := m.GetDeviceSentMessage().GetMessage(); sent != nil {
		m = sent
	}
	response := m.GetProtocolMessage().GetPeerDataOperationRequestResponseMessage()
	if response.GetPeerDataOperationRequestType() != waE2E.PeerDataOperationRequestType_PLACEHOLDER_MESSAGE_RESEND {
		return nil, ""
	}
	for _, part := range response.GetPeerDataOperationResult() {
		b := part.GetPlaceholderMessageResendResponse().GetWebMessageInfoBytes()
		if len(b) > 0 && proto.Unmarshal(b, &waWeb.WebMessageInfo{}) != nil {
			refused = append(refused, b)
		}
	}
	return refused, response.GetStanzaID()
}

// missedCopies returns what can be read of copies that the library refused.
func (w *Watch) missedCopies(s *stanza) (found []Found) {
	for _, b := range s.copies {
		web := &waWeb.WebMessageInfo{}
		salvage(b, web.ProtoReflect(), 0)
		evt, err := w.ParseCopy(web)
		if err != nil || evt.Info.ID == "" {
			found = append(found, Found{Lost: "the phone's copy of a message could not be read"})
			continue
		}
		evt.UnavailableRequestID = s.request
		found = append(found, Found{Event: evt, Lost: "the phone's copy of a message could be read in part only"})
	}
	return found
}
