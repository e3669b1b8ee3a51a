package daemon

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// The service is started outside the job of an agent; where that is forbidden, inside it; and what
// else is wrong is told, not tried again.
func TestLeavingJob(t *testing.T) {
	denied, missing := errors.New("access denied"), errors.New("no such program")
	for _, tt := range []struct {
		name   string
		leaves error // of starting it outside
		want   error
		tried  []bool
	}{
		{"allowed", nil, nil, []bool{true}},
		{"forbidden", fmt.Errorf("start: %w", denied), nil, []bool{true, false}},
		{"not there", missing, missing, []bool{true}},
	} {
		var tried []bool
		out, err := leavingJob(func(leave bool) (string, error) {
			if tried = append(tried, leave); leave && tt.leaves != nil {
				return "", tt.leaves
			}
			return "started", nil
		}, denied)
		if !errors.Is(err, tt.want) || (err == nil) != (out == "started") || !slices.Equal(tried, tt.tried) {
			t.Errorf("%s: %q, %v, tried %v", tt.name, out, err, tried)
		}
	}
}
