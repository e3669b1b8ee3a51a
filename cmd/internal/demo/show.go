package demo

import "time"

// Line is one step of the demo. Good tells success from trouble where that matters; it only
// carries what the words already say.
type Line struct {
	At   time.Time // zero: now
	Word string    // what happened: linked, arrived, delivered, attempt 2, dead, killed, replayed
	Text string
	Good bool
}
