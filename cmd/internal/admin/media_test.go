package admin

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// fileLink is a link that sends files.
type fileLink struct {
	fixedLink
	sent    []api.Send
	content string
	refuse  error // before the file is read
}

func (l *fileLink) SendFile(_ context.Context, in api.Send, content io.Reader, _ ...outbox.SendRecorder) (api.SendResult, error) {
	if l.refuse != nil {
		return api.SendResult{}, l.refuse
	}
	b, err := io.ReadAll(content)
	if err != nil {
		return api.SendResult{}, err
	}
	l.sent, l.content = append(l.sent, in), string(b)
	return api.SendResult{MessageID: "3EB0"}, nil
}

// namedFiles are the sources: every path is a file that holds it.
type namedFiles struct {
	opened, closed int
	byUser         []bool
	err            error
}

func (n *namedFiles) Name(in api.File) string { return "name of " + in.Path }

func (n *namedFiles) Open(_ context.Context, in api.File, byUser bool) (io.ReadCloser, error) {
	if n.err != nil {
		return nil, n.err
	}
	n.opened++
	n.byUser = append(n.byUser, byUser)
	return struct {
		io.Reader
		io.Closer
	}{strings.NewReader("content of " + in.Path), n}, nil
}

func (n *namedFiles) Close() error { n.closed++; return nil }

// A file that a request names is opened when the link wants it, is called by its path unless it is
// named, and is closed.
//
// Mutation of media.go: a file that an agent names by its URL is fetched as if its user had named
// it.
func TestSendNamedFile(t *testing.T) {
	r := newRig(t)
	link, files := &fileLink{}, &namedFiles{}
	r.o.Link, r.o.Sources = link, files
	for _, name := range []string{"", "given"} {
		in := api.Send{To: "1@lid", File: &api.File{Path: "/a", Name: name}}
		if _, err := r.Send(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"": "name of /a", "given": "given"}[name]; link.sent[len(link.sent)-1].File.Name != want || link.content != "content of /a" || in.File.Name != name {
			t.Errorf("named %q: %+v with %q", name, link.sent, link.content)
		}
	}
	link.refuse = errors.New("not connected")
	if _, err := r.Send(t.Context(), api.Send{File: &api.File{Path: "/a"}}); !errors.Is(err, link.refuse) || files.opened != 2 || files.closed != 2 {
		t.Errorf("%v, %d opened, %d closed", err, files.opened, files.closed)
	}
	r.o.Caller = func(context.Context) api.Caller { return api.Caller{Kind: api.CallerMCP} }
	link.refuse = nil
	if _, err := r.Send(t.Context(), api.Send{File: &api.File{Path: "/a"}}); err != nil || !slices.Equal(files.byUser, []bool{true, true, false}) {
		t.Errorf("%v, asked for by the user: %v", err, files.byUser)
	}
	files.err = api.Errorf(api.CodePathNotAllowed, "no")
	if _, err := r.Send(t.Context(), api.Send{File: &api.File{Path: "/a"}}); api.CodeOf(err) != api.CodePathNotAllowed {
		t.Errorf("a path that is not allowed: %v", err)
	}
}

// events are the files of all events that have one.
type eventFiles struct{ asked []string }

func (e *eventFiles) Media(_ context.Context, ev outbox.Event) (api.Media, error) {
	e.asked = append(e.asked, ev.Key)
	if len(ev.Body) == 0 {
		return api.Media{}, errors.New("the event came without its body")
	}
	return api.Media{Content: io.NopCloser(strings.NewReader("x"))}, nil
}

// The file of a message is asked for by its event, or by WhatsApp's id of it: then the newest event
// counts.
func TestMediaByAnyName(t *testing.T) {
	r := newRig(t)
	if _, err := r.Media(t.Context(), "1"); api.CodeOf(err) != api.CodeServiceUnavail {
		t.Errorf("without a link: %v", err)
	}
	files := &eventFiles{}
	r.o.Link, r.o.Files = &fileLink{}, files
	base := time.Now().Add(-time.Hour).Unix()
	r.log(base, base+1, base+2) // all of them of the message 3EB0
	for _, ref := range []string{"2", " evt_00000000000000000000000000000001 ", "3EB0"} {
		m, err := r.Media(t.Context(), ref)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		_ = m.Content.Close()
	}
	want := "evt_00000000000000000000000000000002 evt_00000000000000000000000000000001 evt_00000000000000000000000000000003"
	if got := strings.Join(files.asked, " "); got != want {
		t.Errorf("asked for %s", got)
	}
	for _, ref := range []string{"3EB1", "99", "evt_00000000000000000000000000000009"} {
		if _, err := r.Media(t.Context(), ref); api.CodeOf(err) != api.CodeNotFound {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
