package outbox

import "time"

// Class says what kind of end an attempt had. Stable words: they are stored, shown, and used as
// metric labels.
type Class string

const (
	ClassOK       Class = "ok"       // 2xx
	ClassHTTP     Class = "http"     // any other response; the status tells
	ClassRedirect Class = "redirect" // 3xx, never followed
	ClassTimeout  Class = "timeout"  // no complete response within the attempt timeout
	ClassRefused  Class = "refused"  // connection refused
	ClassReset    Class = "reset"    // connection broke off
	ClassDNS      Class = "dns"      // name does not resolve
	ClassTLS      Class = "tls"      // certificate or handshake
	ClassNetwork  Class = "network"  // any other transport error
	ClassInternal Class = "internal" // a panic while sending
	ClassAddress  Class = "address"  // refused by our own address guard: ours, no attempt spent
	// our own trouble (descriptors, disk, key): ours, no attempt spent
	ClassLocal Class = "local"
)

// Classes lists every Class.
func Classes() []Class {
	return []Class{
		ClassOK, ClassHTTP, ClassRedirect, ClassTimeout, ClassRefused, ClassReset, ClassDNS, ClassTLS, ClassNetwork, ClassInternal, ClassAddress, ClassLocal,
	}
}

// Attempt is one POST and its outcome.
type Attempt struct {
	N      int           // numbered from 1 within a schedule
	At     time.Time     // start
	Took   time.Duration // until the response or the error
	Status int           // HTTP status, 0 without a response
	Class  Class
}

// MaxAttemptsKept bounds the attempt log: the first and the last ten failed attempts of a delivery
// stay.
const MaxAttemptsKept = 20

// MaxExcerpt bounds the kept part of a response body, in bytes.
const MaxExcerpt = 1 << 10

// Log is what is kept of a delivery's failed attempts.
type Log struct {
	Attempts []Attempt // oldest first; beyond MaxAttemptsKept the middle is dropped
	Message  string    // the last error in words, without secrets or query strings
	Excerpt  []byte    // start of the last response body, at most MaxExcerpt bytes
}

// Add returns the log with one more failed attempt and its response. It never aliases l's
// attempts.
func (l Log) Add(a Attempt, message string, excerpt []byte) Log {
	kept := append(make([]Attempt, 0, len(l.Attempts)+1), l.Attempts...)
	kept = append(kept, a)
	if len(kept) > MaxAttemptsKept {
		const half = MaxAttemptsKept / 2
		kept = append(kept[:half], kept[len(kept)-half:]...)
	}
	if len(excerpt) > MaxExcerpt {
		excerpt = excerpt[:MaxExcerpt]
	}
	return Log{Attempts: kept, Message: message, Excerpt: append([]byte(nil), excerpt...)}
}
