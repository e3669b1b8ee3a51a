// Package http1 makes requests over kept HTTP/1.1 connections to one endpoint, in the goroutine of
// the caller. Responses are read by net/http.
//
// net/http's Transport is not used, for two reasons. A connection of its has two goroutines, which
// hand every request and response over, and the limit of a request is a context's: a third of what
// a delivery costs. And it may take a connection for free before it has seen what else has arrived
// on it, so that the next request gets a response that was made before it was sent.
//
// Choices, each for a reason:
//   - A connection is used again only when the response before was read to its end, the request
//     before was written to its end, and nothing else has arrived by the time it is taken.
//   - The limit of an exchange is the deadline of its connection: neither a read nor a write, nor a
//     dial, outlives it, and no goroutine or timer is needed to keep it.
//   - A request is sent once. It is sent again only when a kept connection turns out dead before it
//     took a single byte.
//   - A request of up to 32 KiB is written before the response is read: buffers on the way take
//     that much from a connection that has nothing else under way. A longer one is written beside,
//     since its endpoint may respond before it has read everything.
package http1
