package store

import (
	"context"
	"errors"
	"time"
)

// CopySuffix is what the name of a copy for a backup has more than the file's, where it lies beside
// it for a while. One that a crash left is removed when the file is opened.
const CopySuffix = ".copy"

const (
	copyTries = 10
	copyPause = 300 * time.Millisecond
)

// CopyTo writes what the file holds at one moment into a new file at path, which a leftover there
// makes way for, durably and without free pages. Reads and writes go on meanwhile; its end makes
// them wait for some milliseconds. It blocks until it is done, ctx ends, or the store closes.
//
// Errors: kind Full (the disk of path has no room beside what is kept free), Busy (so much is being
// written that it was given up ten times), Closed, ctx's, or what could not be read or written.
// None of them leaves a file.
func (db *DB) CopyTo(ctx context.Context, path string) error {
	for n := 1; ; n++ {
		err := db.copyOnce(ctx, path)
		if !errors.Is(err, Busy) || n == copyTries {
			return err
		}
		select {
		case <-time.After(copyPause):
		case <-ctx.Done():
			return ctx.Err()
		case <-db.stopping:
			return db.closedError()
		}
	}
}

func (db *DB) copyOnce(ctx context.Context, path string) error {
	if !db.compactOne.TryLock() {
		return newError(Busy, db.path, nil, "%s is being copied already", db.path)
	}
	defer db.compactOne.Unlock()
	c, err := db.beginCompact(ctx, path)
	if err != nil {
		return err
	}
	defer c.end()
	if err := guarded(c.copy); err != nil {
		return copyError(err, db.path)
	}
	if err := copyError(c.inTurn(c.finish), db.path); err != nil {
		return err
	}
	c.kept = true
	return nil
}

// copyError makes what a copy met an Error, unless it is one, or the end of a context.
func copyError(err error, path string) error {
	_, ours := errors.AsType[*Error](err)
	if err == nil || ours || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return systemError(err, path, "outbox "+path+" was not copied")
}

// finish copies the last changes. It runs between two commits.
func (c *compaction) finish() error {
	return guarded(func() error {
		if c.db.bolt != c.src || c.db.fatal.Load() {
			return c.db.closedError()
		}
		c.last = true
		if _, err := c.made.CatchUp(c.ctx); err != nil {
			return err
		}
		return c.closeFiles()
	})
}
