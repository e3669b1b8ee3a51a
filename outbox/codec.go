package outbox

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// Every stored record starts with a version byte. A decoder refuses one it does not know: a wrong
// reading is worse than none. The layouts are kept in docs/FORMAT.md; integers inside records are
// little-endian or varints, keys are big-endian.
const (
	codecPlain = 1
	// codecChecked is the layout of pending and dead records, cursors and sends as they are
	// written: codecPlain with flagChecked in the second byte, and with a checksum at the end.
	codecChecked = 2
)

// attemptSize is the stored size of one attempt: start 8, duration 8, number 4, status 2, class 1,
// spare 1.
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
	b = append(b, codecPlain)
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

// DecodeLog reads what EncodeLog wrote. No bytes are an empty log. The result aliases nothing. An
// attempt whose class was written by a newer version has Class "unknown".
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

// EncodeSend renders s as the value of its message id.
func EncodeSend(s Send) []byte {
	b := append(make([]byte, 0, 64+len(s.Content)+len(s.Result)), codecChecked, flagChecked|byte(s.State))
	b = appendTime(b, s.CreatedAt)
	b = appendTime(b, s.SettledAt)
	b = appendBytes(b, []byte(s.Chat))
	b = appendBytes(b, []byte(s.IdempotencyKey))
	b = appendBytes(b, s.Content)
	b = appendBytes(b, s.Result)
	return appendSum(b, b, []byte(s.MessageID))
}

// DecodeSend reads what EncodeSend wrote under id, and checks it. The result aliases nothing.
func DecodeSend(id string, b []byte) (Send, error) {
	r, flags := newCheckedReader(b, []byte(id))
	s := Send{MessageID: id, State: SendState(flags), CreatedAt: r.time(), SettledAt: r.time()}
	if r.err == nil && s.State > SendFailed {
		r.fail(fmt.Errorf("state %d does not exist", s.State))
	}
	s.Chat, s.IdempotencyKey = string(r.bytes()), string(r.bytes())
	s.Content, s.Result = slices.Clone(r.bytes()), slices.Clone(r.bytes())
	if err := r.done(); err != nil {
		return Send{}, fmt.Errorf("decode send %s: %w", id, err)
	}
	return s, nil
}
