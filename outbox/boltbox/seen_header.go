package boltbox

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// States of a run.
const (
	seenLive     = 0 // whole, or being merged into one that is in the making
	seenBuilding = 1 // in the making: below part next it has what its inputs no longer have
	seenGone     = 2 // expired, being removed
)

const (
	seenHeaderVersion = 1
	seenHeaderSize    = 1 + 1 + 4 + 8 + 4 + 4
)

// seenHeader is a run as the bucket of runs has it.
type seenHeader struct {
	run    *seenRun
	state  byte
	next   uint32   // of one in the making: the part that comes next
	inputs []uint64 // of one in the making: ids of what it is made of
}

func (h seenHeader) put(tx *bbolt.Tx) error {
	v := append(make([]byte, 0, seenHeaderSize+8*len(h.inputs)+sumSize), seenHeaderVersion, h.state)
	v = binary.LittleEndian.AppendUint32(v, h.run.newest)
	v = binary.LittleEndian.AppendUint64(v, h.run.count)
	v = binary.LittleEndian.AppendUint32(v, h.run.parts)
	v = binary.LittleEndian.AppendUint32(v, h.next)
	for _, id := range h.inputs {
		v = binary.LittleEndian.AppendUint64(v, id)
	}
	if err := tx.Bucket([]byte(bucketSeenRuns)).Put(h.run.prefix(), appendSum(v)); err != nil {
		return fmt.Errorf("store a run of dedupe keys: %w", err)
	}
	return nil
}

func parseSeenHeader(k, v []byte) (seenHeader, error) {
	v, err := checkSum(v)
	if err != nil {
		return seenHeader{}, err
	}
	if len(k) != 8 || len(v) < seenHeaderSize || (len(v)-seenHeaderSize)%8 != 0 {
		return seenHeader{}, errors.New("it has a wrong size")
	}
	if v[0] != seenHeaderVersion || v[1] > seenGone {
		return seenHeader{}, fmt.Errorf("version %d, state %d", v[0], v[1])
	}
	h := seenHeader{state: v[1], next: binary.LittleEndian.Uint32(v[18:]), run: &seenRun{
		id:     binary.BigEndian.Uint64(k),
		newest: binary.LittleEndian.Uint32(v[2:]),
		count:  binary.LittleEndian.Uint64(v[6:]),
		parts:  binary.LittleEndian.Uint32(v[14:]),
	}}
	if h.run.parts == 0 || h.next > h.run.parts || h.run.parts > seenMaxParts || uint64(h.run.parts)-1 > h.run.count {
		return seenHeader{}, fmt.Errorf("%d parts, %d done", h.run.parts, h.next)
	}
	h.run.filters = make([]seenFilter, h.run.parts)
	for v = v[seenHeaderSize:]; len(v) > 0; v = v[8:] {
		h.inputs = append(h.inputs, binary.LittleEndian.Uint64(v))
	}
	return h, nil
}
