// Package store owns the state directory: its place and modes, the lock that makes one process its
// owner, the key that seals secrets, and the bbolt file with the one goroutine through which every
// write goes. It knows neither events nor commands: outbox/boltbox gives the bytes their meaning
// (Schema), and what is wrong is told by kind (Error), for others to turn into advice.
package store
