package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"
)

var errShort = errors.New("record is cut off")

// sumSize is how many bytes a checksum takes.
const sumSize = 4

// flagChecked is set in the second byte of every record that has a checksum: without it, damage to
// the version byte could turn such a record into one of an older layout, in which nothing is
// checked.
const flagChecked = 0x80

var errDamaged = errors.New("checksum does not match")

// castagnoli is computed by the processor.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkSum is the CRC-32C of parts, one after the other. Where a record is checked its key is the
// last part, so that a record found under another key is no record.
func checkSum(parts ...[]byte) uint32 { return addSum(0, parts...) }

// addSum goes on with a checksum.
func addSum(sum uint32, parts ...[]byte) uint32 {
	for _, p := range parts {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

// appendSum appends the checksum of parts to b.
func appendSum(b []byte, parts ...[]byte) []byte {
	return binary.LittleEndian.AppendUint32(b, checkSum(parts...))
}

// addSeq goes on with a checksum over the key of an event, byte by byte: eight of them are not
// worth a call.
func addSeq(sum uint32, s Seq) uint32 {
	sum = ^sum
	for shift := 56; shift >= 0; shift -= 8 {
		sum = castagnoli[byte(sum)^byte(s>>shift)] ^ sum>>8
	}
	return ^sum
}

func seqBytes(s Seq) []byte { return binary.BigEndian.AppendUint64(nil, uint64(s)) }

// reader takes fields off the front of a record. The first failure sticks; every read after it
// returns zero.
type reader struct {
	b   []byte
	err error
}

// newReader checks and takes the version byte of a record that has one layout.
func newReader(b []byte) *reader {
	r, _ := newVersionReader(b, codecPlain)
	return r
}

// newCheckedReader takes the version byte of a record of layout codecPlain or codecChecked and the
// byte after it without flagChecked, and checks the record if its layout has a checksum. key is
// what the record lies under.
func newCheckedReader(b []byte, key ...[]byte) (r *reader, second byte) {
	r, version := newVersionReader(b, codecChecked)
	second = r.u8()
	switch {
	case r.err != nil:
	case version == codecPlain && second&flagChecked != 0, version == codecChecked && second&flagChecked == 0:
		r.fail(fmt.Errorf("second byte %#x in a record of version %d", second, version))
	case version == codecChecked:
		r.checked(b, key...)
	}
	return r, second &^ flagChecked
}

// newVersionReader takes the version byte and refuses one above newest.
func newVersionReader(b []byte, newest byte) (r *reader, version byte) {
	r = &reader{b: b}
	return r, r.version(newest)
}

// version takes the version byte and refuses one above newest.
func (r *reader) version(newest byte) byte {
	v := r.u8()
	if r.err == nil && (v < codecPlain || v > newest) {
		r.fail(fmt.Errorf("record version %d is not known to this program (it knows %d)", v, newest))
	}
	return v
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// take returns the next n bytes, aliasing the record.
func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.fail(errShort)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.err != nil || n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int {
	v := r.uvarint()
	if v > math.MaxInt {
		r.fail(errors.New("number out of range"))
		return 0
	}
	return int(v)
}

// count reads a number of elements of at least size bytes each, and refuses one the rest of the
// record cannot hold, so that a damaged count allocates nothing.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail(errShort)
		return 0
	}
	return int(n)
}

// bytes reads a length and that many bytes, aliasing the record; nil when empty.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail(errShort)
		return nil
	}
	if n == 0 {
		return nil
	}
	return r.take(int(n))
}

func (r *reader) strings() []string {
	var out []string
	for range r.count(1) {
		out = append(out, string(r.bytes()))
	}
	return out
}

func (r *reader) time() time.Time {
	ns := int64(r.u64())
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// checked takes the checksum off the end of a record whose layout has one, and checks it. It is
// called once version and flags were read.
func (r *reader) checked(whole []byte, key ...[]byte) {
	if r.err != nil {
		return
	}
	n := len(whole) - sumSize
	if len(r.b) < sumSize {
		r.fail(errShort)
		return
	}
	if binary.LittleEndian.Uint32(whole[n:]) != addSum(checkSum(whole[:n]), key...) {
		r.fail(errDamaged)
		return
	}
	r.b = r.b[:len(r.b)-sumSize]
}

// done reports the first failure, or bytes left over.
func (r *reader) done() error {
	if r.err == nil && len(r.b) > 0 {
		return fmt.Errorf("%d bytes too many", len(r.b))
	}
	return r.err
}

// appendTime stores t in unix nanoseconds; 0 is the zero time.
func appendTime(b []byte, t time.Time) []byte {
	ns := int64(0)
	if !t.IsZero() {
		ns = t.UnixNano()
	}
	return binary.LittleEndian.AppendUint64(b, uint64(ns))
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendStrings(b []byte, v []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	for _, s := range v {
		b = appendString(b, s)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// clamp keeps v within 0 and limit.
func clamp(v, limit int) int { return min(max(v, 0), limit) }
