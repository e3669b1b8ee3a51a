// Package store owns the state directory: its place and modes, the lock that makes one process its owner, the key that seals
// secrets, and the bbolt file with the one goroutine through which every write goes. It knows no events: outbox/boltbox gives
// the bytes their meaning.
package store
