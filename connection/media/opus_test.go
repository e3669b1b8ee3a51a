package media

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"testing"
	"testing/iotest"
)

// oggPage is a page that ends at a sample.
func oggPage(ends uint64, payload []byte) []byte {
	p := append([]byte("OggS\x00\x00"), make([]byte, oggHeader-6)...)
	binary.LittleEndian.PutUint64(p[6:], ends)
	for left := len(payload); ; left -= 255 {
		p[oggHeader-1]++
		p = append(p, byte(min(left, 255)))
		if left < 255 {
			return append(p, payload...)
		}
	}
}

// recording is an Opus recording of that many samples.
func recording(samples uint64) []byte {
	head := []byte("OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00")
	out := oggPage(0, head)
	out = append(out, oggPage(0, []byte("OpusTags"))...)
	for at := uint64(0); at < samples; at += 48_000 {
		out = append(out, oggPage(math.MaxUint64, make([]byte, 700))...) // goes on in the next
		out = append(out, oggPage(min(at+48_000, samples)+312, make([]byte, 1000))...)
	}
	return out
}

// A recording says how long it is, in whatever pieces it comes; what is no recording says nothing.
func TestOpusLength(t *testing.T) {
	for name, tt := range map[string]struct {
		file []byte
		want uint32
	}{
		"three seconds and a bit": {recording(3*48_000 + 20_000), 3},
		"nearly nothing":          {recording(100), 1},
		"an hour":                 {recording(3600 * 48_000), 3600},
		"no samples":              {recording(0), 0},
		"cut short":               {recording(96_000)[:3000], 2},
		"absurd":                  {append(recording(48_000), oggPage(1<<60, nil)...), 0},
		"another codec":           {oggPage(48_000, []byte("\x01vorbis and more")), 0},
		"no Ogg":                  {bytes.Repeat([]byte("x"), 100), 0},
		"Ogg, and then not":       {append(recording(48_000), bytes.Repeat([]byte("x"), 400)...), 0},
		"empty":                   {nil, 0},
	} {
		for _, from := range []io.Reader{bytes.NewReader(tt.file), iotest.OneByteReader(bytes.NewReader(tt.file))} {
			var o opusLength
			if _, err := io.Copy(&o, from); err != nil || o.seconds() != tt.want {
				t.Errorf("%s: %d s, want %d; %v", name, o.seconds(), tt.want, err)
			}
		}
	}
}

// It is told of what is sent as a voice note or as audio.
func TestPreparedRecordings(t *testing.T) {
	spool := newSpool(t, Options{})
	for _, kind := range []Kind{Voice, Audio} {
		s, err := spool.Prepare(t.Context(), Asked{Kind: kind}, bytes.NewReader(recording(200*48_000)))
		must(t, err)
		if s.Looks.Seconds != 200 {
			t.Errorf("%s: %d s", kind, s.Looks.Seconds)
		}
		must(t, s.Close())
	}
}

func FuzzOpusLength(f *testing.F) {
	f.Add(recording(48_000))
	f.Add([]byte("OggS"))
	f.Fuzz(func(t *testing.T, file []byte) {
		var o, pieces opusLength
		_, _ = o.Write(file)
		for i := range file {
			_, _ = pieces.Write(file[i : i+1])
		}
		if o.seconds() != pieces.seconds() || len(o.head) > oggHeader+255+255*255 {
			t.Errorf("%d s whole, %d s in pieces, %d bytes held", o.seconds(), pieces.seconds(), len(o.head))
		}
	})
}
