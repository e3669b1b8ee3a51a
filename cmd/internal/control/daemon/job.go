package daemon

import "errors"

// leavingJob starts something outside the job of its parent, and inside it where the job forbids to
// leave it, which denied says: some agents end their whole job when they quit. Windows alone has
// jobs.
func leavingJob[T any](start func(leave bool) (T, error), denied error) (T, error) {
	out, err := start(true)
	if errors.Is(err, denied) {
		return start(false)
	}
	return out, err
}
