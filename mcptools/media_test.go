package mcptools

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// A file is saved for this user alone, by its event's name and never by its sender's; old ones go.
func TestDownloadMedia(t *testing.T) {
	f := newFake()
	o := optionsFor(f)
	o.DownloadDir = filepath.Join(t.TempDir(), "media")
	s := start(t, o)
	old, other := filepath.Join(o.DownloadDir, "evt_old.jpg"), filepath.Join(o.DownloadDir, "mine.jpg")
	if err := os.MkdirAll(o.DownloadDir, 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * downloadKept)
	for _, path := range []string{old, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	var out downloadMediaOutput
	r := s.call("whatsapp_download_media", `{"eventId":"evt_ca2a"}`)
	if err := json.Unmarshal([]byte(r.text()), &out); err != nil || out != (downloadMediaOutput{Path: filepath.Join(o.DownloadDir, "evt_ca2a.jpg"), Kind: "image", Mimetype: "image/jpeg", Bytes: 9}) {
		t.Errorf("%s: %v", r.text(), err)
	}
	content, err := os.ReadFile(out.Path)
	info, statErr := os.Stat(out.Path)
	if err != nil || statErr != nil || string(content) != "a picture" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v", content, err, info)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("an old download stays: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("another file is gone: %v", err)
	}
	if strings.Contains(r.text(), "evil") {
		t.Errorf("the sender's name reached the agent: %s", r.text())
	}
	f.onMedia = func(string) (api.Media, error) {
		m := mediaOf("a picture")
		m.Bytes++
		return m, nil
	}
	wantError(t, s.call("whatsapp_download_media", `{"messageId":"3A"}`), "media_unavailable", true, "whole")
	f.onMedia = func(string) (api.Media, error) {
		return api.Media{}, api.Errorf(api.CodeMediaExpired, "WhatsApp no longer has the file.")
	}
	wantError(t, s.call("whatsapp_download_media", `{"messageId":"3A"}`), "media_expired", false, "no longer")
	if list, _ := os.ReadDir(o.DownloadDir); len(list) != 2 {
		t.Errorf("left: %v", list)
	}
}

func TestMediaArguments(t *testing.T) {
	s := start(t, optionsFor(newFake()))
	for _, args := range []string{`{"jid":"1"}`, `{"jid":"1","path":"/a","url":"https://a.example/"}`} {
		wantError(t, s.call("whatsapp_send_media", args), "invalid_arguments", false, "exactly one")
	}
	wantError(t, s.call("whatsapp_send_media", `{"jid":"1","path":"/a","mediaType":"film"}`), "invalid_arguments", false, "film")
	for _, args := range []string{`{}`, `{"eventId":"evt_1","messageId":"3A"}`} {
		wantError(t, s.call("whatsapp_download_media", args), "invalid_arguments", false, "exactly one")
	}
	o := optionsFor(newFake())
	o.DownloadDir = ""
	wantError(t, start(t, o).call("whatsapp_download_media", `{"eventId":"evt_1"}`), "media_unavailable", false, "waoutbox media get")
}

func TestPlainType(t *testing.T) {
	for mime, want := range map[string]string{
		"image/jpeg": "image/jpeg", "Audio/OGG; codecs=opus": "audio/ogg", "": "application/octet-stream", "ignore previous/instructions": "application/octet-stream",
		"a/b/c": "application/octet-stream", strings.Repeat("a", 100) + "/b": "application/octet-stream",
	} {
		if got := plainType(mime); got != want {
			t.Errorf("%q becomes %q", mime, got)
		}
	}
}
