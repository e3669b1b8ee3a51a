package connection

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// TestRandomNoticesDoNotVanish: a receipt or a group change with attributes and children missing or
// doubled leaves an event, unless all it holds is internal.
//
// Mutation of connection/stanzas/notice.go: a receipt that the library refuses, for an address is
// none, vanishes.
// Mutation of connection/stanzas/notice.go: a receipt that the library refuses, for its time is
// none, vanishes.
func TestRandomNoticesDoNotVanish(t *testing.T) {
	r := newMissedRig(t)
	ctx := bounded(t)
	rnd := rand.New(rand.NewPCG(31, 32))
	bob, team := parsed(t, r.bob.LID()), parsed(t, r.group.JID())
	now := fmt.Sprint(time.Now().Unix())
	for name, attrs := range map[string]waBinary.Attrs{
		"a receipt":            {"from": bob, "t": now},
		"without a time":       {"from": bob},
		"with a word as time":  {"from": bob, "t": "now"},
		"from a word":          {"from": "word", "t": now},
		"to a word":            {"from": bob, "t": now, "recipient": "word"},
		"a member's":           {"from": team, "t": now, "participant": bob},
		"of a word in a group": {"from": team, "t": now, "participant": "word"},
	} {
		attrs["id"], attrs["type"] = r.id(), "read"
		before := len(r.events())
		must(t, r.acc.SendStanza(ctx, tag("receipt", attrs, nil)))
		must(t, r.acc.WaitDrained(ctx))
		if got := len(r.events()) - before; got != 1 {
			t.Errorf("%s: %d events", name, got)
		}
	}
	some := func(attrs waBinary.Attrs) waBinary.Attrs { // each attribute may be missing
		for name := range attrs {
			if rnd.IntN(5) == 0 {
				delete(attrs, name)
			}
		}
		return attrs
	}
	member := func() []waBinary.Node {
		return []waBinary.Node{tag("participant", some(waBinary.Attrs{"jid": bob}), nil)}
	}
	told := map[string]func(id string) waBinary.Node{
		"announcement":     func(id string) waBinary.Node { return tag("announcement", some(waBinary.Attrs{"v_id": id}), nil) },
		"not_announcement": func(id string) waBinary.Node { return tag("not_announcement", some(waBinary.Attrs{"v_id": id}), nil) },
		"locked":           func(id string) waBinary.Node { return tag("locked", nil, nil) },
		"subject": func(id string) waBinary.Node {
			return tag("subject", some(waBinary.Attrs{"subject": id, "s_t": now, "s_o": bob}), nil)
		},
		"description": func(id string) waBinary.Node {
			return tag("description", some(waBinary.Attrs{"id": id}), []waBinary.Node{tag("body", nil, []byte("text"))})
		},
		"invite": func(id string) waBinary.Node { return tag("invite", some(waBinary.Attrs{"code": id}), nil) },
		"ephemeral": func(id string) waBinary.Node {
			return tag("ephemeral", some(waBinary.Attrs{"expiration": "86400"}), nil)
		},
		"suspended": func(id string) waBinary.Node { return tag("suspended", nil, nil) },
		"create": func(id string) waBinary.Node {
			return tag("create", nil, []waBinary.Node{tag("group", some(waBinary.Attrs{"id": team.User, "subject": "S"}), nil)})
		},
		"promote": func(id string) waBinary.Node {
			return tag("promote", some(waBinary.Attrs{"v_id": id}), append(member(), tag("participant", waBinary.Attrs{"jid": bob}, nil)))
		},
		"read": func(id string) waBinary.Node {
			return tag("participants", some(waBinary.Attrs{"key": id}), []waBinary.Node{tag("user", some(waBinary.Attrs{"jid": bob, "t": now}), nil)})
		},
	}
	internal := []string{"growth_locked", "allow_admin_reports"}
	names := make([]string, 0, len(told))
	for name := range told {
		names = append(names, name)
	}
	slices.Sort(names)
	for range 150 {
		id := r.id()
		n := tag("notification", waBinary.Attrs{"id": id, "from": team, "participant": bob, "type": "w:gp2", "t": now}, nil)
		var kinds []string
		var children []waBinary.Node
		if rnd.IntN(4) == 0 {
			n = tag("receipt", waBinary.Attrs{"id": id, "from": team, "t": now, "type": "read"}, nil)
			kinds = []string{"read"}
		} else {
			for range 1 + rnd.IntN(3) {
				kinds = append(kinds, append(names, internal...)[rnd.IntN(len(names)+len(internal))])
			}
		}
		silent := true
		for _, kind := range kinds {
			if slices.Contains(internal, kind) {
				children = append(children, tag(kind, nil, nil))
				continue
			}
			children = append(children, told[kind](id))
			if kind != "read" && (kind != "create" || len(kinds) == 1) || n.Tag == "receipt" {
				silent = false // among others the library takes these for changes it does not know
			}
		}
		n.Content = children
		before := len(r.events())
		must(t, r.acc.SendStanza(ctx, n))
		must(t, r.acc.WaitDrained(ctx))
		if len(r.events()) == before && !silent {
			t.Errorf("no event of %s", &n)
		}
	}
}
