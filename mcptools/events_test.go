package mcptools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// Pages follow each other without a gap and without a repetition, whatever is cut, and bodies are
// marked as what they are.
func TestEventPages(t *testing.T) {
	f := newFake()
	const last = 250
	f.onEvents = func(_ context.Context, q api.EventQuery) (api.EventPage, error) {
		from := q.From
		if from == 0 {
			from = last
		}
		page := api.EventPage{Last: last}
		for n := from; n > 0 && len(page.Items) < min(q.Limit, 30); n-- { // shorter than asked for
			e := event(n)
			if e.Body = ""; q.Bodies {
				e.Body = strings.Repeat("x", 3000)
			}
			page.Items = append(page.Items, e)
			page.Next = n - 1
		}
		page.More = page.Next > 0
		return page, nil
	}
	s := start(t, optionsFor(f))
	s.initialize()
	for _, args := range []string{`{"limit":100%s}`, `{"limit":7%s}`, `{"limit":50,"includeBody":true%s}`} {
		next, cursor := uint64(last), ""
		for {
			r := s.call("whatsapp_event_list", fmt.Sprintf(args, cursor))
			var got eventListOutput
			if err := json.Unmarshal(r.StructuredContent, &got); err != nil {
				t.Fatalf("%s: %v", r.text(), err)
			}
			if len(r.StructuredContent) > maxText+1024 {
				t.Fatalf("a page of %d bytes", len(r.StructuredContent))
			}
			for _, item := range got.Items {
				if item.ID != fmt.Sprintf("evt_%d", next) || (item.Body != "") != strings.Contains(args, "includeBody") {
					t.Fatalf("%s: %s with a body of %d bytes, want evt_%d", args, item.ID, len(item.Body), next)
				}
				next--
			}
			if bodies := strings.Contains(fmt.Sprint(r.Content), untrustedBodies); bodies != strings.Contains(args, "includeBody") {
				t.Fatalf("marked as untrusted: %v", bodies)
			}
			if got.NextCursor == "" {
				break
			}
			cursor = fmt.Sprintf(`,"cursor":%q`, got.NextCursor)
		}
		if next != 0 {
			t.Errorf("%s: the pages end before evt_%d", args, next)
		}
	}
}

// A filter that matches nothing of a long log ends, and says where to go on.
func TestEventListLooksAtABoundedPart(t *testing.T) {
	f := newFake()
	f.onEvents = func(_ context.Context, q api.EventQuery) (api.EventPage, error) {
		from := q.From
		if from == 0 {
			from = 1_000_000
		}
		return api.EventPage{Next: from - 64, More: true}, nil
	}
	s := start(t, optionsFor(f))
	s.initialize()
	r := s.call("whatsapp_event_list", `{"chat":"49151"}`)
	if n := len(f.recorded()); n != eventPages || !sameJSON(t, r.StructuredContent, fmt.Sprintf(`{"items":[],"nextCursor":"seq_%d"}`, 1_000_000-64*eventPages)) {
		t.Errorf("after %d pages %s", n, r.StructuredContent)
	}
}

// Groups come in pages, with their members only when one is asked for.
func TestGroupPages(t *testing.T) {
	f := newFake()
	f.groups = nil
	for n := range 45 {
		f.groups = append(f.groups, api.Group{JID: fmt.Sprintf("%d@g.us", n), Name: "G", Role: "member", Members: make([]api.GroupMember, 1000)})
	}
	s := start(t, optionsFor(f))
	s.initialize()
	cursor, seen := "", 0
	for {
		r := s.call("whatsapp_group_list", `{"limit":20`+cursor+`}`)
		var got groupListOutput
		if err := json.Unmarshal(r.StructuredContent, &got); err != nil {
			t.Fatal(err)
		}
		for _, g := range got.Items {
			if g.JID != fmt.Sprintf("%d@g.us", seen) || len(g.Members) > 0 || g.MemberCount != 1000 {
				t.Fatalf("%+v, want number %d", g, seen)
			}
			seen++
		}
		if got.Total != 45 {
			t.Errorf("total %d", got.Total)
		}
		if got.NextCursor == "" {
			break
		}
		cursor = fmt.Sprintf(`,"cursor":%q`, got.NextCursor)
	}
	if seen != 45 {
		t.Errorf("%d groups", seen)
	}
	f.groups = f.groups[:1]
	r := s.call("whatsapp_group_list", `{"jid":"0@g.us"}`)
	if len(r.StructuredContent) > maxText || !strings.Contains(fmt.Sprint(r.Content[1:]), "of 1000 members are shown") {
		t.Errorf("%d bytes, %v", len(r.StructuredContent), r.Content[1:])
	}
}
