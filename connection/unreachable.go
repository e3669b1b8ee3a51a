package connection

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// What sockets of Windows fail with. Package syscall does not name these numbers, and no other
// system has an error under them.
const (
	wsaNetworkUnreachable = syscall.Errno(10051)
	wsaTimedOut           = syscall.Errno(10060)
	wsaRefused            = syscall.Errno(10061)
	wsaHostUnreachable    = syscall.Errno(10065)
)

// inWords says what kept a connection from being made, on every system in the same words.
func inWords(err error) string {
	var dns *net.DNSError
	switch {
	case isAny(err, syscall.ECONNREFUSED, wsaRefused):
		return "connection refused"
	case errors.As(err, &dns):
		return "no address for " + dns.Name + " (is this machine online?)"
	case isAny(err, syscall.ENETUNREACH, syscall.EHOSTUNREACH, wsaNetworkUnreachable, wsaHostUnreachable):
		return "no route to it (is this machine online?)"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err), isAny(err, wsaTimedOut):
		return "no answer"
	}
	return err.Error()
}

func isAny(err error, numbers ...syscall.Errno) bool {
	for _, number := range numbers {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}
