package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Every stored record starts with this version byte. A decoder refuses any other: a wrong reading is worse than none. The
// layouts are kept in docs/FORMAT.md; integers inside records are little-endian or varints, keys are big-endian.
const codecVersion = 1

// attemptSize is the stored size of one attempt: start 8, duration 8, number 4, status 2, class 1, spare 1.
const attemptSize = 24

// classes maps stored class codes to classes. Codes are permanent: append only, never reorder.
func classes() []Class {
	return []Class{"", ClassOK, ClassHTTP, ClassRedirect, ClassTimeout, ClassRefused, ClassReset, ClassDNS, ClassTLS,
		ClassNetwork, ClassInternal, ClassAddress, ClassLocal}
}

// classOther stands for a class this version cannot name.
const classOther = 255

// EncodeLog renders a delivery's attempt log for Record.Log.
func EncodeLog(l Log) []byte {
	b := make([]byte, 0, 16+len(l.Attempts)*attemptSize+len(l.Message)+len(l.Excerpt))
	b = append(b, codecVersion)
	b = binary.AppendUvarint(b, uint64(len(l.Attempts)))
	known := classes()
	for _, a := range l.Attempts {
		code := slices.Index(known, a.Class)
		if code < 0 {
			code = classOther
		}
		b = appendTime(b, a.At)
		b = binary.LittleEndian.AppendUint64(b, uint64(a.Took))
		b = binary.LittleEndian.AppendUint32(b, uint32(clamp(a.N, math.MaxInt32)))
		b = binary.LittleEndian.AppendUint16(b, uint16(clamp(a.Status, math.MaxUint16)))
		b = append(b, byte(code), 0)
	}
	b = appendBytes(b, []byte(l.Message))
	return appendBytes(b, l.Excerpt)
}

// DecodeLog reads what EncodeLog wrote. No bytes are an empty log. The result aliases nothing. An attempt whose class was
// written by a newer version has Class "unknown".
func DecodeLog(b []byte) (Log, error) {
	if len(b) == 0 {
		return Log{}, nil
	}
	r := newReader(b)
	n := r.count(attemptSize)
	var l Log
	known := classes()
	for range n {
		a := Attempt{At: r.time(), Took: time.Duration(r.u64()), N: int(r.u32()), Status: int(r.u16()), Class: "unknown"}
		code := r.u8()
		r.u8()
		if int(code) < len(known) {
			a.Class = known[code]
		}
		l.Attempts = append(l.Attempts, a)
	}
	l.Message = string(r.bytes())
	l.Excerpt = slices.Clone(r.bytes())
	if err := r.done(); err != nil {
		return Log{}, fmt.Errorf("decode attempt log: %w", err)
	}
	return l, nil
}

// EncodeRecord renders r as the value of the key it is filed under (KeySeq). The state is part of the value.
func EncodeRecord(r Record) []byte {
	b := make([]byte, 0, 48+len(r.Reason)+len(r.Log))
	b = append(b, codecVersion, byte(r.State))
	span := uint64(0)
	if r.IsRun() {
		span = uint64(r.Last - r.Seq)
	}
	b = binary.AppendUvarint(b, span)
	b = binary.AppendUvarint(b, uint64(clamp(r.Count, math.MaxInt)))
	b = binary.AppendUvarint(b, uint64(clamp(r.Attempts, math.MaxInt)))
	b = binary.AppendUvarint(b, uint64(clamp(r.Replay, math.MaxInt)))
	b = binary.LittleEndian.AppendUint64(b, r.Order)
	b = appendTime(b, r.Due)
	b = appendTime(b, r.At)
	b = appendBytes(b, []byte(r.Reason))
	return appendBytes(b, r.Log)
}

// DecodeRecord reads what EncodeRecord wrote under key. The result aliases nothing.
func DecodeRecord(key Seq, b []byte) (Record, error) {
	r := newReader(b)
	rec := Record{Seq: key, State: State(r.u8())}
	span := r.uvarint()
	if span > 0 {
		if span >= uint64(key) {
			r.fail(errors.New("run starts before the first sequence"))
		}
		rec.Seq, rec.Last = key-Seq(span), key
	}
	rec.Count, rec.Attempts, rec.Replay = r.int(), r.int(), r.int()
	rec.Order = r.u64()
	rec.Due, rec.At = r.time(), r.time()
	rec.Reason = string(r.bytes())
	rec.Log = slices.Clone(r.bytes())
	if err := r.done(); err != nil {
		return Record{}, fmt.Errorf("decode record %d: %w", key, err)
	}
	if rec.State != Pending && rec.State != Dead {
		return Record{}, fmt.Errorf("decode record %d: state %d is not a stored one", key, rec.State)
	}
	return rec, nil
}

// DecodeRecordHead reads how many deliveries a stored record stands for (1, or a run's count), and for a run how far below its
// key it begins.
func DecodeRecordHead(b []byte) (count, span uint64, err error) {
	r := newReader(b)
	r.u8()
	span, count = r.uvarint(), r.uvarint()
	if r.err != nil {
		return 0, 0, fmt.Errorf("decode record: %w", r.err)
	}
	return max(count, 1), span, nil
}

