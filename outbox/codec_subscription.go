package outbox

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// The layouts of subscriptions. Both are read, and only the last is written.
const (
	subPlain   = 1 // filters of events and chats, no checksum
	subChecked = 2 // filters as a whole, checksum
)

const subRemoved = 1 // flag of a subscription

// EncodeSubscription renders s as the value of its id.
func EncodeSubscription(s Subscription) []byte {
	b := make([]byte, 0, 32+len(s.Config)+64*len(s.Epochs))
	flags := byte(flagChecked)
	if s.Removed {
		flags |= subRemoved
	}
	b = append(b, subChecked, flags)
	b = appendBytes(b, s.Config)
	b = binary.AppendUvarint(b, uint64(len(s.Epochs)))
	for _, e := range s.Epochs {
		b = binary.AppendUvarint(b, uint64(e.From))
		for _, list := range [][]string{e.Filter.Events, e.Filter.Chats, e.Filter.NotChats, e.Filter.Kinds} {
			b = appendStrings(b, list)
		}
	}
	return appendSum(b, b, []byte(s.ID))
}

// DecodeSubscription reads what EncodeSubscription wrote under id, and checks it. The result
// aliases nothing.
func DecodeSubscription(id SubID, b []byte) (Subscription, error) {
	r, version := newVersionReader(b, subChecked)
	flags, known, lists := r.u8(), byte(subRemoved), 2
	if version == subChecked {
		known, lists = flagChecked|subRemoved, 4
		r.checked(b, []byte(id))
	}
	if r.err == nil && (flags&^known != 0 || version == subChecked && flags&flagChecked == 0) {
		r.fail(fmt.Errorf("flags %#x do not exist in a subscription of version %d", flags, version))
	}
	s := Subscription{ID: id, Removed: flags&subRemoved != 0, Config: slices.Clone(r.bytes())}
	for range r.count(1 + lists) {
		e := Epoch{From: Seq(r.uvarint())}
		e.Filter.Events, e.Filter.Chats = r.strings(), r.strings()
		if version == subChecked {
			e.Filter.NotChats, e.Filter.Kinds = r.strings(), r.strings()
		}
		s.Epochs = append(s.Epochs, e)
	}
	if err := r.done(); err != nil {
		return Subscription{}, fmt.Errorf("decode subscription %s: %w", id, err)
	}
	return s, nil
}

// Cursor is what an engine stores beside a subscription: how far it came, and how much is left
// behind. The counts are kept so that opening and statistics need no walk over the records.
type Cursor struct {
	Next    Seq
	Pending uint64 // pending records
	Dead    uint64 // dead deliveries, runs counted by their events
	Runs    uint64 // dead records that are runs
	Lane    []byte // the lane's own state
}

// EncodeCursor renders c as the value of the subscription's id.
func EncodeCursor(id SubID, c Cursor) []byte {
	b := append(make([]byte, 0, 40+len(c.Lane)), codecChecked, flagChecked)
	for _, v := range []uint64{uint64(c.Next), c.Pending, c.Dead, c.Runs} {
		b = binary.AppendUvarint(b, v)
	}
	b = appendBytes(b, c.Lane)
	return appendSum(b, b, []byte(id))
}

// DecodeCursor reads what EncodeCursor wrote under id, and checks it. The result aliases nothing.
func DecodeCursor(id SubID, b []byte) (Cursor, error) {
	r, flags := newCursorReader(id, b)
	if r.err == nil && flags != 0 {
		r.fail(fmt.Errorf("flags %#x do not exist in a cursor", flags))
	}
	c := Cursor{Next: Seq(r.uvarint()), Pending: r.uvarint(), Dead: r.uvarint(), Runs: r.uvarint()}
	c.Lane = slices.Clone(r.bytes())
	if err := r.done(); err != nil {
		return Cursor{}, fmt.Errorf("decode cursor: %w", err)
	}
	return c, nil
}

// newCursorReader reads up to the flags, which a cursor without a checksum does not have.
func newCursorReader(id SubID, b []byte) (r *reader, flags byte) {
	if len(b) > 0 && b[0] == codecPlain {
		return newReader(b), 0
	}
	return newCheckedReader(b, []byte(id))
}

// EncodeRemoved renders a removed subscription that is owed nothing, with its cursor, as the value
// of its id. Both have their checksums.
func EncodeRemoved(s Subscription, c Cursor) []byte {
	b := appendBytes([]byte{codecPlain}, EncodeCursor(s.ID, c))
	return append(b, EncodeSubscription(s)...)
}

// DecodeRemoved reads what EncodeRemoved wrote under id. The result aliases nothing.
func DecodeRemoved(id SubID, b []byte) (Subscription, Cursor, error) {
	r := newReader(b)
	cursor := r.bytes()
	if r.err != nil {
		return Subscription{}, Cursor{}, fmt.Errorf("decode removed subscription %s: %w", id, r.err)
	}
	c, err := DecodeCursor(id, cursor)
	if err != nil {
		return Subscription{}, Cursor{}, fmt.Errorf("decode removed subscription %s: %w", id, err)
	}
	s, err := DecodeSubscription(id, r.b)
	return s, c, err
}
