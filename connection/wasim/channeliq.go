package wasim

import (
	"encoding/json"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// The GraphQL queries about channels that are replied to, by the ids that web clients send.
const (
	queryChannel    = "6563316087068696"
	queryFollowed   = "6388546374527196"
	mutationFollow  = "9926858900719341"
	mutationDismiss = "6392786840836363"
)

// mex replies to a GraphQL query of the companion.
func (a *Account) mex(n *waBinary.Node) waBinary.Node {
	query := n.GetChildByTag("query")
	raw, _ := query.Content.([]byte)
	var in struct {
		Variables struct {
			ID    string `json:"newsletter_id"`
			Input struct {
				Key string `json:"key"`
			} `json:"input"`
		} `json:"variables"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return iqError(n, 400, "bad-request")
	}
	name := in.Variables.ID + in.Variables.Input.Key
	var data map[string]any
	switch attrString(query, "query_id") {
	case queryFollowed:
		list := []any{}
		for _, ch := range a.Channels() {
			if ch.isFollowed() {
				list = append(list, ch.metadata())
			}
		}
		data = map[string]any{"xwa2_newsletter_subscribed": list}
	case queryChannel:
		if ch, err := a.findChannel(name); err == nil {
			data = map[string]any{"xwa2_newsletter": ch.metadata()}
		}
	case mutationFollow, mutationDismiss:
		if ch, err := a.findChannel(name); err == nil {
			ch.setFollowed(attrString(query, "query_id") == mutationFollow)
			data = map[string]any{"xwa2_newsletter": map[string]any{"id": name}}
		}
	}
	reply := map[string]any{"data": data}
	if data == nil {
		reply["errors"] = []any{map[string]any{"message": "Not Found", "extensions": map[string]any{"error_code": 404, "severity": "CRITICAL"}}}
	}
	var out strings.Builder
	json.NewEncoder(&out).Encode(reply) //nolint:errcheck // maps of text
	return iqResult(n, waBinary.Node{Tag: "result", Content: []byte(out.String())})
}

func (ch *Channel) isFollowed() bool {
	ch.acct.mu.Lock()
	defer ch.acct.mu.Unlock()
	return ch.followed
}

func (ch *Channel) setFollowed(on bool) {
	ch.acct.mu.Lock()
	defer ch.acct.mu.Unlock()
	ch.followed = on
}
