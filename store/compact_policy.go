package store

import (
	"context"
	"errors"
	"time"
)

// CompactPolicy says when a file is compacted.
type CompactPolicy struct {
	Free  int64 // free pages must hold more bytes than this
	Ratio int64 // and more than this times the bytes in use
	// no append may have come for so long: the copy competes with them for the disk
	Quiet time.Duration
	// after so long of being worth it the file is compacted although appends come
	Patience time.Duration
	Every    time.Duration // how often it is looked at
}

// DefaultCompactPolicy is what the service uses.
func DefaultCompactPolicy() CompactPolicy {
	return CompactPolicy{Free: 64 << 20, Ratio: 2, Quiet: 10 * time.Second, Patience: time.Hour, Every: 5 * time.Second}
}

// worth reports whether compacting makes a file with so many bytes in use and free small enough.
func (p CompactPolicy) worth(live, free int64) bool { return free > p.Free && free > p.Ratio*live }

// due reports whether a file that has been worth compacting for so long is compacted now, when the
// last append was that long ago.
func (p CompactPolicy) due(worthFor, quiet time.Duration) bool {
	return quiet >= p.Quiet || worthFor >= p.Patience
}

const (
	compactAgainFirst = time.Minute // pause after a compaction that failed, doubled up to the next
	compactAgainMax   = time.Hour
)

// RunCompaction compacts the file whenever p says so, until ctx ends; then it returns nil. What
// goes wrong is logged, and tried again after a minute, doubling to an hour. A file that somebody
// removed is written anew.
func (db *DB) RunCompaction(ctx context.Context, p CompactPolicy) error {
	tick := time.NewTicker(p.Every)
	defer tick.Stop()
	var worthSince, notBefore time.Time
	pause := compactAgainFirst
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-db.stopping:
			<-ctx.Done()
			return nil
		case <-tick.C:
		}
		now, live, free := time.Now(), db.live.Load(), db.free.Load()
		if db.removed() && !now.Before(notBefore) {
			if err := db.putBack(ctx); err != nil && ctx.Err() == nil {
				notBefore = time.Now().Add(p.Every)
				db.log.Error("the outbox file was removed while it is in use, and cannot be written anew", "error", err.Error(), "again_in", p.Every)
			}
			continue
		}
		if !p.worth(live, free) {
			worthSince = time.Time{}
			continue
		}
		if worthSince.IsZero() {
			worthSince = now
		}
		quiet := db.since(db.appended.Load())
		if now.Before(notBefore) || !p.due(now.Sub(worthSince), quiet) {
			continue
		}
		err := db.Compact(ctx)
		switch {
		case err == nil:
			pause, notBefore = compactAgainFirst, time.Time{}
			db.log.Info("outbox compacted", "took", time.Since(now).Round(time.Millisecond), "live_bytes", live, "freed_bytes", free-db.free.Load())
		case ctx.Err() != nil || errors.Is(err, Closed):
		default:
			notBefore = time.Now().Add(pause)
			db.log.Warn("outbox not compacted", "error", err.Error(), "again_in", pause)
			pause = min(2*pause, compactAgainMax)
		}
	}
}