// EncodeEvent renders e without its sequence, which is its key. The body is the tail of the result.
func EncodeEvent(e Event) []byte {
	b := make([]byte, 0, 32+len(e.Key)+len(e.Name)+len(e.Chat)+len(e.Account)+len(e.Body))
	var flags byte
	if e.Random {
		flags = 1
	}
	b = append(b, codecVersion, flags)
	b = appendTime(b, e.Time)
	b = binary.LittleEndian.AppendUint32(b, e.Stamp)
	b = appendBytes(b, []byte(e.Name))
	b = appendBytes(b, []byte(e.Chat))
	b = appendBytes(b, []byte(e.Account))
	b = appendBytes(b, []byte(e.Key))
	return append(b, e.Body...)
}

// DecodeEvent reads what EncodeEvent wrote under seq. The body aliases b: clone it before b goes away.
func DecodeEvent(seq Seq, b []byte) (Event, error) {
	r := newReader(b)
	e := Event{Seq: seq, Random: r.u8()&1 != 0, Time: r.time(), Stamp: r.u32()}
	e.Name, e.Chat, e.Account, e.Key = string(r.bytes()), string(r.bytes()), string(r.bytes()), string(r.bytes())
	if r.err != nil {
		return Event{}, fmt.Errorf("decode event %d: %w", seq, r.err)
	}
	e.Body = r.b
	return e, nil
}

// EventHead is the part of a stored event that filters and ages are decided by.
type EventHead struct {
	Time time.Time
	Name string
	Chat string
}

// DecodeEventHead reads the head of a stored event without touching its body.
func DecodeEventHead(seq Seq, b []byte) (EventHead, error) {
	r := newReader(b)
	r.u8()
	h := EventHead{Time: r.time()}
	r.u32()
	h.Name, h.Chat = string(r.bytes()), string(r.bytes())
	if r.err != nil {
		return EventHead{}, fmt.Errorf("decode event %d: %w", seq, r.err)
	}
	return h, nil
}

// EncodeSubscription renders s without its id, which is its key.
func EncodeSubscription(s Subscription) []byte {
	b := make([]byte, 0, 32+len(s.Config)+64*len(s.Epochs))
	var flags byte
	if s.Removed {
		flags = 1
	}
	b = append(b, codecVersion, flags)
	b = appendBytes(b, s.Config)
	b = binary.AppendUvarint(b, uint64(len(s.Epochs)))
	for _, e := range s.Epochs {
		b = binary.AppendUvarint(b, uint64(e.From))
		b = appendStrings(b, e.Filter.Events)
		b = appendStrings(b, e.Filter.Chats)
	}
	return b
}

// DecodeSubscription reads what EncodeSubscription wrote under id. The result aliases nothing.
func DecodeSubscription(id SubID, b []byte) (Subscription, error) {
	r := newReader(b)
	s := Subscription{ID: id, Removed: r.u8()&1 != 0}
	s.Config = slices.Clone(r.bytes())
	for range r.count(3) {
		e := Epoch{From: Seq(r.uvarint())}
		e.Filter.Events, e.Filter.Chats = r.strings(), r.strings()
		s.Epochs = append(s.Epochs, e)
	}
	if err := r.done(); err != nil {
		return Subscription{}, fmt.Errorf("decode subscription %s: %w", id, err)
	}
	return s, nil
}

// Cursor is what an engine stores beside a subscription: how far it came, and how much is left behind. The counts are kept so
// that opening and statistics need no walk over the records.
type Cursor struct {
	Next    Seq
	Pending uint64 // pending records
	Dead    uint64 // dead deliveries, runs counted by their events
	Runs    uint64 // dead records that are runs
	Lane    []byte // the lane's own state
}

// EncodeCursor renders c.
func EncodeCursor(c Cursor) []byte {
	b := append(make([]byte, 0, 32+len(c.Lane)), codecVersion)
	for _, v := range []uint64{uint64(c.Next), c.Pending, c.Dead, c.Runs} {
		b = binary.AppendUvarint(b, v)
	}
	return appendBytes(b, c.Lane)
}

// DecodeCursor reads what EncodeCursor wrote. The result aliases nothing.
func DecodeCursor(b []byte) (Cursor, error) {
	r := newReader(b)
	c := Cursor{Next: Seq(r.uvarint()), Pending: r.uvarint(), Dead: r.uvarint(), Runs: r.uvarint()}
	c.Lane = slices.Clone(r.bytes())
	if err := r.done(); err != nil {
		return Cursor{}, fmt.Errorf("decode cursor: %w", err)
	}
	return c, nil
}

// EncodeSend renders s without its message id, which is its key.
func EncodeSend(s Send) []byte {
	b := append(make([]byte, 0, 64+len(s.Content)+len(s.Result)), codecVersion, byte(s.State))
	b = appendTime(b, s.CreatedAt)
	b = appendTime(b, s.SettledAt)
	b = appendBytes(b, []byte(s.Chat))
	b = appendBytes(b, []byte(s.IdempotencyKey))
	b = appendBytes(b, s.Content)
	return appendBytes(b, s.Result)
}

// DecodeSend reads what EncodeSend wrote under id. The result aliases nothing.
func DecodeSend(id string, b []byte) (Send, error) {
	r := newReader(b)
	s := Send{MessageID: id, State: SendState(r.u8()), CreatedAt: r.time(), SettledAt: r.time()}
	s.Chat, s.IdempotencyKey = string(r.bytes()), string(r.bytes())
	s.Content, s.Result = slices.Clone(r.bytes()), slices.Clone(r.bytes())
	if err := r.done(); err != nil {
		return Send{}, fmt.Errorf("decode send %s: %w", id, err)
	}
	return s, nil
}
