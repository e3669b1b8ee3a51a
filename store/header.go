package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The header of a bbolt file: two meta pages, of which the valid one with the higher transaction number counts. It is read
// here before bbolt sees the file, because bbolt would write into an empty one and map a cut-off one, and reading beyond the
// end of a mapped file kills the process.
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	metaOffset     = 16 // after the page header
	metaSize       = 64
	metaSummed     = 56 // bytes under the checksum
	smallestPage   = 1 << 10
	pageSizesTried = 15
)

var (
	errForeign = errors.New("it is not an outbox database")
	errCutOff  = errors.New("it is cut off")
)

type metaPage struct {
	pageSize uint64
	pages    uint64 // high-water mark
	txid     uint64
}

// checkHeader reports why the file at path cannot be an intact bbolt file. It changes nothing.
func checkHeader(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errForeign
	}
	meta, err := newestMeta(f)
	if err != nil {
		return err
	}
	if need := meta.pages * meta.pageSize; uint64(info.Size()) < need {
		return fmt.Errorf("%w: %d bytes are there, %d are needed", errCutOff, info.Size(), need)
	}
	return nil
}

func newestMeta(f io.ReaderAt) (metaPage, error) {
	best, found := metaPage{}, false
	if m, ok := readMeta(f, 0); ok {
		best, found = m, true
		if second, ok := readMeta(f, int64(m.pageSize)); ok && second.txid > m.txid {
			best = second
		}
		return best, nil
	}
	// The first page is torn, as a crash may leave it: the second lies one page on, whatever the page size.
	for i := range pageSizesTried {
		size := int64(smallestPage) << i
		if m, ok := readMeta(f, size); ok && int64(m.pageSize) == size {
			return m, nil
		}
	}
	if !found {
		return metaPage{}, fmt.Errorf("its header cannot be read; %w", errForeign)
	}
	return best, nil
}

func readMeta(f io.ReaderAt, at int64) (metaPage, bool) {
	b := make([]byte, metaSize)
	if _, err := f.ReadAt(b, at+metaOffset); err != nil {
		return metaPage{}, false
	}
	e := binary.NativeEndian // bbolt writes its structs as they lie in memory
	sum := fnv.New64a()
	sum.Write(b[:metaSummed])
	if e.Uint32(b) != boltMagic || e.Uint32(b[4:]) != boltVersion || e.Uint64(b[metaSummed:]) != sum.Sum64() {
		return metaPage{}, false
	}
	m := metaPage{pageSize: uint64(e.Uint32(b[8:])), pages: e.Uint64(b[40:]), txid: e.Uint64(b[48:])}
	if m.pageSize < smallestPage || m.pageSize > smallestPage<<pageSizesTried || m.pages > 1<<48/m.pageSize {
		return metaPage{}, false
	}
	return m, true
}
