package wasim

import (
	"encoding/json"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

// TestControlExamples: what a route says it takes is what it can read.
func TestControlExamples(t *testing.T) {
	s := testServer(t)
	for _, r := range s.routes() {
		if r.Method != "POST" {
			continue
		}
		in := request{}
		dec := json.NewDecoder(strings.NewReader(r.Takes))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&in); err != nil {
			t.Errorf("%s takes %s: %v", r.Path, r.Takes, err)
		}
	}
}

// TestControlDrivesTheRest: what the methods of accounts, contacts, groups and channels do can be
// had over the control API.
func TestControlDrivesTheRest(t *testing.T) {
	s, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	a.NewGroup("Team", bob)
	for _, call := range [][2]string{
		{"/messages", `{"from":"Bob","group":"status","text":"status"}`},
		{"/messages", `{"from":"phone","group":"status","text":"own status"}`},
		{"/messages", `{"from":"Bob","form":{"plain":"CgVubw==","edit":"1","enc_version":"2","attrs":{"category":"x"}}}`},
		{"/messages", `{"from":"Bob","form":{"id":"3A1","at":"2026-01-02T03:04:05Z"},"text":"dated"}`},
		{"/repeat", `{"id":"3A1","at":1735689600}`},
		{"/faults", `{"fault":{"from":"server","tag":"message","effect":"delay"},"for":"1ms"}`},
		{"/faults", `{"account":"unlinked","fault":{"from":"companion","tag":"iq","child":"pair-device-sign","effect":"cut-before"}}`},
		{"/faults/clear", `{}`},
		{"/faults/clear", `{"account":"unlinked"}`},
		{"/contacts/save", `{"contact":"Bob","name":"Bob Builder"}`},
		{"/star", `{"from":"Bob","id":"3A1","on":true}`},
		{"/mute", `{"group":"Team","for":"8h"}`},
		{"/read", `{"from":"Bob","ids":["3A1"]}`},
		{"/clock", `{"for":"-24h"}`},
		{"/hold", `{"on":true}`},
		{"/reorder", `{"order":"reverse"}`},
		{"/hold", `{"on":false}`},
		{"/stanza", `{"node":{"tag":"notification","attrs":{"id":"9","from":"15550100123@s.whatsapp.net","type":"status","t":"1735689600"},"content":[{"tag":"set","content":"busy"}]}}`},
		{"/channels", `{"name":"News"}`},
		{"/channels/messages", `{"channel":"News","text":"news","form":{"id":"N1"}}`},
		{"/channels/messages", `{"channel":"News","action":"edit","id":"N1","text":"newer"}`},
		{"/channels/messages", `{"channel":"News","action":"delete","id":"N1"}`},
		{"/channels/messages", `{"channel":"News","action":"status","text":"channel status"}`},
		{"/channels/follow", `{"channel":"News","on":false}`},
		{"/calls", `{"from":"Bob","video":true,"id":"C1"}`},
		{"/calls/end", `{"from":"Bob","id":"C1","reason":"timeout"}`},
		{"/groups/set", `{"group":"Team","by":"Bob","state":"ephemeral","text":"86400"}`},
		{"/groups/change", `{"group":"Team","by":"Bob","node":{"tag":"growth_locked","attrs":{"type":"invite"}}}`},
		{"/communities", `{"subject":"Town","members":["Bob"],"who":["Team"]}`},
		{"/communities/link", `{"subject":"Town","by":"Bob","group":"Team","action":"unlink"}`},
		{"/history", `{"message":{"syncType":"RECENT"}}`},
		{"/prekeys/use", `{"count":1}`},
		{"/forget-sessions", `{"from":"Bob"}`},
		{"/reinstall", `{"from":"Bob"}`},
		{"/messages", `{"from":"Bob","text":"the last"}`},
	} {
		do(t, s, "POST", call[0], call[1])
	}
	for _, text := range []string{"status", "own status", "dated", "news", "newer", "channel status", "the last"} {
		c.waitText(t, text)
	}
	if got := waitFor[*events.UserAbout](t, c); got.Status != "busy" {
		t.Errorf("the stanza told %+v", got)
	}
	waitFor[*events.CallTerminate](t, c)
	if got := waitFor[*events.Contact](t, c); got.Action.GetFullName() != "Bob Builder" {
		t.Errorf("the address book says %+v", got.Action)
	}
	if got := waitFor[*events.Star](t, c); got.MessageID != "3A1" || !got.Action.GetStarred() {
		t.Errorf("starred %+v", got)
	}
	waitFor[*events.Mute](t, c)
	if got := do(t, s, "GET", "/channels", "")["channels"].([]any); len(got) != 1 {
		t.Errorf("channels: %v", got)
	}
	do(t, s, "GET", "/wait?for=drained", "")
	for path, body := range map[string]string{
		"/faults":            `{"fault":{"from":"nobody","effect":"lose"}}`,
		"/reorder":           `{"order":"alphabetic"}`,
		"/stanza":            `{"node":{"tag":"notification"}}`,
		"/groups/set":        `{"group":"Team","by":"Bob","state":"colour"}`,
		"/channels/messages": `{"channel":"News","action":"sing"}`,
		"/messages":          `{"from":"Bob","text":"x","count":2,"form":{"id":"3A"}}`,
	} {
		if code, out := control(t, s, "POST", path, body); code != 400 {
			t.Errorf("POST %s %s: %d %v", path, body, code, out)
		}
	}
	do(t, s, "POST", "/restrict", `{"at":4102444800}`)
	waitFor[*events.NotifyAccountReachoutTimelock](t, c)
	do(t, s, "POST", "/ban", `{"code":"101","count":3600}`)
	do(t, s, "POST", "/drop", "")
	waitFor[*events.TemporaryBan](t, c)
}
