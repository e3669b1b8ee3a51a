package compact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The pages of a bbolt file, version 2, as far as a walk over a tree needs them. bbolt writes its
// structs as they lie in memory.
const (
	pageHeader   = 16 // id, flags, count, overflow
	pageElement  = 16 // of a branch: pos, ksize, page; of a leaf: flags, pos, ksize, vsize
	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagBucket   = 0x01      // of a leaf's element: the value is a bucket
	maxPageBytes = 256 << 20 // more than the largest value
)

// errPage is a page that is not what it should be.
var errPage = errors.New("a page of the file cannot be understood")

// item is a key and its value. Both stay valid.
type item struct{ key, value []byte }

// pages reads single pages of a bbolt file. The pages of a snapshot do not change while a read
// transaction of it is open.
type pages struct {
	file io.ReaderAt
	size int
}

// page is one that was read, with what overflows it.
type page struct {
	id    uint64
	flags uint16
	count int
	bytes []byte
}

func (p pages) read(id uint64) (page, error) {
	b, err := p.bytes(id, p.size)
	if err != nil {
		return page{}, err
	}
	e := binary.NativeEndian
	out := page{id: id, flags: e.Uint16(b[8:]), count: int(e.Uint16(b[10:])), bytes: b}
	if got := e.Uint64(b); got != id || out.flags != flagBranch && out.flags != flagLeaf {
		return page{}, fmt.Errorf("%w: page %d says it is %d of kind %d", errPage, id, got, out.flags)
	}
	if more := uint64(e.Uint32(b[12:])); more > 0 {
		if more > maxPageBytes/uint64(p.size) {
			return page{}, fmt.Errorf("%w: page %d has %d more", errPage, id, more)
		}
		if out.bytes, err = p.bytes(id, p.size*int(more+1)); err != nil {
			return page{}, err
		}
	}
	if pageHeader+out.count*pageElement > len(out.bytes) {
		return page{}, fmt.Errorf("%w: page %d has %d elements", errPage, id, out.count)
	}
	return out, nil
}

func (p pages) bytes(id uint64, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := p.file.ReadAt(b, int64(id)*int64(p.size)); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	return b, nil
}

// children returns the pages a branch leads to.
func (p page) children() []uint64 {
	out := make([]uint64, p.count)
	for i := range out {
		out[i] = binary.NativeEndian.Uint64(p.bytes[pageHeader+i*pageElement+8:])
	}
	return out
}

// items returns what a leaf holds, in order.
func (p page) items() ([]item, error) {
	e := binary.NativeEndian
	out := make([]item, p.count)
	for i := range out {
		at := pageHeader + i*pageElement
		b := p.bytes[at:]
		if e.Uint32(b)&flagBucket != 0 {
			return nil, errNested
		}
		from, k, v := uint64(at)+uint64(e.Uint32(b[4:])), uint64(e.Uint32(b[8:])), uint64(e.Uint32(b[12:]))
		if from+k+v > uint64(len(p.bytes)) {
			return nil, fmt.Errorf("%w: an element of page %d ends behind it", errPage, p.id)
		}
		out[i] = item{key: p.bytes[from : from+k : from+k], value: p.bytes[from+k : from+k+v : from+k+v]}
	}
	return out, nil
}
