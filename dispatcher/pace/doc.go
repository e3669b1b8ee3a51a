// Package pace decides how much an endpoint gets: nothing new while it is down, except probes
// (Outage), what it takes while it says that it gets too much (Throttle), and never more than its
// user allows (Rate).
//
// All of it is pure: no I/O, no goroutine, and the time is an argument. Nothing is safe for
// concurrent use.
package pace
