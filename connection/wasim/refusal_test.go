package wasim

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// iq lets the client ask the server something and returns the code of the refusal, 0 without one.
func (c *client) iq(t *testing.T, namespace, kind string, to types.JID, content ...waBinary.Node) (*waBinary.Node, int) {
	t.Helper()
	q := whatsmeow.DangerousInfoQuery{Namespace: namespace, Type: whatsmeow.DangerousInfoQueryType(kind), To: to}
	if len(content) > 0 {
		q.Content = content
	}
	//lint:ignore SA1019 what other clients ask, the library has no methods for
	got, err := c.DangerousInternals().SendIQ(testContext(t), q)
	if refused, ok := errors.AsType[*whatsmeow.IQError](err); ok {
		return got, refused.Code
	}
	must(t, err)
	return got, 0
}

func TestRequestsThatAreRefused(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	theirs, gone := a.NewGroup("Team", bob), a.NewGroup("Gone", bob)
	must(t, gone.RemoveAccount(testContext(t), bob))
	group := func(g *Group) types.JID { return jid(t, g.JID()) }
	key := func(size int) waBinary.Node {
		return waBinary.Node{Tag: "list", Content: []waBinary.Node{{Tag: "key", Content: []waBinary.Node{
			{Tag: "id", Content: bytes24(9)}, {Tag: "value", Content: make([]byte, size)},
		}}}}
	}
	for i, tt := range []struct {
		namespace, kind string
		to              types.JID
		content         []waBinary.Node
		code            int
	}{
		{"w:nobody", "get", types.ServerJID, nil, 501},
		{"w:g2", "get", group(gone), []waBinary.Node{{Tag: "query"}}, 403},
		{"w:g2", "get", types.NewJID("120363000000000000", types.GroupServer), []waBinary.Node{{Tag: "query"}}, 404},
		{"w:g2", "get", group(theirs), nil, 400},
		{"w:g2", "set", group(theirs), []waBinary.Node{{Tag: "announcement"}}, 403},
		{"w:g2", "set", group(theirs), []waBinary.Node{{Tag: "remove"}}, 403},
		{"w:g2", "get", group(theirs), []waBinary.Node{{Tag: "something"}}, 501},
		{"encrypt", "set", types.ServerJID, []waBinary.Node{key(31)}, 406},
		{"encrypt", "set", types.ServerJID, []waBinary.Node{{Tag: "list"}}, 406},
		{"encrypt", "set", types.ServerJID, []waBinary.Node{key(32), {Tag: "identity", Content: make([]byte, 32)}}, 406},
		{"encrypt", "set", types.ServerJID, []waBinary.Node{key(32), {Tag: "skey", Content: []waBinary.Node{
			{Tag: "id", Content: bytes24(1)}, {Tag: "value", Content: make([]byte, 32)}, {Tag: "signature", Content: make([]byte, 64)},
		}}}, 406},
		{"w:profile:picture", "get", types.ServerJID, []waBinary.Node{{Tag: "picture"}}, 404},
	} {
		if _, code := c.iq(t, tt.namespace, tt.kind, tt.to, tt.content...); code != tt.code {
			t.Errorf("request %d (%s %s): code %d, want %d", i, tt.namespace, tt.kind, code, tt.code)
		}
	}
	for name, n := range map[string]waBinary.Node{
		"no id":       {Tag: "message", Attrs: waBinary.Attrs{"to": bob.lid}},
		"no content":  {Tag: "message", Attrs: waBinary.Attrs{"to": bob.lid, "id": "A"}},
		"no bytes":    {Tag: "message", Attrs: waBinary.Attrs{"to": bob.lid, "id": "A"}, Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"type": "msg"}}}},
		"no identity": {Tag: "message", Attrs: waBinary.Attrs{"to": bob.lid, "id": "A"}, Content: []waBinary.Node{encNode("pkmsg", []byte{1})}},
	} {
		if ack, _ := a.handleMessage(a.device, &n); fmt.Sprint(ack.Attrs["error"]) != "400" {
			t.Errorf("a message with %s: %v", name, ack.Attrs["error"])
		}
	}
	must(t, theirs.Set(testContext(t), bob, "announcement", ""))
	if _, err := c.SendMessage(testContext(t), group(theirs), text("not an admin")); err == nil {
		t.Error("a plain member wrote into a group where only admins may")
	}
}

// TestWhatAnotherClientAsks: requests of clients other than whatsmeow's.
func TestWhatAnotherClientAsks(t *testing.T) {
	_, a, c := linked(t)
	own := a.device.lid
	user := func(j types.JID) waBinary.Node { return waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": j}} }
	got, _ := c.iq(t, "encrypt", "get", types.ServerJID, waBinary.Node{Tag: "key", Content: []waBinary.Node{user(own), user(types.NewADJID(own.User, types.LIDDomain, 40))}})
	list := got.GetChildByTag("list")
	users := list.GetChildrenByTag("user")
	if identity := childBytes(users[0], "identity"); !slices.Equal(identity, a.device.identity[:]) {
		t.Errorf("prekeys of the own device: %s", &users[0])
	}
	if _, missing := users[1].GetOptionalChildByTag("error"); !missing {
		t.Errorf("prekeys of a device that is not there: %s", &users[1])
	}
	got, _ = c.iq(t, "encrypt", "get", types.ServerJID, waBinary.Node{Tag: "digest"})
	digest := got.GetChildByTag("digest")
	if len(childBytes(digest, "hash")) != 20 || !slices.Equal(childBytes(digest, "identity"), a.device.identity[:]) {
		t.Errorf("digest: %s", &digest)
	}
	got, _ = c.iq(t, "usync", "get", types.ServerJID, waBinary.Node{Tag: "usync", Attrs: waBinary.Attrs{"mode": "query"}, Content: []waBinary.Node{
		{Tag: "query", Content: []waBinary.Node{{Tag: "lid"}}}, {Tag: "list", Content: []waBinary.Node{user(own.ToNonAD()), user(a.pn)}},
	}})
	list = got.GetChildByTag("usync", "list")
	users = list.GetChildrenByTag("user")
	if _, named := users[0].GetOptionalChildByTag("lid"); named {
		t.Error("a LID that is asked for its LID names itself")
	}
	if n := users[1].GetChildByTag("lid"); attrString(n, "val") != a.LID() {
		t.Errorf("the LID of a phone number: %s", &users[1])
	}
}
