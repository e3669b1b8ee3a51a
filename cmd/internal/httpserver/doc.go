// Package httpserver is the listener that programs and agents reach over HTTP: opt-in, on loopback
// unless its certificate or an explicit setting says otherwise, and for nobody without its token.
//
// What it serves is given to it. Its own part is who may ask: the Host and Origin of a request, the
// bearer token, how many connections, how long a client may take, and how it all ends.
package httpserver
