package media

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// drawn is a picture whose left half is red and whose right half is blue.
func drawn(w, h int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{255, 0, 0, 255}
			if x >= w/2 {
				c = color.NRGBA{0, 0, 255, 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func encoded(t *testing.T, w, h int, asPNG bool) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	if asPNG {
		err = png.Encode(&b, drawn(w, h))
	} else {
		err = jpeg.Encode(&b, drawn(w, h), nil)
	}
	must(t, err)
	return b.Bytes()
}

var (
	mp4  = []byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + strings.Repeat("x", 100))
	ogg  = []byte("OggS\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x13OpusHead")
	webp = []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00")
)

// What a file is sent as goes by its content, then its name; what it is asked to be must fit.
func TestRecognise(t *testing.T) {
	jpg, pic := encoded(t, 8, 8, false), encoded(t, 8, 8, true)
	for _, tc := range []struct {
		head []byte
		name string
		want Kind
		mime string
		kind Kind // "" is refused
		is   string
	}{
		{jpg, "a.txt", "", "", Image, "image/jpeg"},
		{pic, "", "", "", Image, "image/png"},
		{pic, "", Document, "", Document, "image/png"},
		{pic, "", Document, "application/x-mine", Document, "application/x-mine"},
		{mp4, "", "", "", Video, "video/mp4"},
		{mp4, "a.m4a", "", "", Audio, "audio/mp4"},
		{ogg, "", "", "", Audio, "audio/ogg"},
		{ogg, "", Voice, "audio/x", Voice, "audio/ogg; codecs=opus"},
		{webp, "", "", "", Document, "image/webp"},
		{webp, "", Sticker, "", Sticker, "image/webp"},
		{[]byte("a,b"), "x.CSV", "", "", Document, "text/csv"},
		{[]byte("PK\x03\x04"), "x.docx", "", "", Document, byExtension[".docx"]},
		{[]byte("%PDF-1.7"), "x.jpg", "", "", Document, "application/pdf"},
		{nil, "", "", "", Document, "text/plain"},
		{[]byte("hello"), "x.jpg", Image, "", "", ""}, // named so, and no picture
		{webp, "", Image, "", "", ""},
		{jpg, "", Video, "", "", ""},
		{jpg, "", Audio, "", "", ""},
		{mp4, "", Voice, "", "", ""},
		{jpg, "", Sticker, "", "", ""},
		{jpg, "", "thing", "", "", ""},
	} {
		l, err := recognise(tc.head, tc.name, tc.want, tc.mime)
		if (tc.kind == "") != (api.CodeOf(err) == api.CodeInvalidArguments) || l.Kind != tc.kind || l.MIME != tc.is {
			t.Errorf("%.10q named %q as %q: %+v, %v", tc.head, tc.name, tc.want, l, err)
		}
		if l.Kind == Sticker && !l.Animated {
			t.Error("the sticker does not move")
		}
	}
}

// A picture gets its size and a small JPEG of itself; one that would take much memory, or that is
// none after its first bytes, goes without.
func TestThumbnail(t *testing.T) {
	spool := newSpool(t, Options{})
	for _, asPNG := range []bool{false, true} {
		sealed, err := spool.Prepare(t.Context(), Asked{}, bytes.NewReader(encoded(t, 400, 200, asPNG)))
		must(t, err)
		l := sealed.Looks
		small, format, err := image.Decode(bytes.NewReader(l.Thumbnail))
		if err != nil || format != "jpeg" || l.Width != 400 || l.Height != 200 || small.Bounds().Dx() != 96 || small.Bounds().Dy() != 48 || len(l.Thumbnail) > 4<<10 {
			t.Fatalf("%dx%d, %d bytes of %s, %v", l.Width, l.Height, len(l.Thumbnail), format, err)
		}
		r, _, b, _ := small.At(20, 20).RGBA()
		r2, _, b2, _ := small.At(70, 20).RGBA()
		if r < 0xe000 || b > 0x2000 || r2 > 0x2000 || b2 < 0xe000 {
			t.Errorf("colours %x %x, %x %x", r, b, r2, b2)
		}
		must(t, sealed.Close())
	}
	whole := encoded(t, 2100, 2000, true)
	for name, file := range map[string][]byte{"large": whole, "cut off": encoded(t, 400, 400, false)[:700]} {
		sealed, err := spool.Prepare(t.Context(), Asked{}, bytes.NewReader(file))
		must(t, err)
		if l := sealed.Looks; l.Thumbnail != nil || l.Kind != Image || l.Width == 0 {
			t.Errorf("%s: %dx%d with %d bytes", name, l.Width, l.Height, len(l.Thumbnail))
		}
		must(t, sealed.Close())
	}
	if _, err := spool.Prepare(t.Context(), Asked{}, errReader{io.ErrUnexpectedEOF}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	if left := spool.files(t); len(left) != 0 {
		t.Errorf("left in the spool: %q", left)
	}
}
