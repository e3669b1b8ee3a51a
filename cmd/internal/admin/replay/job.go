package replay

import (
	"context"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Item is one delivery of a selection.
type Item struct {
	Seq outbox.Seq
	// how often it was replayed before: a higher number on disk tells that it was moved
	Replay int

	tries int  // how often a move that took it succeeded
	moved bool // the last move that took it succeeded
}

// Moved reports whether the last move of the delivery succeeded; after one that failed it may be
// where it was.
func (i Item) Moved() bool { return i.moved }

// Fate is where a delivery is now.
type Fate uint8

const (
	Untouched Fate = iota // where it was before the replay
	Pending               // moved, and on its way
	Delivered
	Dead // moved, and dead again
	Gone // neither: purged before its turn
)

// Job is what one replay does for one webhook. Its functions are called by one goroutine.
type Job struct {
	Webhook outbox.SubID
	URL     string
	Kind    api.ReplayKind
	Total   int64   // what the selection holds
	Rate    float64 // deliveries a second, 0 = no bound
	// go on whatever fails; else the replay ends after maxFailures in a row
	KeepGoing bool
	StartedBy string

	// Next returns the next deliveries of the selection, in order and each once; none at its end.
	// Skipped is how many it passed over because they cannot be replayed. Both count beside an
	// error.
	Next func(ctx context.Context) (items []Item, skipped int64, err error)
	// Move makes deliveries pending, in one durable step; those that are pending already stay so.
	// Missing are neither dead nor pending any more. After an error some may be moved.
	Move func(ctx context.Context, seqs []outbox.Seq) (missing []outbox.Seq, err error)
	// Fate tells where one delivery is, and why it is dead. Now and then, and after a move that
	// failed, it is asked to look on disk, whatever it knows.
	Fate func(ctx context.Context, item Item, onDisk bool) (Fate, api.LastError, error)
	// Outstanding counts the replayed deliveries of the webhook that are pending, whoever moved
	// them.
	Outstanding func(ctx context.Context) (int, error)
	// Blocked says why nothing leaves at the moment, "" when it does.
	Blocked func() string
	// Judge says in words what an error of the others means, and whether it ends the replay because
	// no repetition can help.
	Judge func(err error) (why string, over bool)
	// Ended is called once, after everything else, and before another replay of the webhook begins.
	Ended func()
}
