package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"waoutbox/cmd/internal/term"
)

// eventDigest is as much of an event's body as a person who watches wants to see: whom it is of,
// and the text of a message. Everything in it was written by strangers.
func eventDigest(body []byte) string {
	var ev struct {
		Data struct {
			Messages []struct {
				Key struct {
					RemoteJID, RemoteJIDAlt, ParticipantAlt string
				}
				PushName string
				Message  map[string]json.RawMessage
			}
			linkDigest
			ID     string
			Action string
		}
	}
	if json.Unmarshal(body, &ev) != nil {
		return partNames(body)
	}
	d := ev.Data
	if len(d.Messages) == 0 {
		if text := strings.Join(strings.Fields(d.ID+" "+d.Action+" "+d.text()), " "); text != "" {
			return shownText(text)
		}
		return partNames(body)
	}
	m := d.Messages[0]
	who := m.Key.RemoteJID
	for _, other := range []string{m.Key.RemoteJIDAlt, m.Key.ParticipantAlt} {
		if strings.HasSuffix(other, "@s.whatsapp.net") {
			who = other
		}
	}
	out := shownText(person(who, m.PushName))
	if text := textOf(m.Message); text != "" {
		out += ": " + shownText(text)
	}
	return out
}

// linkDigest is what a connection.update says.
type linkDigest struct {
	Connection                   string
	QR                           string
	IsNewLogin                   bool
	ReceivedPendingNotifications bool
	LastDisconnect               struct {
		Error struct {
			Output struct {
				Payload struct {
					StatusCode int
					Message    string
				}
			}
		}
	}
}

func (l linkDigest) text() string {
	why := l.LastDisconnect.Error.Output.Payload
	switch {
	case l.QR != "":
		return "a QR code to scan"
	case l.IsNewLogin:
		return "linked"
	case l.ReceivedPendingNotifications:
		return "all that waited has arrived"
	case l.Connection == "close" && why.StatusCode != 0:
		return fmt.Sprintf("close, %d %s", why.StatusCode, why.Message)
	}
	return l.Connection
}

// partNames are the names of what an event tells, where it is no message.
func partNames(body []byte) string {
	var ev struct{ Data map[string]json.RawMessage }
	if json.Unmarshal(body, &ev) != nil {
		return ""
	}
	return shownText(strings.Join(slices.Sorted(maps.Keys(ev.Data)), ", "))
}

// textOf is the text of a message, or the name of what it has instead.
func textOf(message map[string]json.RawMessage) string {
	var text string
	if json.Unmarshal(message["conversation"], &text) == nil {
		return text
	}
	var part struct{ Text, Caption string }
	for name, raw := range message {
		if name == "messageContextInfo" || json.Unmarshal(raw, &part) != nil {
			continue
		}
		if part.Text != "" {
			return part.Text
		}
		return strings.TrimSpace("[" + strings.TrimSuffix(name, "Message") + "] " + part.Caption)
	}
	return ""
}

// shownText cleans and shortens what somebody else wrote.
func shownText(s string) string {
	return term.Clean(term.Short(strings.Join(strings.Fields(s), " "), 60))
}
