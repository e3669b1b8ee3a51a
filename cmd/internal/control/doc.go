// Package control is the operations of api.Service over the one socket of the state directory: HTTP
// and JSON, routes under /v1, and /metrics. Server runs in the daemon; Client is what the CLI and
// `waoutbox mcp` hold. The package socket opens and dials the socket, daemon starts and stops the
// process that serves it.
//
// Whoever can open the socket can do everything, so it is 0600 in a 0700 directory and the peer's
// user is checked as well.
//
// An operation that only reads ends with its caller. One that changes something runs to its end
// whether or not the caller is still there: see Server.
package control
