package connection

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"strings"
	"testing"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/outbox/api"
)

// aJPEG is a small picture.
func aJPEG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 64, 32)), nil))
	return b.Bytes()
}

// What is sent is what the receiver opens, in every kind, with what goes with it; message.sent says
// where the file lies, so that it can be fetched like a received one.
func TestSendFiles(t *testing.T) {
	r := linkedRig(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	ogg := []byte("OggS\x00\x02" + strings.Repeat("\x00", 22) + "OpusHead" + strings.Repeat("a", 5000))
	mp4 := []byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + strings.Repeat("x", 70_000))
	webp := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00" + strings.Repeat("x", 100))
	picture := aJPEG(t)
	for i, tc := range []struct {
		file    api.File
		content []byte
		kind    wasim.MediaKind
	}{
		{api.File{Caption: "look"}, picture, wasim.Image},
		{api.File{Caption: "watch"}, mp4, wasim.Video},
		{api.File{}, ogg, wasim.Audio},
		{api.File{Kind: "voice"}, ogg, wasim.Voice},
		{api.File{Kind: "sticker"}, webp, wasim.Sticker},
		{api.File{Name: "räk.pdf", Caption: "read"}, []byte("%PDF-1.7"), wasim.Document},
	} {
		res, err := r.SendFile(bounded(t), api.Send{To: bob.PN(), File: &tc.file}, bytes.NewReader(tc.content))
		must(t, err)
		must(t, bob.WaitReceived(bounded(t), i+1))
		got := bob.Received()[i]
		kind, plain, err := bob.Open(got)
		if err != nil || kind != tc.kind || !bytes.Equal(plain, tc.content) || got.ID != res.MessageID {
			t.Errorf("%+v: %s of %d bytes, %v", tc.file, kind, len(plain), err)
		}
		m := got.Message
		if w := m.GetDocumentWithCaptionMessage().GetMessage(); w != nil {
			m = w
		}
		caption := m.GetImageMessage().GetCaption() + m.GetVideoMessage().GetCaption() + m.GetDocumentMessage().GetCaption()
		if caption != tc.file.Caption || m.GetDocumentMessage().GetFileName() != tc.file.Name && tc.file.Name != "" {
			t.Errorf("%+v arrived as %v", tc.file, m)
		}
		if img := m.GetImageMessage(); img != nil && (img.GetWidth() != 64 || len(img.GetJPEGThumbnail()) == 0 || img.GetMimetype() != "image/jpeg") {
			t.Errorf("the picture arrived as %v", img)
		}
	}
	sent := r.named(translate.MessageSent)
	got, info, err := r.fetch(sent[0])
	if err != nil || !bytes.Equal(got, picture) || info.Kind != "image" {
		t.Errorf("fetched again: %d bytes, %+v, %v", len(got), info, err)
	}
	if left := r.spooled(); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}

// A repeated key sends and uploads nothing, from wherever the same file comes; with another file it
// is refused.
func TestSendFileOnce(t *testing.T) {
	r := linkedRig(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	send := func(path, caption string, content string) (api.SendResult, error) {
		return r.SendFile(bounded(t), api.Send{To: bob.LID(), IdempotencyKey: "k", File: &api.File{Path: path, Name: "x.txt", Caption: caption}}, strings.NewReader(content))
	}
	first, err := send("/a/x.txt", "c", "hello")
	must(t, err)
	again, err := send("/b/x.txt", "c", "hello")
	if err != nil || again.MessageID != first.MessageID || !again.Repeated || first.Repeated || r.sim.Uploads() != 1 {
		t.Errorf("%+v, %v, %d uploads", again, err, r.sim.Uploads())
	}
	if _, err := send("/a/x.txt", "c", "other"); api.CodeOf(err) != api.CodeIdempotencyConflict {
		t.Errorf("another file: %v", err)
	}
	if _, err := send("/a/x.txt", "d", "hello"); api.CodeOf(err) != api.CodeIdempotencyConflict {
		t.Errorf("another caption: %v", err)
	}
	if n := len(bob.Received()); n != 1 {
		t.Errorf("%d messages", n)
	}
	if left := r.spooled(); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}

// reading tells when it is read from.
type reading struct {
	io.Reader
	begun bool
}

func (r *reading) Read(p []byte) (int, error) {
	r.begun = true
	return r.Reader.Read(p)
}

// What cannot be sent is refused before it is read; what cannot be read or uploaded is not sent.
func TestSendFileRefused(t *testing.T) {
	r := linkedRig(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	for name, in := range map[string]api.Send{
		"no file":         {To: bob.PN()},
		"text too":        {To: bob.PN(), Text: "x", File: &api.File{}},
		"nobody":          {To: "", File: &api.File{}},
		"a channel":       {To: "120363171744447809@newsletter", File: &api.File{}},
		"unknown kind":    {To: bob.PN(), File: &api.File{Kind: "film"}},
		"a path as name":  {To: bob.PN(), File: &api.File{Name: "../x"}},
		"no type":         {To: bob.PN(), File: &api.File{MIME: "pdf"}},
		"a long caption":  {To: bob.PN(), File: &api.File{Caption: strings.Repeat("x", 1025)}},
		"caption unheard": {To: bob.PN(), File: &api.File{Kind: "voice", Caption: "x"}},
	} {
		content := &reading{Reader: strings.NewReader("x")}
		if _, err := r.SendFile(bounded(t), in, content); err == nil || content.begun || !strings.HasPrefix(string(api.CodeOf(err)), "invalid_") {
			t.Errorf("%s: %v, read: %v", name, err, content.begun)
		}
	}
	file := api.Send{To: bob.PN(), File: &api.File{}}
	if _, err := r.Send(bounded(t), file); api.CodeOf(err) != api.CodeInvalidArguments {
		t.Errorf("without content: %v", err)
	}
	for _, kind := range []string{"", "document", "image"} {
		in := api.Send{To: bob.PN(), File: &api.File{Kind: kind, Name: "x.txt"}}
		if _, err := r.SendFile(bounded(t), in, strings.NewReader("")); api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), "the file is empty") {
			t.Errorf("an empty file as %q: %v", kind, err)
		}
	}
	if _, err := r.SendFile(bounded(t), file, io.MultiReader(strings.NewReader("half"), errReader{errors.New("gone")})); api.CodeOf(err) != api.CodeMediaUnavailable {
		t.Errorf("a file that breaks off: %v", err)
	}
	ctx, cancel := context.WithCancel(bounded(t))
	cancel()
	if _, err := r.SendFile(ctx, file, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	r.stop()
	content := &reading{Reader: strings.NewReader("x")}
	if _, err := r.SendFile(bounded(t), file, content); api.CodeOf(err) != api.CodeNotConnected || content.begun {
		t.Errorf("without a link: %v, read: %v", err, content.begun)
	}
	if n := len(bob.Received()); n != 0 || r.sim.Uploads() != 0 {
		t.Errorf("%d messages, %d uploads", n, r.sim.Uploads())
	}
	if left := r.spooled(); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }
