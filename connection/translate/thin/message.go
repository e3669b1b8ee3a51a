package thin

import (
	"encoding/json"
	"strings"

	"waoutbox/outbox"
)

// messageData is the payload of message.received and message.sent.
type messageData struct {
	place
	MessageID  string `json:"messageId"`
	Sender     string `json:"sender"`
	SenderName string `json:"senderName,omitempty"`
	FromMe     bool   `json:"fromMe"`
	Type       string `json:"type"`
	HasMedia   bool   `json:"hasMedia"`
	Edited     bool   `json:"edited,omitempty"`
	ReactionTo string `json:"reactionTo,omitempty"`
	Target     string `json:"target,omitempty"`
	Preview    string `json:"preview,omitempty"`
}

// stored is what is read of a message in a body.
type stored struct {
	Key      key                        `json:"key"`
	PushName string                     `json:"pushName"`
	Stub     int                        `json:"messageStubType"`
	Message  map[string]json.RawMessage `json:"message"`
}

func message(ev outbox.Event, raw json.RawMessage, preview bool) messageData {
	var body struct {
		Messages []stored `json:"messages"`
	}
	var m stored
	if json.Unmarshal(raw, &body) == nil && len(body.Messages) > 0 {
		m = body.Messages[0]
	}
	out := messageData{place: placeOf(ev), MessageID: short(m.Key.ID, maxID), FromMe: m.Key.FromMe, SenderName: short(m.PushName, maxName)}
	switch {
	case m.Key.Participant != "":
		out.Sender = short(m.Key.Participant, maxID)
	case m.Key.FromMe:
		out.Sender = short(ev.Account, maxID)
	default:
		out.Sender = short(m.Key.RemoteJID, maxID)
	}
	c := contentOf(m)
	out.Type, out.HasMedia, out.Edited = c.kind, c.media, c.kind == typeEdit
	if c.kind == typeReaction {
		out.ReactionTo = short(c.target, maxID)
	} else {
		out.Target = short(c.target, maxID)
	}
	if preview {
		out.Preview = short(c.text, maxPreview)
	}
	return out
}

// The types of messages.
const (
	typeText        = "text"
	typeImage       = "image"
	typeVideo       = "video"
	typeAudio       = "audio"
	typeDocument    = "document"
	typeSticker     = "sticker"
	typeContact     = "contact"
	typeLocation    = "location"
	typePoll        = "poll"
	typeVote        = "vote"
	typeReaction    = "reaction"
	typeChoice      = "choice"
	typeEdit        = "edit"
	typeRevoke      = "revoke"
	typeCall        = "call"
	typeUnreadable  = "unreadable"
	typeViewOnce    = "view_once"
	typeUnsupported = "other"
)

// messageTypes lists them.
func messageTypes() []string {
	return []string{typeText, typeImage, typeVideo, typeAudio, typeDocument, typeSticker, typeContact, typeLocation, typePoll, typeVote,
		typeReaction, typeChoice, typeEdit, typeRevoke, typeCall, typeUnreadable, typeViewOnce, typeUnsupported}
}

// content is what a message is about.
type content struct {
	kind, text, target string
	media              bool
}

// part is what may be read of one content of a message, whatever its type.
type part struct {
	Text        string `json:"text"`
	Caption     string `json:"caption"`
	FileName    string `json:"fileName"`
	Name        string `json:"name"`
	Address     string `json:"address"`
	DisplayName string `json:"displayName"`
	Selected    string `json:"selectedDisplayText"`
	Title       string `json:"title"`
	Key         *key   `json:"key"`
	Poll        *key   `json:"pollCreationMessageKey"`
	Type        string `json:"type"`
	// of an edit
	EditedMessage map[string]json.RawMessage `json:"editedMessage"`
	// of a wrapper
	Message map[string]json.RawMessage `json:"message"`
}

// contentType is how the content under one name of WhatsApp's message is told.
type contentType struct {
	name, kind string
	media      bool
	text       func(p part) string
}

