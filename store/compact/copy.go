package compact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.etcd.io/bbolt"
)

const (
	// chunk is how many bytes are written in one transaction: each is synced, so that a commit of
	// the source never waits for more than this to reach the disk.
	chunk = 4 << 20
	// perItem is what a key costs in a page besides itself and its value.
	perItem = 16
	// fullPages is how much of a page the copy fills where keys may be inserted later.
	fullPages = 0.9
)

var errNested = errors.New("a bucket within a bucket is not copied")

// Options of Begin.
type Options struct {
	// buckets whose keys only rise: their pages are filled to the brim
	Rising []string
	// called after every transaction of the copy, and ends it with an error. May be nil.
	Step func() error
	// begins a read transaction of src while another one is open, which waits for ever when a
	// commit of src waits for that one. nil: src.Begin, where nobody writes to src
	Snapshot func() (*bbolt.Tx, error)
}

// Copy is a copy on its way: dst holds what src held at some moment. One goroutine at a time uses
// it. A memory fault is a panic in its methods, as in a transaction.
type Copy struct {
	src, dst *bbolt.DB
	o        Options
	pages    pages
	base     *bbolt.Tx // the snapshot dst is a copy of, open for reading
}

// Begin takes a snapshot of src for a copy in dst, an empty database. file is src's own, whatever
// has its name by now, and is not closed. src may be written meanwhile, but its map of memory
// cannot grow until Close: a commit that needs that waits, so Step should end the copy then. Call
// Close, also after an error or a panic of another method.
func Begin(src *bbolt.DB, file io.ReaderAt, dst *bbolt.DB, o Options) (*Copy, error) {
	if o.Snapshot == nil {
		o.Snapshot = func() (*bbolt.Tx, error) { return src.Begin(false) }
	}
	c := &Copy{src: src, dst: dst, o: o}
	var err error
	if c.base, err = src.Begin(false); err == nil {
		// not before: Info reads the map, which a commit may just be replacing
		c.pages = pages{file: file, size: src.Info().PageSize}
	}
	return c, err
}

// All copies the snapshot.
func (c *Copy) All(ctx context.Context) error {
	w := c.writer(ctx)
	defer w.rollback()
	err := c.base.ForEach(func(name []byte, b *bbolt.Bucket) error {
		if err := w.create(name, b.Sequence()); err != nil {
			return inBucket(name, err)
		}
		return inBucket(name, b.ForEach(func(k, v []byte) error {
			if v == nil {
				return errNested
			}
			return w.put(name, k, v, fullPages)
		}))
	})
	if err != nil {
		return err
	}
	return w.commit()
}

// CatchUp makes dst the copy of src as it is now, and returns how many bytes of keys and values had
// changed.
func (c *Copy) CatchUp(ctx context.Context) (changed int64, err error) {
	now, err := c.o.Snapshot()
	if err != nil {
		return 0, err
	}
	defer func() {
		if c.base != now { // also after a panic
			err = errors.Join(err, now.Rollback())
		}
	}()
	w := c.writer(ctx)
	defer w.rollback()
	err = buckets(c.base, now, func(name []byte) error {
		return inBucket(name, c.follow(w, name, now, &changed))
	})
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		return changed, err
	}
	old := c.base
	c.base = now
	return changed, old.Rollback()
}

// follow brings one bucket of dst to the snapshot now.
func (c *Copy) follow(w *writer, name []byte, now *bbolt.Tx, changed *int64) error {
	before, after := c.base.Bucket(name), now.Bucket(name)
	if after == nil {
		return w.remove(name)
	}
	if before == nil || before.Sequence() != after.Sequence() {
		if err := w.create(name, after.Sequence()); err != nil {
			return err
		}
	}
	if before != nil && before.Root() == after.Root() && after.Root() != 0 {
		return nil
	}
	return c.pages.changes(before, after, func(ch change) error {
		*changed += int64(len(ch.key) + len(ch.value))
		if ch.value == nil {
			return w.delete(name, ch.key)
		}
		return w.put(name, ch.key, ch.value, bbolt.DefaultFillPercent)
	})
}

// Close gives up the snapshot. dst stays open.
func (c *Copy) Close() error {
	if c.base == nil {
		return nil
	}
	base := c.base
	c.base = nil
	return base.Rollback()
}

// writer writes into dst, in transactions of about chunk bytes.
type writer struct {
	ctx  context.Context
	c    *Copy
	tx   *bbolt.Tx
	size int
}

func (c *Copy) writer(ctx context.Context) *writer { return &writer{ctx: ctx, c: c} }

// begin makes room for size bytes: it starts a transaction, or ends a full one first.
func (w *writer) begin(size int) (err error) {
	if w.tx != nil && w.size > 0 && w.size+size > chunk {
		if err := w.commit(); err != nil {
			return err
		}
	}
	if w.tx == nil {
		w.tx, err = w.c.dst.Begin(true)
	}
	w.size += size
	return err
}

func (w *writer) create(name []byte, sequence uint64) error {
	if err := w.begin(len(name) + perItem); err != nil {
		return err
	}
	b, err := w.tx.CreateBucketIfNotExists(name)
	if err != nil {
		return err
	}
	return b.SetSequence(sequence)
}

func (w *writer) remove(name []byte) error {
	if err := w.begin(perItem); err != nil {
		return err
	}
	return w.tx.DeleteBucket(name)
}

func (w *writer) put(bucket, key, value []byte, fill float64) error {
	if err := w.begin(len(key) + len(value) + perItem); err != nil {
		return err
	}
	b := w.tx.Bucket(bucket)
	b.FillPercent = fill
	if slices.Contains(w.c.o.Rising, string(bucket)) {
		b.FillPercent = 1
	}
	return b.Put(key, value)
}

func (w *writer) delete(bucket, key []byte) error {
	if err := w.begin(len(key) + perItem); err != nil {
		return err
	}
	return w.tx.Bucket(bucket).Delete(key)
}

// commit ends the transaction, if there is one.
func (w *writer) commit() error {
	if w.tx == nil {
		return nil
	}
	tx := w.tx
	w.tx, w.size = nil, 0
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write the copy: %w", err)
	}
	if w.c.o.Step != nil {
		if err := w.c.o.Step(); err != nil {
			return err
		}
	}
	return w.ctx.Err()
}

// rollback undoes what was not committed, after an error.
func (w *writer) rollback() {
	if w.tx != nil {
		_ = w.tx.Rollback() // the copy is thrown away
	}
}
