package thin

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"waoutbox/outbox"
)

// updateData is the payload of message.update.
type updateData struct {
	place
	Updates     []change `json:"updates"`
	UpdateCount int      `json:"updateCount"`
}

type change struct {
	MessageID string `json:"messageId"`
	FromMe    bool   `json:"fromMe"`
	Change    string `json:"change"`
}

// The changes of messages.
const (
	changeSent       = "sent"
	changeDelivered  = "delivered"
	changeRead       = "read"
	changePlayed     = "played"
	changeEdited     = "edited"
	changeRevoked    = "revoked"
	changeStarred    = "starred"
	changeUnstarred  = "unstarred"
	changeFailed     = "failed"
	changeVote       = "vote"
	changeUnreadable = "unreadable"
)

// messageChanges lists them.
func messageChanges() []string {
	return []string{changeSent, changeDelivered, changeRead, changePlayed, changeEdited, changeRevoked, changeStarred, changeUnstarred,
		changeFailed, changeVote, changeUnreadable}
}

func messageUpdate(ev outbox.Event, raw json.RawMessage) updateData {
	var updates []struct {
		Key    key `json:"key"`
		Update struct {
			Status  *int                       `json:"status"`
			Message map[string]json.RawMessage `json:"message"`
			Stub    int                        `json:"messageStubType"`
			Starred *bool                      `json:"starred"`
			Votes   []json.RawMessage          `json:"pollUpdates"`
		} `json:"update"`
		Receipt *struct {
			Read   json.Number `json:"readTimestamp"`
			Played json.Number `json:"playedTimestamp"`
		} `json:"receipt"`
	}
	out := updateData{place: placeOf(ev), Updates: []change{}}
	if json.Unmarshal(raw, &updates) != nil {
		return updateData{place: out.place, Updates: []change{{Change: changeUnreadable}}, UpdateCount: 1}
	}
	out.UpdateCount = len(updates)
	for _, u := range updates[:min(len(updates), maxItems)] {
		c := change{MessageID: short(u.Key.ID, maxID), FromMe: u.Key.FromMe, Change: changeUnreadable}
		switch {
		case u.Update.Stub == 1:
			c.Change = changeRevoked
		case len(u.Update.Message) > 0:
			c.Change = changeEdited
		case len(u.Update.Votes) > 0:
			c.Change = changeVote
		case u.Update.Starred != nil && *u.Update.Starred:
			c.Change = changeStarred
		case u.Update.Starred != nil:
			c.Change = changeUnstarred
		case u.Update.Status != nil:
			c.Change = statusChange(*u.Update.Status)
		case u.Receipt != nil && u.Receipt.Played != "":
			c.Change = changePlayed
		case u.Receipt != nil && u.Receipt.Read != "":
			c.Change = changeRead
		case u.Receipt != nil:
			c.Change = changeDelivered
		}
		out.Updates = append(out.Updates, c)
	}
	return out
}

// statusChange is what a status of a message tells.
func statusChange(status int) string {
	known := []string{changeFailed, changeSent, changeSent, changeDelivered, changeRead, changePlayed}
	if status < 0 || status >= len(known) {
		return changeUnreadable
	}
	return known[status]
}

// groupData is the payload of group.update.
type groupData struct {
	place
	Action           string   `json:"action,omitempty"`
	Changed          []string `json:"changed"`
	Author           string   `json:"author,omitempty"`
	Participants     []string `json:"participants"`
	ParticipantCount int      `json:"participantCount"`
}

func groupUpdate(ev outbox.Event, raw json.RawMessage) groupData {
	out := groupData{place: placeOf(ev), Changed: []string{}, Participants: []string{}}
	var groups []map[string]json.RawMessage
	if json.Unmarshal(raw, &groups) != nil || len(groups) == 0 {
		out.Changed = []string{changeUnreadable}
		return out
	}
	g := groups[0]
	text := func(name string) string {
		var s string
		if json.Unmarshal(g[name], &s) != nil {
			return ""
		}
		return short(s, maxID)
	}
	out.Action, out.Author = text("action"), text("author")
	var members []struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(g["participants"], &members) == nil {
		out.ParticipantCount = len(members)
		for _, m := range members[:min(len(members), maxItems)] {
			out.Participants = append(out.Participants, short(m.ID, maxID))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g)) {
		switch name {
		case "id", "author", "authorPn", "action", "method", "participants", "addressingMode":
			continue
		}
		if len(out.Changed) < maxItems {
			out.Changed = append(out.Changed, short(name, maxID))
		}
	}
	return out
}

// connectionData is the payload of connection.update: nothing that links a device.
type connectionData struct {
	Sequence outbox.Seq `json:"sequence"`
	Status   string     `json:"status"`
	Reason   string     `json:"reason,omitempty"`
	Code     int        `json:"code,omitempty"`
}

func connectionUpdate(ev outbox.Event, raw json.RawMessage) connectionData {
	var c struct {
		Status         string `json:"status"`
		LastDisconnect struct {
			Error struct {
				Output struct {
					StatusCode int `json:"statusCode"`
					Payload    struct {
						Message string `json:"message"`
					} `json:"payload"`
				} `json:"output"`
			} `json:"error"`
		} `json:"lastDisconnect"`
	}
	_ = json.Unmarshal(raw, &c) // what cannot be read stays empty
	ended := c.LastDisconnect.Error.Output
	status := short(c.Status, maxID)
	if status == "" {
		status = "unknown"
	}
	return connectionData{Sequence: ev.Seq, Status: status, Reason: short(ended.Payload.Message, maxPreview), Code: ended.StatusCode}
}

// presenceData is the payload of presence.update.
type presenceData struct {
	place
	Who   string `json:"who"`
	State string `json:"state"`
}

func presenceUpdate(ev outbox.Event, raw json.RawMessage) presenceData {
	var p struct {
		Presences map[string]struct {
			State string `json:"lastKnownPresence"`
		} `json:"presences"`
	}
	_ = json.Unmarshal(raw, &p) // what cannot be read stays empty
	out := presenceData{place: placeOf(ev), State: "unknown"}
	for _, who := range slices.Sorted(maps.Keys(p.Presences)) {
		out.Who, out.State = short(who, maxID), short(strings.TrimSpace(p.Presences[who].State), maxID)
		break
	}
	return out
}
