// Package dispatcher delivers the outbox: one lane per subscription reads the events owed to it, sends them, and settles.
//
// Guarantees, each with a test: per subscription and chat at most one delivery is in flight, and the next is the lowest
// unfinished sequence; four attempts at 0 / 1 / 3 / 10 s, each wait counted from the end of the attempt before it; attempt
// number and due time are on disk before a wait begins, so a restart goes on at attempt n; what fails because of us costs no
// attempt; a slow, dead or panicking endpoint touches its own lane only.
//
// The parts: Order decides (pure), Gate says why a lane waits, lane drives one Order (read, send, settle), Dispatcher keeps one
// lane per subscription and carries replay, purge and removal through it. dispatcher/webhook is the Sender over HTTP.
package dispatcher
