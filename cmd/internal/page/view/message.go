package view

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// maxContent is how much of a message's text a list holds, in characters.
const maxContent = 4000

// Message is an event as a person reads it in a list. All of it comes from strangers.
type Message struct {
	Name   string // whose: the name that the sender gives himself, or the group's
	Number string // phone number or address of the chat
	// what it is, without its content: "text, 50 characters"
	Kind    string
	Content string // shown only when asked for; "" when there is none
}

// Describe says whose an event is and what it is. Without a body only the chat is known. With hide,
// names, numbers and content are left out.
func Describe(ev api.Event, hide bool) Message {
	m := Message{Number: chatLine(ev.Chat, ev.ChatAlt)}
	if ev.Damaged {
		m.Kind = "damaged"
	}
	var body struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal([]byte(ev.Body), &body) == nil {
		m.read(ev.Event, body.Data)
	}
	if hide {
		m.Name, m.Content = "", ""
		if ev.Chat != "connection" && m.Number != "" {
			m.Number = Hidden
		}
	}
	m.Name, m.Number, m.Kind = Line(m.Name), Line(m.Number), Line(m.Kind)
	m.Content = cleanText(term.Short(m.Content, maxContent))
	return m
}

// chatLine is the phone number of a chat where it is known, else what its address says.
func chatLine(chat, alt string) string {
	for _, jid := range []string{alt, chat} {
		if n := Number(jid); n != jid {
			return n
		}
	}
	switch {
	case strings.HasSuffix(chat, "@newsletter"):
		return "channel " + strings.TrimSuffix(chat, "@newsletter")
	case strings.HasSuffix(chat, "@g.us"):
		return "group " + strings.TrimSuffix(chat, "@g.us")
	case chat == "status@broadcast":
		return "status"
	case chat == "connection":
		return "this link"
	}
	return chat
}

// object is a JSON object.
type object = map[string]any

// read takes what a body says.
func (m *Message) read(event string, data json.RawMessage) {
	var list []object
	var one object
	if json.Unmarshal(data, &list) != nil {
		if json.Unmarshal(data, &one) != nil {
			return
		}
		list = []object{one}
	}
	if len(list) == 0 {
		return
	}
	first := list[0]
	switch event {
	case "message.received", "message.sent":
		m.readMessage(first)
	case "message.update":
		m.readUpdate(first, len(list))
	case "connection.update":
		m.Kind = text(first, "status")
		if first["test"] == true {
			m.Kind = "test"
		}
	case "group.update":
		m.readGroup(first)
	case "presence.update":
		for _, p := range sub(first, "presences") {
			if o, ok := p.(object); ok {
				m.Kind = cmp.Or(map[string]string{"available": "online", "unavailable": "offline", "composing": "typing", "paused": "stopped typing"}[text(o, "lastKnownPresence")],
					text(o, "lastKnownPresence"))
			}
		}
	}
}

func (m *Message) readMessage(data object) {
	all, _ := data["messages"].([]any)
	if len(all) == 0 {
		return
	}
	msg, _ := all[0].(object)
	if key := sub(msg, "key"); key["fromMe"] != true {
		m.Name = text(msg, "pushName")
	}
	if content := sub(msg, "message"); len(content) > 0 {
		m.Kind, m.Content = describeContent(content, 0)
		return
	}
	m.Kind = "no content"
	if msg["messageStubType"] != nil {
		m.Kind = "could not be decrypted"
	}
}

func (m *Message) readUpdate(data object, n int) {
	update := sub(data, "update")
	many := ""
	if n > 1 {
		many = fmt.Sprintf(", %d messages", n)
	}
	status, known := update["status"].(float64)
	switch {
	case known:
		m.Kind = cmp.Or(map[int]string{0: "failed", 1: "pending", 2: "sent", 3: "delivered", 4: "read", 5: "played"}[int(status)], "status "+strconv.Itoa(int(status))) + many
	case update["pollUpdates"] != nil:
		m.Kind = "vote in a poll"
	case update["starred"] != nil:
		m.Kind = "starred"
	case len(sub(update, "message")) > 0:
		m.Kind, m.Content = describeContent(sub(update, "message"), 0)
		m.Kind = "edited: " + m.Kind
	case update["messageStubType"] != nil:
		m.Kind = "deleted"
	case data["receipt"] != nil:
		m.Kind = "receipt in a group" + many
	default:
		m.Kind = "update" + many
	}
}

