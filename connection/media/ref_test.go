package media

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The medium of every example body is found, wrapped or not, with what its message says; bodies
// without one have none.
func TestFindInEveryBody(t *testing.T) {
	want := map[string]Kind{
		"message.received-image": Image, "message.received-video": Video, "message.received-audio-ptt": Voice,
		"message.received-document": Document, "message.received-sticker": Sticker, "message.received-view-once": Image,
		"message.sent-group-image": Image,
	}
	files, err := filepath.Glob("../translate/testdata/events/*.json")
	must(t, err)
	found := 0
	for _, file := range files {
		body, err := os.ReadFile(file)
		must(t, err)
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		ref, err := Find(body)
		switch kind, has := want[name]; {
		case has && (err != nil || ref.Kind != kind || ref.MessageID == "" || !strings.HasPrefix(ref.Path, "/v/") || len(ref.Key) != keyLen || ref.Length == 0 || ref.MIME == ""):
			t.Errorf("%s: %+v, %v", name, ref, err)
		case has:
			found++
		case !errors.Is(err, ErrNoMedia) && !bytes.Contains(body, []byte("directPath")):
			t.Errorf("%s has a medium: %+v, %v", name, ref, err)
		}
	}
	if found != len(want) {
		t.Errorf("%d of %d found", found, len(want))
	}
}

// message is a body with one message.
func message(content string) []byte {
	return []byte(`{"event":"message.received","timestamp":1,"data":{"messages":[{"key":{"remoteJid":"1@g.us","fromMe":true,"id":"3A","participant":"2@lid"},"message":` + content + `}]}}`)
}

const anImage = `{"url":"https://evil.example/x","directPath":"/v/x?a","mediaKey":"ReUZpY85mmzy2MMYVNM2lQgoCDaAS6Lx8SHBWdr1Imk=","fileSha256":"h+rlSynU3FDgBHWixVVcr+u5meVCEgkN5WxX1sZK9s8=","fileLength":"5"}`

// The outermost medium counts, one that is quoted never does, and one that cannot be fetched or
// checked is none.
func TestFindInWrappers(t *testing.T) {
	for content, want := range map[string]string{
		`{"imageMessage":` + anImage + `}`: "/v/x?a",
		`{"ephemeralMessage":{"message":{"viewOnceMessageV2":{"message":{"videoMessage":` + anImage + `}}}}}`:                    "/v/x?a",
		`{"documentWithCaptionMessage":{"message":{"documentMessage":` + anImage + `}}}`:                                         "/v/x?a",
		`{"interactiveMessage":{"header":{"imageMessage":` + anImage + `}}}`:                                                     "/v/x?a",
		`{"extendedTextMessage":{"text":"a","contextInfo":{"quotedMessage":{"imageMessage":` + anImage + `}}}}`:                  "",
		`{"imageMessage":{"url":"https://evil.example/x","mediaKey":"ReUZpY85mmzy2MMYVNM2lQgoCDaAS6Lx8SHBWdr1Imk="}}`:            "",
		`{"imageMessage":{"directPath":"/v/x?a","mediaKey":"AA==","fileSha256":"h+rlSynU3FDgBHWixVVcr+u5meVCEgkN5WxX1sZK9s8="}}`: "",
		`{"imageMessage":7}`: "",
		`null`:               "",
		`[[]]`:               "",
		strings.Repeat(`{"a":`, 5000) + `{}` + strings.Repeat(`}`, 5000): "",
	} {
		ref, err := Find(message(content))
		if ref.Path != want || (err == nil) != (want != "") {
			t.Errorf("%.80s: %+v, %v", content, ref, err)
		}
		if err == nil && (ref.MessageID != "3A" || ref.Chat != "1@g.us" || ref.Participant != "2@lid" || !ref.FromMe) {
			t.Errorf("whose it is: %+v", ref)
		}
	}
	for _, body := range []string{"", "{", `{"data":[{"key":{}}]}`, `{"data":{"messages":[]}}`} {
		if _, err := Find([]byte(body)); !errors.Is(err, ErrNoMedia) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
