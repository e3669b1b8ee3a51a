// Package repeats says which of the failures of one endpoint are logged: an endpoint that is down
// for a day fails in the same way thousands of times. Pure: no clock, no I/O.
package repeats

import "time"

const (
	// Every is how often failures of one kind are logged while they go on.
	Every = time.Minute
	// kinds is how many kinds are told apart; an endpoint may return whatever it likes. All others
	// count as one.
	kinds = 16
	other = "other"
)

// Failures are those of one endpoint. The zero value is ready. Not safe for concurrent use.
type Failures struct {
	seen map[string]*failures
}

type failures struct {
	logged time.Time
	left   int
}

// Failed notes a failure of a kind at a time, and reports whether it is logged: the first of its
// kind, and then one in Every. left is how many like it were not logged since.
func (f *Failures) Failed(kind string, at time.Time) (log bool, left int) {
	if f.seen == nil {
		f.seen = map[string]*failures{}
	}
	if f.seen[kind] == nil && len(f.seen) >= kinds {
		kind = other
	}
	of := f.seen[kind]
	switch {
	case of == nil:
		f.seen[kind] = &failures{logged: at}
		return true, 0
	case at.Sub(of.logged) < Every:
		of.left++
		return false, of.left
	}
	left, of.left, of.logged = of.left, 0, at
	return true, left
}
