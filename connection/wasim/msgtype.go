package wasim

import "go.mau.fi/whatsmeow/proto/waE2E"

// stanzaType is the type attribute of the message stanza.
func stanzaType(m *waE2E.Message) string {
	switch {
	case m.GetReactionMessage() != nil:
		return "reaction"
	case m.GetPollCreationMessage() != nil, m.GetPollCreationMessageV3() != nil, m.GetPollUpdateMessage() != nil:
		return "poll"
	case mediaType(m) != "":
		return "media"
	}
	return "text"
}

// mediaType is the mediatype attribute of <enc>, empty for what is no media.
func mediaType(m *waE2E.Message) string {
	switch {
	case m.GetImageMessage() != nil:
		return "image"
	case m.GetVideoMessage() != nil:
		return "video"
	case m.GetAudioMessage().GetPTT():
		return "ptt"
	case m.GetAudioMessage() != nil:
		return "audio"
	case m.GetDocumentMessage() != nil:
		return "document"
	case m.GetStickerMessage() != nil:
		return "sticker"
	case m.GetContactMessage() != nil:
		return "vcard"
	case m.GetLocationMessage() != nil:
		return "location"
	}
	return ""
}

// textOf is what a person would read of a message; empty when there is no text.
func textOf(m *waE2E.Message) string {
	switch {
	case m.GetConversation() != "":
		return m.GetConversation()
	case m.GetExtendedTextMessage() != nil:
		return m.GetExtendedTextMessage().GetText()
	case m.GetReactionMessage() != nil:
		return m.GetReactionMessage().GetText()
	case m.GetImageMessage() != nil:
		return m.GetImageMessage().GetCaption()
	case m.GetVideoMessage() != nil:
		return m.GetVideoMessage().GetCaption()
	case m.GetDocumentMessage() != nil:
		return m.GetDocumentMessage().GetCaption()
	case m.GetEphemeralMessage() != nil:
		return textOf(m.GetEphemeralMessage().GetMessage())
	case m.GetEditedMessage() != nil:
		return textOf(m.GetEditedMessage().GetMessage().GetProtocolMessage().GetEditedMessage())
	}
	return ""
}
