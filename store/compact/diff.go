package compact

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"
)

// change is what has to be done to a key: value nil removes it.
type change struct{ key, value []byte }

// changes calls fn with what makes a bucket of the snapshot before that of after, in order, until
// it returns an error. Both are snapshots of one file with their read transactions open. Either
// bucket may be nil.
func (p pages) changes(before, after *bbolt.Bucket, fn func(change) error) error {
	gone, err := p.contents(before, after)
	if err != nil {
		return err
	}
	came, err := p.contents(after, before)
	if err != nil {
		return err
	}
	return merge(gone, came, fn)
}

// contents is what lies in the leaves of b that other does not share, in order: all of it for a
// small bucket, which has no page of its own.
func (p pages) contents(b, other *bbolt.Bucket) (*contents, error) {
	if b == nil {
		return &contents{}, nil
	}
	root, otherRoot := uint64(b.Root()), uint64(0)
	if other != nil {
		otherRoot = uint64(other.Root())
	}
	if root == 0 {
		items, err := small(b)
		return &contents{items: items}, err
	}
	leaves, err := p.ownLeaves(root, otherRoot)
	return &contents{p: p, leaves: leaves}, err
}

// small copies a bucket that lies within a page of another.
func small(b *bbolt.Bucket) (out []item, err error) {
	err = b.ForEach(func(k, v []byte) error {
		if v == nil {
			return errNested
		}
		out = append(out, item{key: bytes.Clone(k), value: append([]byte{}, v...)})
		return nil
	})
	return out, err
}

// contents are items in the order of their keys. Leaves are read when their turn comes.
type contents struct {
	p      pages
	leaves []uint64
	items  []item
	last   []byte
}

// head returns the first item that is left, nil at the end.
func (c *contents) head() (*item, error) {
	for len(c.items) == 0 && len(c.leaves) > 0 {
		leaf, err := c.p.read(c.leaves[0])
		if err != nil {
			return nil, err
		}
		if c.items, err = leaf.items(); err != nil {
			return nil, err
		}
		c.leaves = c.leaves[1:]
	}
	if len(c.items) == 0 {
		return nil, nil
	}
	if c.last != nil && bytes.Compare(c.items[0].key, c.last) <= 0 {
		return nil, fmt.Errorf("%w: its keys are out of order", errPage)
	}
	return &c.items[0], nil
}

// drop goes on to the next item.
func (c *contents) drop() { c.last, c.items = c.items[0].key, c.items[1:] }

// ownLeaves returns the leaves of the tree at root, in order, that the tree at other does not have.
// It goes down both trees level by level, past what both have in the same level; a page that only
// moved to another level is found to be shared in the end.
func (p pages) ownLeaves(root, other uint64) ([]uint64, error) {
	mine, theirs := tree{frontier: []uint64{root}}, tree{}
	if other != 0 { // else it has no pages
		theirs.frontier = []uint64{other}
	}
	for len(mine.frontier)+len(theirs.frontier) > 0 {
		shared := common(mine.frontier, theirs.frontier)
		if err := mine.down(p, shared); err != nil {
			return nil, err
		}
		if err := theirs.down(p, shared); err != nil {
			return nil, err
		}
	}
	has := set(theirs.leaves)
	var out []uint64
	for _, id := range mine.leaves {
		if !has[id] {
			out = append(out, id)
		}
	}
	return out, nil
}

// tree is a walk down one tree.
type tree struct {
	frontier []uint64
	leaves   []uint64 // met, those of shared parts left out
}

// down goes one level down, not into what is shared.
func (t *tree) down(p pages, shared map[uint64]bool) error {
	var next []uint64
	for _, id := range t.frontier {
		if shared[id] {
			continue
		}
		pg, err := p.read(id)
		if err != nil {
			return err
		}
		if pg.flags == flagLeaf {
			t.leaves = append(t.leaves, id)
		} else {
			next = append(next, pg.children()...)
		}
	}
	t.frontier = next
	return nil
}

func common(a, b []uint64) map[uint64]bool {
	in, out := set(a), map[uint64]bool{}
	for _, id := range b {
		if in[id] {
			out[id] = true
		}
	}
	return out
}

func set(ids []uint64) map[uint64]bool {
	out := make(map[uint64]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out
}

// merge compares two sorted lists: what is only in gone is to be removed, what is only in came or
// differs there is to be put.
func merge(gone, came *contents, fn func(change) error) error {
	for {
		g, err := gone.head()
		if err != nil {
			return err
		}
		c, err := came.head()
		if err != nil || g == nil && c == nil {
			return err
		}
		var order int
		switch {
		case g == nil:
			order = 1
		case c == nil:
			order = -1
		default:
			order = bytes.Compare(g.key, c.key)
		}
		switch {
		case order < 0:
			err = fn(change{key: g.key})
		case order > 0 || !bytes.Equal(g.value, c.value):
			err = fn(change{key: c.key, value: c.value})
		}
		if err != nil {
			return err
		}
		if order <= 0 {
			gone.drop()
		}
		if order >= 0 {
			came.drop()
		}
	}
}

// buckets calls fn with the name of every bucket of two snapshots, once.
func buckets(before, after *bbolt.Tx, fn func(name []byte) error) error {
	err := after.ForEach(func(name []byte, _ *bbolt.Bucket) error { return fn(name) })
	if err != nil {
		return err
	}
	return before.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		if after.Bucket(name) != nil {
			return nil
		}
		return fn(name)
	})
}

func inBucket(name []byte, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bucket %s: %w", name, err)
}
