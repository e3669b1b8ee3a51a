package scheduler

import (
	"fmt"
	"math"

	"waoutbox/outbox"
)

// stage is where a delivery stands in its lane. docs/STATES.md draws stages and moves.
type stage uint8

const (
	waiting    stage = iota // for its turn, for its due time or for a slot
	attempting              // one attempt runs
	failed                  // an attempt failed and that is not on disk yet: its key waits
	delivered               // answered with 2xx and not settled yet: its key goes on
	dead                    // given up and that is not on disk yet: its key waits
	gone                    // settled, or a dead letter on disk: the lane has forgotten it
)

func (s stage) String() string {
	return [...]string{"waiting", "attempting", "failed", "delivered", "dead", "gone"}[s]
}

// move is what happens to a delivery.
type move uint8

const (
	moveStart   move = iota // an attempt begins
	moveRelease             // it ended without having cost anything
	moveDeliver             // it ended with a 2xx
	moveFail                // it failed, and another attempt follows
	moveGiveUp              // it failed, and none follows
	moveStore               // a commit has put on disk what the delivery is
	moveSkip                // a commit has made it a dead letter without an attempt
)

func (m move) String() string {
	return [...]string{"start", "release", "deliver", "fail", "give up", "store", "skip"}[m]
}

// after returns the stage that a move leads to. It is the whole table: what is not in it is a bug
// in the caller.
func (s stage) after(m move) (next stage, legal bool) {
	type from struct {
		stage stage
		move  move
	}
	switch (from{s, m}) {
	case from{waiting, moveStart}:
		return attempting, true
	case from{attempting, moveRelease}:
		return waiting, true
	case from{attempting, moveDeliver}:
		return delivered, true
	case from{attempting, moveFail}:
		return failed, true
	case from{attempting, moveGiveUp}:
		return dead, true
	case from{waiting, moveStore}, from{failed, moveStore}:
		return waiting, true
	case from{attempting, moveStore}: // the cursor passed it meanwhile and left a record
		return attempting, true
	case from{delivered, moveStore}, from{dead, moveStore}, from{waiting, moveSkip}:
		return gone, true
	}
	return s, false
}

// state is what the record of a delivery in this stage says.
func (s stage) state() outbox.State {
	switch s {
	case delivered, gone:
		return outbox.Done
	case dead:
		return outbox.Dead
	case waiting, attempting, failed:
	}
	return outbox.Pending
}

// onDisk is how the record of a delivery compares with the delivery.
type onDisk uint8

const (
	unrecorded onDisk = iota // none: the sequence is at or above the stored cursor
	recorded                 // as the delivery is, or only its attempt is not known yet
	outdated                 // different: a checkpoint must write it
)

// atOnce is the moment of a delivery that is due whatever the time.
const atOnce = math.MinInt64

// Delivery is one unfinished delivery inside a Scheduler. Callers read it; only the Scheduler
// changes it. There may be 16,384 of them for each webhook, so that each of its 48 bytes counts:
// what only few have is in detail.
type Delivery struct {
	Seq  outbox.Seq
	chat uint64 // hash of the event's chat, as its record has it
	// when it is due, or, of one that has ended, since when: nanoseconds of the Scheduler's clock,
	// or atOnce
	at       int64
	next     *Delivery // behind it in its chat; behind the last one the first
	detail   *detail
	replay   uint32
	attempts uint16 // spent
	stage    stage
	marks    uint8 // onDisk, and whether it is listed in one of the Scheduler's heaps
}

// detail is what a delivery has for a while.
type detail struct {
	event outbox.Event // Seq is 0 when it must be read again
	log   []byte       // encoded attempt log, only until it is on disk
}

const (
	diskMarks  = 0b011
	queuedMark = 0b100
)

func (d *Delivery) disk() onDisk { return onDisk(d.marks & diskMarks) }

func (d *Delivery) setDisk(o onDisk) { d.marks = d.marks&^diskMarks | uint8(o) }

func (d *Delivery) queued() bool { return d.marks&queuedMark != 0 }

func (d *Delivery) setQueued(q bool) {
	d.marks &^= queuedMark
	if q {
		d.marks |= queuedMark
	}
}

// Attempts returns how many were spent since it was last made pending.
func (d *Delivery) Attempts() int { return int(d.attempts) }

// Replay returns how often it was replayed.
func (d *Delivery) Replay() int { return int(d.replay) }

// Retry reports whether d was attempted or replayed before: such deliveries share half the slots.
// Their record is on disk, with the log of the attempts so far.
func (d *Delivery) Retry() bool { return d.attempts > 0 || d.replay > 0 }

// Event returns the event, nil when it must be read again.
func (d *Delivery) Event() *outbox.Event {
	if d.detail == nil || d.detail.event.Seq == 0 {
		return nil
	}
	return &d.detail.event
}

func (d *Delivery) log() []byte {
	if d.detail == nil {
		return nil
	}
	return d.detail.log
}

// setLog keeps an attempt log, or lets go of it.
func (d *Delivery) setLog(log []byte) {
	switch {
	case d.detail != nil:
		d.detail.log = log
	case log != nil:
		d.detail = &detail{log: log}
	}
	if log == nil && d.Event() == nil {
		d.detail = nil
	}
}

// Gone reports whether what became of d is on disk.
func (d *Delivery) Gone() bool { return d.stage == gone }

// unfinished reports whether d is neither delivered nor a dead letter on disk.
func (d *Delivery) unfinished() bool { return d.stage != delivered && d.stage != gone }

// move makes one move of the table. Any other is a bug: the lane that made it is ended by the panic
// and loads again.
func (d *Delivery) move(m move) {
	next, legal := d.stage.after(m)
	if !legal {
		panic(fmt.Sprintf("delivery %d: %v while %v", d.Seq, m, d.stage))
	}
	d.stage = next
}
