// Package thin makes what MCP subscribers get of an event: enough to decide whether to look, and
// never the stored body, which holds the secrets of messages, the keys of media and the code that
// links a device. It is pure.
package thin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"waoutbox/connection/translate"
	"waoutbox/outbox"
)

const (
	// maxItems bounds the members and the changes that one payload lists.
	maxItems = 100
	// maxPreview bounds the text of a message, maxName the name of its sender, in characters.
	maxPreview = 200
	maxName    = 64
	// maxID bounds whatever else somebody chose, in characters: ids and addresses are far shorter.
	maxID = 128
)

// errDamaged is of an event whose body cannot be read.
var errDamaged = errors.New("the event is damaged")

// Data returns the payload of an event, an object that Types describes, of a few KiB at most. With
// preview it has the beginning of a message's text, which is written by strangers. It fails for
// what is no event of the catalogue, or damaged.
func Data(ev outbox.Event, preview bool) (json.RawMessage, error) {
	if ev.Corrupt {
		return nil, errDamaged
	}
	var body struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(ev.Body, &body); err != nil {
		return nil, errDamaged
	}
	var data any
	switch ev.Name {
	case translate.MessageReceived, translate.MessageSent:
		data = message(ev, body.Data, preview)
	case translate.MessageUpdate:
		data = messageUpdate(ev, body.Data)
	case translate.GroupUpdate:
		data = groupUpdate(ev, body.Data)
	case translate.ConnectionUpdate:
		data = connectionUpdate(ev, body.Data)
	case translate.PresenceUpdate:
		data = presenceUpdate(ev, body.Data)
	default:
		return nil, fmt.Errorf("%q is no event of the catalogue", ev.Name)
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode the payload of an event: %w", err)
	}
	return raw, nil
}

// place is the chat of an event.
type place struct {
	Sequence outbox.Seq `json:"sequence"`
	Chat     string     `json:"chat"`
	ChatAlt  string     `json:"chatAlt,omitempty"`
	Kind     string     `json:"kind"`
}

func placeOf(ev outbox.Event) place {
	return place{Sequence: ev.Seq, Chat: short(ev.Chat, maxID), ChatAlt: short(ev.ChatAlt, maxID), Kind: outbox.ChatKind(ev.Chat)}
}

// key is how a body names a message.
type key struct {
	ID             string `json:"id"`
	RemoteJID      string `json:"remoteJid"`
	Participant    string `json:"participant"`
	ParticipantAlt string `json:"participantAlt"`
	FromMe         bool   `json:"fromMe"`
	IsViewOnce     bool   `json:"isViewOnce"`
}

// short makes text that somebody else chose fit to be shown: one line without control characters
// and marks that turn or hide text, and at most that many characters.
func short(text string, most int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case hidden(r):
			continue
		}
		if n >= most {
			b.WriteRune('…')
			break
		}
		if space {
			b.WriteByte(' ')
			n++
		}
		space = false
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// hidden reports whether a character cannot be seen, or changes how others are seen. The joiner of
// emoji and scripts stays.
func hidden(r rune) bool {
	const joiner = '\u200d'
	return r != joiner && (unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs) || r == unicode.ReplacementChar)
}
