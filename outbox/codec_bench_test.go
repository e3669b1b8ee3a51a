package outbox

import (
	"bytes"
	"testing"
	"time"
)

// BenchmarkEvent is what storing and reading an event of 1 KiB costs besides the disk, its
// checksums included.
func BenchmarkEvent(b *testing.B) {
	e := Event{Seq: 12345, Key: "evt_ca2abeb06855622c807670ec0c30ac48", Stamp: 1, Time: time.Unix(1_700_000_000, 0), Name: "message.received",
		Chat: "204813927440123@lid", ChatAlt: "15550100123@s.whatsapp.net", Account: "15550100999@s.whatsapp.net", Message: "3A5F0C91B7D24E68A113",
		Body: bytes.Repeat([]byte("x"), 1024)}
	stored := EncodeEvent(e)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			EncodeEvent(e)
		}
	})
	b.Run("head", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeEventHead(e.Seq, stored); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeEvent(e.Seq, stored); err != nil {
				b.Fatal(err)
			}
		}
	})
}