func (m *Message) readGroup(group object) {
	m.Name = text(group, "subject")
	if action := text(group, "action"); action != "" {
		m.Kind = "members: " + action
		return
	}
	for _, field := range []string{"subject", "desc", "announce", "restrict", "ephemeralDuration", "inviteCode", "joinApprovalMode", "suspended", "deleted"} {
		if group[field] != nil {
			m.Kind = map[string]string{
				"subject": "subject", "desc": "description", "announce": "who may write", "restrict": "who may change it", "ephemeralDuration": "disappearing messages",
				"inviteCode": "invitation link", "joinApprovalMode": "who may join", "suspended": "suspended", "deleted": "deleted",
			}[field]
			return
		}
	}
	m.Kind = "settings"
}

// wrappers hold another message.
func wrappers() []string {
	return []string{"ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension", "documentWithCaptionMessage", "editedMessage", "deviceSentMessage"}
}

// deepest bounds how far messages in messages are followed.
const deepest = 8

// describeContent says what a message is, and what stands in it.
func describeContent(msg object, depth int) (kind, content string) {
	if depth > deepest {
		return "message", ""
	}
	if t, ok := msg["conversation"].(string); ok {
		return characters(t), t
	}
	for _, w := range wrappers() {
		if inner := sub(sub(msg, w), "message"); len(inner) > 0 {
			return describeContent(inner, depth+1)
		}
	}
	if protocol := sub(msg, "protocolMessage"); len(protocol) > 0 {
		switch edited := sub(protocol, "editedMessage"); {
		case len(edited) > 0:
			kind, content = describeContent(edited, depth+1)
			return "edit: " + kind, content
		case text(protocol, "type") == "REVOKE":
			return "deleted a message", ""
		}
		return "control message", ""
	}
	for _, name := range slices.Sorted(maps.Keys(msg)) {
		if o, ok := msg[name].(object); ok && name != "messageContextInfo" && name != "senderKeyDistributionMessage" {
			if kind, content = describePart(name, o); kind != "" {
				return kind, content
			}
		}
	}
	return "message", ""
}

func describePart(name string, o object) (kind, content string) {
	switch name {
	case "extendedTextMessage":
		return characters(text(o, "text")), text(o, "text")
	case "imageMessage", "videoMessage":
		kind = strings.TrimSuffix(name, "Message") + size(o)
		if caption := text(o, "caption"); caption != "" {
			return kind + ", with a caption", caption
		}
		return kind, ""
	case "audioMessage":
		if o["ptt"] == true {
			return "voice message" + size(o), ""
		}
		return "audio" + size(o), ""
	case "documentMessage":
		return "document" + size(o), strings.TrimSpace(text(o, "fileName") + "\n" + text(o, "caption"))
	case "stickerMessage":
		return "sticker", ""
	case "contactMessage":
		return "contact", text(o, "displayName")
	case "contactsArrayMessage":
		return "contacts", text(o, "displayName")
	case "locationMessage", "liveLocationMessage":
		return "location", strings.TrimSpace(fmt.Sprintf("%v, %v %s", o["degreesLatitude"], o["degreesLongitude"], text(o, "name")))
	case "reactionMessage":
		if text(o, "text") == "" {
			return "reaction removed", ""
		}
		return "reaction", text(o, "text")
	case "pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3":
		return "poll", text(o, "name")
	case "pollUpdateMessage":
		return "vote in a poll", ""
	case "buttonsResponseMessage":
		return "answer", text(o, "selectedDisplayText")
	case "listResponseMessage":
		return "answer", text(o, "title")
	}
	if plain, ok := strings.CutSuffix(name, "Message"); ok {
		return Line(plain), ""
	}
	return "", ""
}

func characters(s string) string {
	if n := utf8.RuneCountInString(s); n != 1 {
		return fmt.Sprintf("text, %s characters", term.Count(int64(n)))
	}
	return "text, 1 character"
}

func size(o object) string {
	n, err := strconv.ParseInt(text(o, "fileLength"), 10, 64)
	if err != nil {
		return ""
	}
	return ", " + term.Bytes(n)
}

func text(o object, name string) string { s, _ := o[name].(string); return s }

func sub(o object, name string) object { s, _ := o[name].(object); return s }

// cleanText makes a text of others harmless and keeps its lines.
func cleanText(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = term.Clean(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n")
}

// Text is an answer or a body of others with its lines, harmless.
func Text(s string) string { return cleanText(s) }
