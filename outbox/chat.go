package outbox

import "strings"

// The kinds of chat.
const (
	KindDirect     = "direct"     // one person, a broadcast list of one's own included
	KindGroup      = "group"      // a group, a community
	KindStatus     = "status"     // status updates
	KindNewsletter = "newsletter" // channels
)

// ChatKinds lists every kind of chat.
func ChatKinds() []string { return []string{KindDirect, KindGroup, KindStatus, KindNewsletter} }

// ChatKind returns the kind of a chat, "" for an order key that is no chat ("connection").
func ChatKind(chat string) string {
	_, server, found := strings.Cut(chat, "@")
	switch {
	case !found:
		return ""
	case chat == "status@broadcast":
		return KindStatus
	case server == "g.us":
		return KindGroup
	case server == "newsletter":
		return KindNewsletter
	}
	return KindDirect
}
