// Package dispatcher delivers the outbox: one lane per subscription reads the events owed to it,
// sends them, and settles.
//
// Guarantees, each with a test: per subscription and chat at most one delivery is in flight, and
// the next is the lowest unfinished sequence; four attempts at 0 / 1 / 3 / 10 s, each wait counted
// from the end of the attempt before it; attempt number and due time are on disk before a wait
// begins, so a restart goes on at attempt n; what fails because of us costs no attempt; a slow,
// dead or panicking endpoint touches its own lane only; a caller who leaves changes nothing about
// what is written, delivered or held.
//
// The parts, from the inside out:
//
//	scheduler      which delivery may start now, who waits behind whom, and what a Change must
//	               write: a package of its own (pure)
//	settler.go     the one writer of a lane, beside its loop
//	gate.go        why a lane waits
//	pace           what a failing or throttled endpoint still gets: a package of its own (pure)
//	lane.go        the loop around all these: read, send, settle
//	attempt.go     one attempt, from its start to what was sent
//	outcome.go     what its result means (pure); finish.go is what the lane makes of that
//	lease.go       the rules of a lease; leasebytes.go is what is stored for it
//	repeats        which failures are logged: a package of its own (pure)
//	operation.go   what an administrator wants of a lane, one work at a time, beside its loop
//	supervisor.go  keeps the lane of one subscription running, and ends it
//	dispatcher.go  one supervisor per subscription; admin.go is what administrators call
//
// docs/STATES.md draws the states. dispatcher/webhook is the Sender over HTTP.
package dispatcher
