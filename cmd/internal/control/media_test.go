package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// A file crosses bit by bit with all that is known of it, and is closed when it is out.
func TestMediaCrosses(t *testing.T) {
	for _, size := range []int64{2, 200_000} {
		svc := &recordingService{mediaSize: size}
		r := startServer(t, svc)
		m, err := r.client.Media(t.Context(), "evt_1/../x y")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(m.Content)
		if err = errors.Join(err, m.Content.Close()); err != nil || int64(len(got)) != size || bytes.Count(got, []byte{7}) != len(got) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		want := full[api.MediaInfo]()
		want.Bytes = size
		if !reflect.DeepEqual(m.MediaInfo, want) {
			t.Errorf("%+v arrived as %+v", want, m.MediaInfo)
		}
		calls := svc.taken()
		if len(calls) != 1 || calls[0].args[0] != "evt_1/../x y" || calls[0].agent.Name != "cli" {
			t.Errorf("the service saw %+v", calls)
		}
	}
}

// A file that breaks off never looks whole, and it is closed when its caller is gone.
func TestMediaThatBreaksOff(t *testing.T) {
	svc := &recordingService{mediaSize: 200_000, mediaBreaks: true}
	r := startServer(t, svc)
	m, err := r.client.Media(t.Context(), "3A")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(m.Content); api.CodeOf(err) != api.CodeServiceUnavail || len(got) == 200_000 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := m.Content.Close(); err != nil {
		t.Error(err)
	}
	svc = &recordingService{mediaSize: 64 << 20}
	r = startServer(t, svc)
	ctx, cancel := context.WithCancel(t.Context())
	if m, err = r.client.Media(ctx, "3A"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(m.Content); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	_ = m.Content.Close() // cancelled
	r.stop()
	<-r.done
	svc.mu.Lock()
	defer svc.mu.Unlock()
	if svc.mediaClosed != 1 {
		t.Errorf("closed %d times", svc.mediaClosed)
	}
}

// What a sender says of a file never makes a browser run it.
func TestMediaHeaders(t *testing.T) {
	for mime, want := range map[string]string{
		"image/jpeg": "image/jpeg", "audio/ogg; codecs=opus": "audio/ogg", "VIDEO/mp4": "video/mp4", "application/pdf": "application/pdf",
		"text/html": "application/octet-stream", "image/svg+xml": "application/octet-stream", "image/": "application/octet-stream", "": "application/octet-stream",
		"image/png\r\nX: y": "application/octet-stream", "application/javascript": "application/octet-stream",
	} {
		if got := harmlessType(mime); got != want {
			t.Errorf("%q becomes %q", mime, got)
		}
	}
	r := startServer(t, &recordingService{mediaSize: 2})
	resp, err := r.client.send(t.Context(), http.MethodGet, "/v1/events/1/media", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if h := resp.Header; h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Disposition") != "attachment" || h.Get("Content-Type") != "application/octet-stream" || resp.ContentLength != 2 {
		t.Errorf("%v", h)
	}
}

// A file to be sent crosses with what is asked for, however large it is.
func TestSendFileCrosses(t *testing.T) {
	for _, size := range []int{0, 10, 3 << 20} {
		svc := &recordingService{}
		r := startServer(t, svc)
		in := api.Send{To: "1@lid", IdempotencyKey: "k", File: &api.File{Kind: "image", Caption: "grüße\r\n\"", Name: "a.jpg"}}
		content := strings.Repeat("x", size)
		out, err := r.client.SendFile(t.Context(), in, strings.NewReader(content))
		if err != nil || out != full[api.SendResult]() {
			t.Errorf("%+v, %v", out, err)
		}
		calls := svc.taken()
		if len(calls) != 1 || !reflect.DeepEqual(calls[0].args[0], in) || calls[0].args[1] != content || calls[0].agent.Name != "cli" {
			t.Errorf("%d bytes: the service saw %d calls", size, len(calls))
		}
	}
}

// counted counts what is read, and breaks off after some of it.
type counted struct {
	n, most int
	err     error
}

func (c *counted) Read(p []byte) (int, error) {
	if c.n >= c.most {
		return 0, c.err
	}
	c.n += len(p)
	return len(p), nil
}

// What the service refuses without a look at the file is not read; a file that cannot be read is
// not sent, and neither is one whose caller gives up.
func TestSendFileThatFails(t *testing.T) {
	svc := &recordingService{refuse: api.Errorf(api.CodeNotConnected, "not connected")}
	r := startServer(t, svc)
	content := &counted{most: 64 << 20, err: io.EOF}
	if _, err := r.client.SendFile(t.Context(), api.Send{}, content); api.CodeOf(err) != api.CodeNotConnected || content.n > 0 {
		t.Errorf("refused: %v after %d bytes", err, content.n)
	}
	svc = &recordingService{}
	r = startServer(t, svc)
	broken := errors.New("the disk is gone")
	if _, err := r.client.SendFile(t.Context(), api.Send{}, &counted{most: 1 << 20, err: broken}); !errors.Is(err, broken) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := r.client.SendFile(ctx, api.Send{}, &counted{most: 1 << 40}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if _, err := r.client.SendFile(t.Context(), api.Send{File: &api.File{Caption: strings.Repeat("x", maxHeaderBytes)}}, content); api.CodeOf(err) != api.CodeInvalidArguments {
		t.Errorf("a caption that is too long: %v", err)
	}
	for _, in := range []api.Send{{Text: "x"}, {File: &api.File{Path: "/x"}}, {Reaction: &api.Reaction{}}} {
		if _, err := r.client.SendFile(t.Context(), in, content); api.CodeOf(err) != api.CodeInvalidArguments {
			t.Errorf("a file beside %+v: %v", in, err)
		}
	}
	r.stop()
	<-r.done
	if calls := svc.taken(); len(calls) != 0 {
		t.Errorf("the service sent %d files", len(calls))
	}
}
