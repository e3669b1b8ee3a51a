// Package outbox holds the words of the durable outbox: events, deliveries, subscriptions, and the
// errors every engine returns. It has no I/O; engines (outbox/boltbox) implement the
// operations and consumers declare the part they use.
//
// Durability point: an append that returned nil is on disk (fsync). Only then WhatsApp may be
// acknowledged.
//
// Ordering: sequences rise in commit order. Per subscription and chat at most one delivery is in
// flight and the next is the lowest unfinished sequence.
//
// Duplicates: appending a key seen within 30 days appends nothing and returns its first sequence.
// Delivery is at least once; receivers drop the rare repeat by event id.
//
// States: an owed event without a record is done below the subscription's cursor and not yet read
// at or above it.
package outbox
