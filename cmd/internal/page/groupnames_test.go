package page

import (
	"context"
	"errors"
	"html"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// inGroup is everything, with its event in a group, and a webhook that gets that group alone.
func inGroup() *fakeService {
	f := everything()
	f.events[0].Chat, f.events[0].ChatAlt = "120363041234567890@g.us", ""
	f.status.Webhooks[1].Chats = []string{"120363041234567890@g.us"}
	return f
}

// TestGroupsHaveNames: an event in a group says whose and in which group, as far as the name is
// known; nobody waits for it, it is asked for once, and it is hidden with the others. Before, the
// page had the group's address alone.
func TestGroupsHaveNames(t *testing.T) {
	t.Parallel()
	f := inGroup()
	var asked atomic.Int32
	f.groups = func(context.Context) ([]api.Group, error) {
		asked.Add(1)
		return []api.Group{{JID: "120363041234567890@g.us", Name: "<b>Our\u202e team</b>"}}, nil
	}
	b := open(t, f)
	for path, want := range map[string]string{"events": "in <bdi><b>Our", "deadletters": "in <bdi><b>Our", "deadletters/dl_wh_9QRT_7": "in <bdi><b>Our", "webhooks/wh_9QRT": "<b>Our"} {
		_, text := b.get(path)
		if !strings.Contains(html.UnescapeString(text), want) || strings.Contains(text, "<b>Our") || strings.Contains(text, "\u202e") {
			t.Errorf("%s does not name the group, or not harmlessly", path)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("WhatsApp is asked %d times", n)
	}
	b.post("settings", b.form("hide", "1", "back", Root))
	for _, path := range []string{"events", "deadletters", "deadletters/dl_wh_9QRT_7", "webhooks/wh_9QRT"} {
		if _, text := b.get(path); strings.Contains(text, "Our") || strings.Contains(text, "120363041234567890") {
			t.Errorf("%s shows the hidden group", path)
		}
	}
}

// TestPagesDoNotWaitForNames: a WhatsApp that does not respond, or fails, costs a page nothing that
// anybody notices, and the address stands there.
func TestPagesDoNotWaitForNames(t *testing.T) {
	t.Parallel()
	for name, groups := range map[string]func(context.Context) ([]api.Group, error){
		"hangs": func(ctx context.Context) ([]api.Group, error) { <-ctx.Done(); return nil, ctx.Err() },
		"fails": func(context.Context) ([]api.Group, error) { return nil, errors.New("not connected") },
		// nobody's request is there to contain it: before, the service ended
		"panics": func(context.Context) ([]api.Group, error) { panic("a group without a name") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := inGroup()
			f.groups = groups
			b := open(t, f)
			if _, text := b.get("events"); !strings.Contains(text, "group 120363041234567890") {
				t.Error("the group has no address either")
			}
		})
	}
}

// TestTheNextTryIsNamed: when a held webhook goes on, and a failing one tries the next, is said.
func TestTheNextTryIsNamed(t *testing.T) {
	t.Parallel()
	f := everything()
	at := time.Now().Add(34 * time.Second)
	f.status.Webhooks[1].NextTryAt = at
	b := open(t, f)
	want := "next try at "
	for _, path := range []string{"", "webhooks/wh_9QRT"} {
		if _, text := b.get(path); !strings.Contains(text, want) || !strings.Contains(text, at.Local().Format("15:04:05")) {
			t.Errorf("%q does not say when the next try is", path)
		}
	}
}
