package outbox

// What an MCP client is told of why its receiver is not reached: one of these words, never an
// address or anything of a response, which would make a port scanner of it.
const (
	LeaseErrorRefused   = "connection_refused"
	LeaseErrorTimeout   = "timeout"
	LeaseErrorTLS       = "tls_error"
	LeaseErrorHTTP4xx   = "http_4xx"
	LeaseErrorHTTP5xx   = "http_5xx"
	LeaseErrorChallenge = "challenge_failed"
)

// LeaseError returns the word for the end of an attempt, "" for one that was delivered. There are
// fewer words than classes: a name that does not resolve, a connection that breaks off and an
// address that nothing is sent to are all a connection that was refused, and a redirect, which is
// never followed, is a request that was not taken.
func LeaseError(class Class, status int) string {
	switch class {
	case ClassOK:
		return ""
	case ClassTimeout:
		return LeaseErrorTimeout
	case ClassTLS:
		return LeaseErrorTLS
	case ClassRedirect:
		return LeaseErrorHTTP4xx
	case ClassHTTP:
		if status >= 500 {
			return LeaseErrorHTTP5xx
		}
		return LeaseErrorHTTP4xx
	case ClassRefused, ClassReset, ClassDNS, ClassNetwork, ClassInternal, ClassAddress, ClassLocal:
	}
	return LeaseErrorRefused
}
