package wasim

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waMmsRetry"
	"go.mau.fi/whatsmeow/types/events"
)

// medium returns the medium of a message, as the client library sees it.
func mediumIn(m *waE2E.Message) whatsmeow.DownloadableMessage {
	switch {
	case m.GetImageMessage() != nil:
		return m.GetImageMessage()
	case m.GetVideoMessage() != nil:
		return m.GetVideoMessage()
	case m.GetAudioMessage() != nil:
		return m.GetAudioMessage()
	case m.GetDocumentMessage() != nil:
		return m.GetDocumentMessage()
	}
	return m.GetStickerMessage()
}

// Media of every kind arrive and can be downloaded by the library; what the server does wrong is
// seen by it.
func TestMediaOfContacts(t *testing.T) {
	s, a, c := linked(t)
	ctx := testContext(t)
	bob := a.NewContact("Bob", "15550100123")
	for _, kind := range []MediaKind{Image, Video, Audio, Voice, Document, Sticker} {
		plain := madeUp(10_000)
		id, m, err := bob.SendMedia(ctx, kind, plain, MediaOptions{FileName: "a.pdf"})
		if err != nil {
			t.Fatal(err)
		}
		got := waitMessage(t, c, id)
		data, err := c.Download(ctx, mediumIn(got.Message))
		if err != nil || !bytes.Equal(data, plain) {
			t.Fatalf("%s: %d bytes, %v", kind, len(data), err)
		}
		if n := len(m.Requests()); n != 1 {
			t.Errorf("%s: %d requests", kind, n)
		}
	}
	id, m, err := bob.SendMedia(ctx, Image, madeUp(5_000), MediaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	img := waitMessage(t, c, id).Message.GetImageMessage()
	m.Expire(http.StatusGone)
	if _, err := c.Download(ctx, img); !errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith410) {
		t.Errorf("an expired medium: %v", err)
	}
	m.Expire(0)
	m.Damage()
	if _, err := c.Download(ctx, img); !errors.Is(err, whatsmeow.ErrInvalidMediaEncSHA256) {
		t.Errorf("a damaged medium: %v", err)
	}
	if n := len(s.Media()); n != 7 {
		t.Errorf("the server lists %d media", n)
	}
}

// The phone puts a medium that is asked for again under a new path, or says that it has none.
func TestMediaRetry(t *testing.T) {
	_, a, c := linked(t)
	ctx := testContext(t)
	bob := a.NewContact("Bob", "15550100123")
	plain := madeUp(3_000)
	id, m, err := bob.SendMedia(ctx, Document, plain, MediaOptions{FileName: "a.pdf"})
	if err != nil {
		t.Fatal(err)
	}
	msg := waitMessage(t, c, id)
	doc := msg.Message.GetDocumentMessage()
	m.Expire(http.StatusNotFound)
	retry := func(nth int) (*waMmsRetry.MediaRetryNotification, error) {
		if err := c.SendMediaRetryReceipt(ctx, &msg.Info, doc.GetMediaKey()); err != nil {
			t.Fatal(err)
		}
		return whatsmeow.DecryptMediaRetryNotification(waitRetry(t, c, nth), doc.GetMediaKey())
	}
	answer, err := retry(1)
	if err != nil || answer.GetResult() != waMmsRetry.MediaRetryNotification_SUCCESS || answer.GetDirectPath() == doc.GetDirectPath() {
		t.Fatalf("the phone's answer: %v, %v", answer, err)
	}
	doc.DirectPath = proto.String(answer.GetDirectPath())
	if data, err := c.Download(ctx, doc); err != nil || !bytes.Equal(data, plain) {
		t.Fatalf("from the new path: %d bytes, %v", len(data), err)
	}
	if err := errors.Join(a.SetMediaRetry(RetryGone), a.SetMediaRetry("no")); err == nil {
		t.Error("an unknown mode is taken")
	}
	if answer, err := retry(2); err != nil || answer.GetResult() != waMmsRetry.MediaRetryNotification_NOT_FOUND {
		t.Errorf("a phone that has it no longer: %v, %v", answer, err)
	}
	if err := a.SetMediaRetry(RetryRefused); err != nil {
		t.Fatal(err)
	}
	if _, err := retry(3); !errors.Is(err, whatsmeow.ErrMediaNotAvailableOnPhone) {
		t.Errorf("a phone that refuses: %v", err)
	}
}

// What the companion uploads is what its receiver opens; what the real server would refuse is
// refused.
func TestMediaOfTheCompanion(t *testing.T) {
	s, a, c := linked(t)
	ctx := testContext(t)
	bob := a.NewContact("Bob", "15550100123")
	plain := madeUp(70_000)
	s.CutUploads(1000, 1)
	tmp, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer tmp.Close()
	if _, err := c.UploadReader(ctx, bytes.NewReader(plain), tmp, whatsmeow.MediaDocument); err == nil {
		t.Error("an upload that was cut succeeded")
	}
	up, err := c.Upload(ctx, plain, whatsmeow.MediaImage)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.SendMessage(ctx, bob.lid, &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileSHA256: up.FileSHA256,
		FileEncSHA256: up.FileEncSHA256, FileLength: &up.FileLength, Mimetype: proto.String("image/jpeg"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.WaitReceived(ctx, 1); err != nil {
		t.Fatal(err)
	}
	kind, got, err := bob.Open(bob.Received()[0])
	if err != nil || kind != Image || !bytes.Equal(got, plain) || s.Uploads() != 1 {
		t.Errorf("%s of %d bytes, %v, %d uploads", kind, len(got), err, s.Uploads())
	}
	for path, want := range map[string]int{
		"/mms/image/abc?auth=wrong&token=abc":     http.StatusUnauthorized,
		"/mms/nonsense/abc?auth=simulated":        http.StatusNotFound,
		"/mms/image/abc?auth=simulated&token=abc": http.StatusBadRequest,
	} {
		resp, err := http.Post(s.url("http", path), "", bytes.NewReader(plain))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func waitMessage(t *testing.T, c *client, id string) *events.Message {
	t.Helper()
	got := c.wait(t, "message "+id, func(e any) bool {
		m, ok := e.(*events.Message)
		return ok && m.Info.ID == id
	})
	return got.(*events.Message)
}

// waitRetry waits for the nth media retry.
func waitRetry(t *testing.T, c *client, nth int) *events.MediaRetry {
	t.Helper()
	n := 0
	got := c.wait(t, "media retry", func(e any) bool {
		if _, ok := e.(*events.MediaRetry); ok {
			n++
			return n == nth
		}
		return false
	})
	return got.(*events.MediaRetry)
}

// TestMediaOutliveARestart: files are there after a restart, and which message they belong to.
func TestMediaOutliveARestart(t *testing.T) {
	s, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	plain := madeUp(5_000)
	id, _, err := bob.SendMedia(testContext(t), Image, plain, MediaOptions{})
	must(t, err)
	img := waitMessage(t, c, id).Message.GetImageMessage()
	large, err := s.AddMedium(Image, madeUp(maxSavedMedium))
	must(t, err)
	c.Disconnect()
	again := restarted(t, s)
	must(t, again.Listen("127.0.0.1:0"))
	c2 := newClient(t, again, c.path)
	must(t, c2.Connect())
	must(t, again.Accounts()[0].WaitOnline(testContext(t)))
	if data, err := c2.Download(testContext(t), img); err != nil || !bytes.Equal(data, plain) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if again.Accounts()[0].media[id] == nil || again.media[large.path] != nil {
		t.Error("the message's medium is unknown, or a large file was saved")
	}
}
