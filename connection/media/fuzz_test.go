package media

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"waoutbox/outbox/api"
)

// FuzzFind: a medium that is found in a body can be fetched and checked, and what is shown of it is
// one short line.
func FuzzFind(f *testing.F) {
	hash := `"` + strings.Repeat("A", 43) + `="`
	for _, seed := range []string{
		`{"data":{"messages":[{"key":{"id":"1"},"message":{"imageMessage":{"directPath":"/v/x","mediaKey":` + hash + `,"fileSha256":` + hash + `,"fileLength":"7","mimetype":"image/png\u001b"}}}]}}`,
		`{"data":{"messages":[{"message":{"viewOnceMessage":{"message":{"audioMessage":{"ptt":true,"directPath":"/","fileSha256":` + hash + `,"fileLength":"-1"}}}}}]}}`,
		`{"data":{"messages":[{"message":{"extendedTextMessage":{"contextInfo":{"quotedMessage":{"imageMessage":{}}}}}}]}}`, `{"data":[]}`, `{"data":{"messages":[{"message":null}]}}`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ref, err := Find(body)
		if err != nil {
			if !errors.Is(err, ErrNoMedia) {
				t.Error(err)
			}
			return
		}
		if !ref.usable() || ref.Length < 0 || ref.Kind.Type() == "" || len(ref.FileName) > maxName || len(ref.MIME) > maxMIME ||
			!utf8.ValidString(ref.FileName) || strings.ContainsAny(ref.FileName+ref.MIME, "\n\r\x1b\x00") {
			t.Errorf("%q has %+v", body, ref)
		}
		if where, err := address("mmg.example", ref); err == nil && !strings.HasPrefix(where, "https://mmg.example/") {
			t.Errorf("%q is fetched from %q", body, where)
		}
	})
}

// FuzzLooks: whatever file is to be sent, it is recognised as something or refused with a sentence,
// and its thumbnail is small.
func FuzzLooks(f *testing.F) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 9, 300))); err != nil {
		f.Fatal(err)
	}
	f.Add(picture.Bytes(), "a.png", "")
	f.Add([]byte("\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03"), "a.jpg", "image")
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8X\x00\x00\x00\x00\x02"), "a", "sticker")
	f.Add([]byte("OggS\x00OpusHead"), "a.ogg", "voice")
	f.Add([]byte("\x00\x00\x00\x18ftypmp42"), "a.m4a", "")
	f.Fuzz(func(t *testing.T, file []byte, name, want string) {
		l, err := recognise(file[:min(len(file), lookAt)], name, Kind(want), "")
		if err != nil {
			if e, ok := errors.AsType[*api.Error](err); !ok || e.Code == api.CodeInternal {
				t.Errorf("%v", err)
			}
			return
		}
		if l.Kind != Image {
			return
		}
		l = fuzzedPicture(l, file)
		if len(l.Thumbnail) > 64<<10 || l.Width < 0 || l.Height < 0 {
			t.Errorf("%d x %d has a thumbnail of %d bytes", l.Width, l.Height, len(l.Thumbnail))
		}
	})
}

func fuzzedPicture(l Looks, file []byte) Looks {
	return picture(l, file[:min(len(file), lookAt)], int64(len(file)), func() io.Reader { return bytes.NewReader(file) })
}
