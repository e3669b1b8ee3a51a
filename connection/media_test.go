package connection

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// received is the stored event of a message.
func (r *rig) received(id string) (ev outbox.Event) {
	r.t.Helper()
	eventually(r.t, "message "+id, func() bool {
		for _, e := range r.named(translate.MessageReceived) {
			if e.Message == id {
				ev = e
				return true
			}
		}
		return false
	})
	return ev
}

// fetch reads the file of a message event.
func (r *rig) fetch(ev outbox.Event) ([]byte, api.MediaInfo, error) {
	r.t.Helper()
	m, err := r.files.Media(bounded(r.t), ev)
	if err != nil {
		return nil, m.MediaInfo, err
	}
	b, err := io.ReadAll(m.Content)
	return b, m.MediaInfo, errors.Join(err, m.Content.Close())
}

// spooled are the names in the spool.
func (r *rig) spooled() []string {
	r.t.Helper()
	list, err := os.ReadDir(filepath.Join(filepath.Dir(r.path), "spool"))
	must(r.t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// What contacts send can be fetched from its event, in every kind, alone and in a group, after a
// restart too; what they say of the file is told.
func TestMediaOfEvents(t *testing.T) {
	r := linkedRig(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	team := r.acc.NewGroup("Team", bob)
	plain := bytes.Repeat([]byte("0123456789"), 5_000)
	kinds := []wasim.MediaKind{wasim.Image, wasim.Video, wasim.Audio, wasim.Voice, wasim.Document, wasim.Sticker}
	var ids []string
	for _, kind := range kinds {
		id, _, err := bob.SendMedia(bounded(t), kind, plain, wasim.MediaOptions{FileName: "../../etc/passwd", MIME: "text/html", ViewOnce: kind == wasim.Image})
		must(t, err)
		ids = append(ids, id)
	}
	id, _, err := bob.SendGroupMedia(bounded(t), team, wasim.Image, plain, wasim.MediaOptions{})
	must(t, err)
	for i, id := range append(ids, id) {
		got, info, err := r.fetch(r.received(id))
		if err != nil || !bytes.Equal(got, plain) || info.Bytes != int64(len(plain)) || info.Message != id || len(info.SHA256) != 64 {
			t.Errorf("message %d: %d bytes, %+v, %v", i, len(got), info, err)
		}
		if i < len(kinds) && (info.Kind != string(kinds[i]) || info.MIME != "text/html") {
			t.Errorf("message %d: %+v", i, info)
		}
	}
	r.restart()
	r.waitState(api.LinkConnected)
	if got, info, err := r.fetch(r.received(ids[4])); err != nil || !bytes.Equal(got, plain) || info.FileName != "../../etc/passwd" {
		t.Errorf("after a restart: %d bytes, %+v, %v", len(got), info, err)
	}
	if left := r.spooled(); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}

// A file the servers have dropped is brought back by the phone; who asks learns why it cannot be
// had, and by the code whether to ask again.
func TestMediaThatCannotBeHad(t *testing.T) {
	r := linkedRig(t)
	r.media.SetPhoneWait(50_000_000)
	bob := r.acc.NewContact("Bob", "15550100123")
	plain := bytes.Repeat([]byte("0123456789"), 5_000)
	send := func() (outbox.Event, *wasim.Medium) {
		id, m, err := bob.SendMedia(bounded(t), wasim.Document, plain, wasim.MediaOptions{})
		must(t, err)
		return r.received(id), m
	}
	for _, mode := range []struct {
		retry     wasim.MediaRetry
		code      api.Code
		retryable bool
	}{{wasim.RetryUploads, "", false}, {wasim.RetryGone, api.CodeMediaExpired, false}, {wasim.RetryRefused, api.CodeMediaExpired, false}, {wasim.RetrySilent, api.CodeMediaUnavailable, true}} {
		must(t, r.acc.SetMediaRetry(mode.retry))
		ev, m := send()
		m.Expire(http.StatusGone)
		if mode.code == "" {
			r.media.SetPhoneWait(limit)
		}
		got, _, err := r.fetch(ev)
		r.media.SetPhoneWait(50_000_000)
		var e *api.Error
		switch {
		case mode.code == "" && (err != nil || !bytes.Equal(got, plain)):
			t.Errorf("the phone uploads it: %d bytes, %v", len(got), err)
		case mode.code != "" && (!errors.As(err, &e) || e.Code != mode.code || e.Retryable != mode.retryable):
			t.Errorf("the phone is %s: %v", mode.retry, err)
		}
	}
	ev, m := send()
	m.Damage()
	if _, _, err := r.fetch(ev); api.CodeOf(err) != api.CodeMediaUnavailable {
		t.Errorf("a damaged file: %v", err)
	}
	_, err := bob.SendText(bounded(t), "no file")
	must(t, err)
	r.waitTexts("no file")
	if _, _, err := r.fetch(r.named(translate.MessageReceived)[len(r.named(translate.MessageReceived))-1]); api.CodeOf(err) != api.CodeInvalidArguments {
		t.Errorf("a text: %v", err)
	}
	ev, m = send()
	m.Cut(10_000, 1)
	ctx, cancel := context.WithCancel(bounded(t))
	cancel()
	if _, err := r.files.Media(ctx, ev); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	r.stop()
	if _, _, err := r.fetch(ev); api.CodeOf(err) != api.CodeNotConnected {
		t.Errorf("without a link: %v", err)
	}
}
