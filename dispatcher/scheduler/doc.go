// Package scheduler knows the unfinished deliveries of one webhook: which may start now, who waits
// behind whom, when the next is due, and what must be written. It does no I/O, has no clock and no
// goroutine: whoever drives it brings events, times and the ends of attempts, and stores what it
// returns.
//
//	delivery.go    the stages of a delivery and the moves between them
//	scheduler.go   Scheduler: queues by chat, and what starts next
//	probe.go       what starts while new deliveries are held back
//	skip.go        what ends without an attempt
//	checkpoint.go  what a Change must write
//
// docs/STATES.md draws the stages.
package scheduler
