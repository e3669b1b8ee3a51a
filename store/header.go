package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"

	"waoutbox/store/private"
)

// The header of a bbolt file: two meta pages, of which the valid one with the higher transaction
// number counts. It is read here before bbolt sees the file, because bbolt would write into an
// empty one and map a cut-off one, and reading beyond the end of a mapped file kills the process.
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

	errIncomplete = errors.New("a part of it is lost")
)

type metaPage struct {
	pageSize uint64
	pages    uint64 // high-water mark
	txid     uint64
}

// checkHeader reports why the file at path cannot be an intact bbolt file. It changes nothing.
func checkHeader(path string) error {
	// the outbox may lie elsewhere: the link to it is its owner's, and so is what it leads to
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	f, err := private.Open(real, os.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
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
	if m, ok := readMeta(f, 0); ok {
		best := m
		if second, ok := readMeta(f, int64(m.pageSize)); ok && second.txid > m.txid {
			best = second
		}
		return best, nil
	}
	// The first page is torn, as a crash may leave it: the second lies one page on, whatever the
	// page size.
	for i := range pageSizesTried {
		size := int64(smallestPage) << i
		if m, ok := readMeta(f, size); ok && int64(m.pageSize) == size {
			return m, nil
		}
	}
	return metaPage{}, fmt.Errorf("its header cannot be read; %w", errForeign)
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

// metaTxid is where the transaction number lies in a header.
const metaTxid = 48

// raiseTxid has the closed database at path count its transactions from at least txid on, durably:
// a number is never given twice, also not by a copy that takes the place of the file.
func raiseTxid(path string, txid uint64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(raiseIn(f, txid), f.Close())
}

func raiseIn(f *os.File, txid uint64) error {
	newest, err := newestMeta(f)
	if err != nil || newest.txid >= txid {
		return err
	}
	txid += (txid - newest.txid) % 2 // even ones lie in the first page, odd ones in the second
	at := int64(newest.txid%2)*int64(newest.pageSize) + metaOffset
	b := make([]byte, metaSize)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	binary.NativeEndian.PutUint64(b[metaTxid:], txid)
	sum := fnv.New64a()
	sum.Write(b[:metaSummed])
	binary.NativeEndian.PutUint64(b[metaSummed:], sum.Sum64())
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Sync()
}

// forgetCommit makes sure that a transaction whose commit failed does not count, durably: the file
// is that of the transaction before, whose pages are untouched. After a sync that failed, the
// system may show pages that are not on the disk and never will be; what stood on them would be
// lost with them.
func forgetCommit(path string, txid uint64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(forgetIn(f, txid), f.Close())
}

func forgetIn(f *os.File, txid uint64) error {
	newest, err := newestMeta(f)
	if err != nil {
		return err
	}
	at := int64(0)
	if m, ok := readMeta(f, 0); !ok || m.txid != newest.txid {
		at = int64(newest.pageSize)
	}
	other, ok := readMeta(f, int64(newest.pageSize)-at)
	if newest.txid == txid && ok && other.txid < txid {
		// within one sector, so that it is there or not
		if _, err := f.WriteAt(make([]byte, 8), at+metaOffset); err != nil {
			return err
		}
	}
	return f.Sync()
}