func contentTypes() []contentType {
	caption := func(p part) string { return p.Caption }
	return []contentType{
		{"extendedTextMessage", typeText, false, func(p part) string { return p.Text }},
		{"imageMessage", typeImage, true, caption},
		{"videoMessage", typeVideo, true, caption},
		{"ptvMessage", typeVideo, true, caption},
		{"audioMessage", typeAudio, true, nil},
		{"documentMessage", typeDocument, true, func(p part) string { return strings.TrimSpace(p.FileName + " " + p.Caption) }},
		{"stickerMessage", typeSticker, true, nil},
		{"contactMessage", typeContact, false, func(p part) string { return p.DisplayName }},
		{"contactsArrayMessage", typeContact, false, func(p part) string { return p.DisplayName }},
		{"locationMessage", typeLocation, false, func(p part) string { return strings.TrimSpace(p.Name + " " + p.Address) }},
		{"liveLocationMessage", typeLocation, false, caption},
		{"pollCreationMessage", typePoll, false, func(p part) string { return p.Name }},
		{"pollCreationMessageV2", typePoll, false, func(p part) string { return p.Name }},
		{"pollCreationMessageV3", typePoll, false, func(p part) string { return p.Name }},
		{"pollCreationMessageV5", typePoll, false, func(p part) string { return p.Name }},
		{"pollUpdateMessage", typeVote, false, nil},
		{"reactionMessage", typeReaction, false, func(p part) string { return p.Text }},
		{"buttonsResponseMessage", typeChoice, false, func(p part) string { return p.Selected }},
		{"templateButtonReplyMessage", typeChoice, false, func(p part) string { return p.Selected }},
		{"listResponseMessage", typeChoice, false, func(p part) string { return p.Title }},
	}
}

// wrappers hold another message.
func wrappers() []string {
	return []string{"ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension", "documentWithCaptionMessage",
		"editedMessage", "groupMentionedMessage", "botInvokeMessage", "deviceSentMessage"}
}

// maxDepth bounds how deep a message is looked into.
const maxDepth = 8

// The stub types of messages without content that have a type of their own.
const (
	stubUnreadable   = 2
	stubMissedFirst  = 40 // a voice call, a video call, and the same of a group
	stubMissedVideo  = 41
	stubMissedGroup  = 45
	stubMissedGroupV = 46
)

func contentOf(m stored) content {
	if len(m.Message) > 0 {
		return contentIn(m.Message, maxDepth)
	}
	switch m.Stub {
	case stubUnreadable:
		if m.Key.IsViewOnce {
			return content{kind: typeViewOnce}
		}
		return content{kind: typeUnreadable}
	case stubMissedFirst, stubMissedVideo, stubMissedGroup, stubMissedGroupV:
		return content{kind: typeCall}
	}
	if m.Key.IsViewOnce {
		return content{kind: typeViewOnce}
	}
	return content{kind: typeUnsupported}
}

func contentIn(m map[string]json.RawMessage, depth int) content {
	var plain string
	if raw, ok := m["conversation"]; ok && json.Unmarshal(raw, &plain) == nil {
		return content{kind: typeText, text: plain}
	}
	for _, t := range contentTypes() {
		raw, ok := m[t.name]
		if !ok {
			continue
		}
		p := partOf(raw)
		c := content{kind: t.kind, media: t.media}
		if t.text != nil {
			c.text = t.text(p)
		}
		switch {
		case t.kind == typeReaction && p.Key != nil:
			c.target = p.Key.ID
		case t.kind == typeVote && p.Poll != nil:
			c.target = p.Poll.ID
		}
		return c
	}
	if raw, ok := m["protocolMessage"]; ok {
		return protocol(partOf(raw), depth)
	}
	for _, name := range wrappers() {
		if raw, ok := m[name]; ok && depth > 0 {
			return contentIn(partOf(raw).Message, depth-1)
		}
	}
	return content{kind: typeUnsupported}
}

// protocol is the content of a protocol message.
func protocol(p part, depth int) content {
	c := content{kind: typeUnsupported}
	if p.Key != nil {
		c.target = p.Key.ID
	}
	switch p.Type {
	case "REVOKE":
		c.kind = typeRevoke
	case "MESSAGE_EDIT":
		c.kind = typeEdit
		if depth > 0 {
			c.text = contentIn(p.EditedMessage, depth-1).text
		}
	}
	return c
}

// partOf reads a content; what cannot be read stays empty.
func partOf(raw json.RawMessage) (p part) {
	if json.Unmarshal(raw, &p) != nil {
		return part{}
	}
	return p
}
