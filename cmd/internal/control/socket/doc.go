// Package socket opens and dials the one control socket of a state directory: a unix socket, on
// Windows a named pipe. Only this user gets in, by the modes of directory and socket (on Windows
// the pipe's access list) and by the peer's user, which both ends ask the kernel for.
package socket
