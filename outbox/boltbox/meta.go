package boltbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"waoutbox/outbox"
)

// Numbers in the bucket meta, which is the store's besides.
const (
	// events that were removed: the rest of the sequences given are kept
	metaTrimmed     = "trimmed"
	metaRemovedDead = "removed_dead" // dead deliveries of what lies in the bucket removed
	metaSealed      = "sealed"       // at and below it the dedupe keys of all events are in runs
	metaWhole       = "whole"        // the sequence from which on nothing was removed
	// the sequence below which no event needs to be looked at by a trim: it is gone, undecodable,
	// held by a record, or in a range of the bucket freed
	metaTrimMark = "trim_mark"
)

// metaNumber reads a number, 0 when it is absent. When it is damaged, that is reported and reckon
// says what it must be; the next write of it mends it.
func (b *Box) metaNumber(tx *bbolt.Tx, key string, reckon func() uint64) uint64 {
	n, err := readMeta(tx, key)
	if err != nil {
		b.unreadable(bucketMeta, []byte(key), err)
		return reckon()
	}
	return n
}

func readMeta(tx *bbolt.Tx, key string) (uint64, error) {
	v := tx.Bucket([]byte(bucketMeta)).Get([]byte(key))
	if len(v) == 0 {
		return 0, nil
	}
	if len(v) != 8 { // in older files there is no checksum
		var err error
		if v, err = checkSum(v, []byte(key)); err != nil {
			return 0, err
		}
	}
	if len(v) != 8 {
		return 0, errors.New("it has a wrong size")
	}
	return binary.BigEndian.Uint64(v), nil
}

func putMetaNumber(tx *bbolt.Tx, key string, n uint64) error {
	v := appendSum(binary.BigEndian.AppendUint64(nil, n), []byte(key))
	if err := tx.Bucket([]byte(bucketMeta)).Put([]byte(key), v); err != nil {
		return fmt.Errorf("store the number %s: %w", key, err)
	}
	return nil
}

// trimmedEvents is how many events were removed.
func (b *Box) trimmedEvents(tx *bbolt.Tx) uint64 {
	return b.metaNumber(tx, metaTrimmed, func() uint64 {
		events := tx.Bucket([]byte(bucketEvents))
		n := events.Sequence()
		c := events.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			n--
		}
		return n
	})
}

// deadOfRemoved is how many dead deliveries the subscriptions in the bucket removed have.
func (b *Box) deadOfRemoved(tx *bbolt.Tx) uint64 {
	return b.metaNumber(tx, metaRemovedDead, func() uint64 { return countDeadOfRemoved(tx) })
}

func countDeadOfRemoved(tx *bbolt.Tx) (n uint64) {
	c := tx.Bucket([]byte(bucketRemoved)).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if _, cur, err := outbox.DecodeRemoved(outbox.SubID(k), v); err == nil {
			n += cur.Dead
		}
	}
	return n
}

// sealedUpTo is the sequence at and below which the dedupe keys of all events are in runs.
func (b *Box) sealedUpTo(tx *bbolt.Tx) outbox.Seq {
	// all keys are read from the events again
	return outbox.Seq(b.metaNumber(tx, metaSealed, func() uint64 { return 0 }))
}

func (b *Box) trimMark(tx *bbolt.Tx) outbox.Seq {
	// everything is looked at again
	return outbox.Seq(b.metaNumber(tx, metaTrimMark, func() uint64 { return 0 }))
}

// wholeFrom is the sequence from which on nothing was removed.
func (b *Box) wholeFrom(tx *bbolt.Tx) outbox.Seq {
	all := func() uint64 { return tx.Bucket([]byte(bucketEvents)).Sequence() + 1 }
	return outbox.Seq(max(1, b.metaNumber(tx, metaWhole, all)))
}

// noteRemoved is called when events were removed, the highest of which is seq.
func (b *Box) noteRemoved(tx *bbolt.Tx, seq outbox.Seq) error {
	if seq < b.wholeFrom(tx) {
		return nil
	}
	return putMetaNumber(tx, metaWhole, uint64(seq)+1)
}

// sumSize is the size of a CRC-32C at the end of a value.
const sumSize = 4

// castagnoli is computed by the processor.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the CRC-32C of a value and then of what it lies under.
func sum(v []byte, key ...[]byte) uint32 {
	s := crc32.Update(0, castagnoli, v)
	for _, k := range key {
		s = crc32.Update(s, castagnoli, k)
	}
	return s
}

func appendSum(v []byte, key ...[]byte) []byte {
	return binary.LittleEndian.AppendUint32(v, sum(v, key...))
}

// checkSum returns v without its checksum.
func checkSum(v []byte, key ...[]byte) ([]byte, error) {
	n := len(v) - sumSize
	if n < 0 {
		return nil, errors.New("too short")
	}
	if binary.LittleEndian.Uint32(v[n:]) != sum(v[:n], key...) {
		return nil, errors.New("its checksum is wrong")
	}
	return v[:n], nil
}
