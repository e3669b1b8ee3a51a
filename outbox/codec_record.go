package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// EncodeRecord renders r as the value of the key it is filed under (sub and KeySeq). The state is
// part of the value.
func EncodeRecord(sub SubID, r Record) []byte {
	b := make([]byte, 0, 56+len(r.Reason)+len(r.Log))
	b = append(b, codecChecked, flagChecked|byte(r.State))
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
	b = appendString(b, r.Reason)
	b = appendBytes(b, r.Log)
	return appendSum(b, b, []byte(sub), seqBytes(r.KeySeq()))
}

// newRecordReader reads up to the state.
func newRecordReader(sub SubID, key Seq, b []byte) (*reader, State) {
	r, flags := newCheckedReader(b, []byte(sub), seqBytes(key))
	state := State(flags)
	if r.err == nil && state != Pending && state != Dead {
		r.fail(fmt.Errorf("state %d is not a stored one", state))
	}
	return r, state
}

// DecodeRecord reads what EncodeRecord wrote under sub and key, and checks it. The result aliases
// nothing.
func DecodeRecord(sub SubID, key Seq, b []byte) (Record, error) {
	return decodeRecord(sub, key, b, true)
}

// DecodeRecordWithoutLog is DecodeRecord without the log, which is most of a record.
func DecodeRecordWithoutLog(sub SubID, key Seq, b []byte) (Record, error) {
	return decodeRecord(sub, key, b, false)
}

func decodeRecord(sub SubID, key Seq, b []byte, log bool) (Record, error) {
	r, state := newRecordReader(sub, key, b)
	rec := Record{Seq: key, State: state}
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
	if raw := r.bytes(); log {
		rec.Log = slices.Clone(raw)
	}
	if err := r.done(); err != nil {
		return Record{}, fmt.Errorf("decode record %d: %w", key, err)
	}
	return rec, nil
}

// DecodeRecordHead reads how many deliveries a stored record stands for (1, or a run's count), and
// for a run how far below its key it begins. It checks the record as DecodeRecord does.
func DecodeRecordHead(sub SubID, key Seq, b []byte) (count, span uint64, err error) {
	r, _ := newRecordReader(sub, key, b)
	span, count = r.uvarint(), r.uvarint()
	if r.err == nil && span >= uint64(key) {
		r.fail(errors.New("run starts before the first sequence"))
	}
	if r.err != nil {
		return 0, 0, fmt.Errorf("decode record: %w", r.err)
	}
	return max(count, 1), span, nil
}

// HoldsNothing reports whether a stored record is an expired one. One that cannot be decoded is
// not: it holds what it may have held.
func HoldsNothing(sub SubID, key Seq, v []byte) bool {
	state, reason, err := decodeReason(sub, key, v)
	return err == nil && state == Dead && reason == ReasonExpired
}

// DecodeReason reads the reason of the record stored under sub and key, without its log, and checks
// it as DecodeRecord does.
func DecodeReason(sub SubID, key Seq, v []byte) (string, error) {
	_, reason, err := decodeReason(sub, key, v)
	return reason, err
}

func decodeReason(sub SubID, key Seq, v []byte) (State, string, error) {
	r, state := newRecordReader(sub, key, v)
	for range 4 { // span, count, attempts, replay
		r.uvarint()
	}
	r.u64()
	r.time()
	r.time()
	reason := string(r.bytes())
	return state, reason, r.err
}
