package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The layouts of events. All are read, and only the last is written.
const (
	eventPlain   = 1 // no message id, no checksum
	eventMessage = 2 // the message's id after the key
	eventChecked = 3 // the chat's other address, and checksums of head and body
)

const eventRandom = 1 // flag of an event

// eventPrefix is how many bytes of a checked event lie before its strings: version, flags, time,
// stamp, checksum of the body.
const eventPrefix = 1 + 1 + 8 + 4 + sumSize

// EncodeEvent renders e as the value of its sequence. The body is the tail of the result.
func EncodeEvent(e Event) []byte {
	b := make([]byte, 0, eventPrefix+32+len(e.Name)+len(e.Chat)+len(e.ChatAlt)+len(e.Account)+len(e.Key)+len(e.Message)+len(e.Body))
	flags := byte(flagChecked)
	if e.Random {
		flags |= eventRandom
	}
	b = append(b, eventChecked, flags)
	b = appendTime(b, e.Time)
	b = binary.LittleEndian.AppendUint32(b, e.Stamp)
	b = appendSum(b, e.Body)
	for _, s := range [...]string{e.Name, e.Chat, e.ChatAlt, e.Account, e.Key, e.Message} {
		b = appendString(b, s)
	}
	b = binary.LittleEndian.AppendUint32(b, addSeq(checkSum(b), e.Seq))
	return append(b, e.Body...)
}

// SetEventSeq makes b, which EncodeEvent returned for an event with a body of that many bytes, the
// value of seq: an event has its sequence only when it is written.
func SetEventSeq(b []byte, body int, seq Seq) {
	n := len(b) - body - sumSize
	binary.LittleEndian.PutUint32(b[n:], addSeq(checkSum(b[:n]), seq))
}

// eventReader reads the parts of a stored event that come before and after its head.
type eventReader struct {
	reader
	layout  byte
	flags   byte
	at      time.Time
	stamp   uint32
	bodySum uint32
	whole   []byte
}

func newEventReader(b []byte) eventReader {
	e := eventReader{reader: reader{b: b}, whole: b}
	r := &e.reader
	e.layout = r.version(eventChecked)
	e.flags = r.u8()
	want, known := byte(0), byte(eventRandom)
	if e.layout == eventChecked {
		want, known = flagChecked, flagChecked|eventRandom
	}
	if r.err == nil && (e.flags&flagChecked != want || e.flags&^known != 0) {
		r.fail(fmt.Errorf("flags %#x do not exist in an event of version %d", e.flags, e.layout))
	}
	e.at, e.stamp = r.time(), r.u32()
	if e.layout == eventChecked {
		e.bodySum = r.u32()
	}
	return e
}

// head reads the fields that filters are decided by.
func (e *eventReader) head() EventHead {
	h := EventHead{Time: e.at, Stamp: e.stamp, Name: string(e.bytes()), Chat: string(e.bytes())}
	if e.layout == eventChecked {
		h.ChatAlt = string(e.bytes())
	}
	return h
}

// closeHead reads over the fields that skip counts, and checks what was read.
func (e *eventReader) closeHead(skip int, seq Seq) {
	for range skip {
		e.bytes()
	}
	if e.layout != eventChecked || e.err != nil {
		return
	}
	head := e.whole[:len(e.whole)-len(e.b)]
	if sum := e.u32(); e.err == nil && sum != addSeq(checkSum(head), seq) {
		e.fail(errDamaged)
	}
}

// DecodeEvent reads what EncodeEvent wrote under seq, and checks it. The body aliases b: clone it
// before b goes away.
func DecodeEvent(seq Seq, b []byte) (Event, error) {
	e, r := decodeFields(seq, b)
	e.Body = r.b
	if r.layout == eventChecked && r.err == nil && checkSum(e.Body) != r.bodySum {
		r.fail(errors.New("checksum of the body does not match"))
	}
	if r.err != nil {
		return Event{}, fmt.Errorf("decode event %d: %w", seq, r.err)
	}
	return e, nil
}

// DecodeDamaged returns what can still be read of an event that DecodeEvent refuses.
func DecodeDamaged(seq Seq, b []byte) Event {
	e, err := DecodeEventFields(seq, b)
	if err != nil {
		e = Event{Seq: seq}
	}
	e.Corrupt = true
	return e
}

// DecodeEventFields is DecodeEvent without the body, which is not touched.
func DecodeEventFields(seq Seq, b []byte) (Event, error) {
	e, r := decodeFields(seq, b)
	if r.err != nil {
		return Event{}, fmt.Errorf("decode event %d: %w", seq, r.err)
	}
	return e, nil
}

func decodeFields(seq Seq, b []byte) (Event, eventReader) {
	r := newEventReader(b)
	h := r.head()
	e := Event{Seq: seq, Random: r.flags&eventRandom != 0, Stamp: r.stamp, Time: h.Time, Name: h.Name, Chat: h.Chat, ChatAlt: h.ChatAlt}
	e.Account, e.Key = string(r.bytes()), string(r.bytes())
	if r.layout != eventPlain {
		e.Message = string(r.bytes())
	}
	r.closeHead(0, seq)
	return e, r
}

// DecodeEventHead reads and checks the head of a stored event without touching its body.
func DecodeEventHead(seq Seq, b []byte) (EventHead, error) {
	r := newEventReader(b)
	h := r.head()
	if r.layout == eventChecked {
		r.closeHead(3, seq)
	}
	if r.err != nil {
		return EventHead{}, fmt.Errorf("decode event %d: %w", seq, r.err)
	}
	return h, nil
}
