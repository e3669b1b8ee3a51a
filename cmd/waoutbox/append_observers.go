package main

import (
	"time"

	"waoutbox/outbox"
	"waoutbox/outbox/boltbox"
)

// appendObservers tells several observers of each append.
type appendObservers []boltbox.Observer

// Appended satisfies boltbox.Observer.
func (all appendObservers) Appended(fresh []outbox.Event, took time.Duration) {
	for _, o := range all {
		o.Appended(fresh, took)
	}
}
