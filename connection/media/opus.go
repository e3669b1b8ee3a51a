package media

import (
	"bytes"
	"encoding/binary"
)

// opusRate is how many samples a second the positions in an Opus stream count, whatever its own
// rate is.
const opusRate = 48_000

// oggHeader is how long the fixed part of an Ogg page's header is.
const oggHeader = 27

// opusLength reads how long an Opus recording in an Ogg file lasts, from the file as it passes:
// each page says at which sample it ends. How loud it is when, which phones draw, only a decoder
// knows.
type opusLength struct {
	head   []byte // of the page at hand, as far as it has come
	skip   int    // bytes of it that are of no interest
	last   uint64 // sample at which the last page ends
	pre    uint64 // samples before the recording begins
	opus   bool
	broken bool // it is no Ogg file, or none any more
}

// Write takes the next bytes of the file. It never fails.
func (o *opusLength) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && !o.broken {
		if o.skip > 0 {
			part := min(o.skip, len(p))
			o.skip -= part
			p = p[part:]
			continue
		}
		want := o.wanted()
		part := min(want-len(o.head), len(p))
		o.head = append(o.head, p[:part]...)
		p = p[part:]
		if len(o.head) == o.wanted() {
			o.page()
		}
	}
	return n, nil
}

// wanted is how much of a page is looked at: its header, with the sizes of its segments, and of the
// first page what follows.
func (o *opusLength) wanted() int {
	if len(o.head) < oggHeader {
		return oggHeader
	}
	table := oggHeader + int(o.head[oggHeader-1])
	if o.opus || len(o.head) < table {
		return table
	}
	return table + o.payload()
}

// payload is how long what follows a page's header is.
func (o *opusLength) payload() (n int) {
	for _, size := range o.head[oggHeader : oggHeader+int(o.head[oggHeader-1])] {
		n += int(size)
	}
	return n
}

// page takes the page at hand.
func (o *opusLength) page() {
	if !bytes.HasPrefix(o.head, []byte("OggS")) {
		o.broken = true
		return
	}
	if ends := binary.LittleEndian.Uint64(o.head[6:14]); int64(ends) >= 0 { // else none ends here
		o.last = ends
	}
	if o.opus {
		o.skip = o.payload()
	} else {
		first := o.head[len(o.head)-o.payload():]
		if o.opus = bytes.HasPrefix(first, []byte("OpusHead")) && len(first) >= 12; !o.opus {
			o.broken = true
			return
		}
		o.pre = uint64(binary.LittleEndian.Uint16(first[10:12]))
	}
	o.head = o.head[:0]
}

// seconds is how long the recording is, at least one; 0 if it is none, or nothing tells.
func (o *opusLength) seconds() uint32 {
	if !o.opus || o.broken || o.last <= o.pre {
		return 0
	}
	s := (o.last - o.pre + opusRate/2) / opusRate
	if s > 7*24*60*60 { // nobody speaks that long: the file says nonsense
		return 0
	}
	return uint32(max(s, 1))
}
