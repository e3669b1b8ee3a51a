package failpoint

import (
	"slices"
	"testing"
)

// Every point has a name of its own.
func TestPoints(t *testing.T) {
	all := All()
	if slices.Sort(all); len(slices.Compact(all)) != len(All()) {
		t.Errorf("two points have one name: %v", all)
	}
}
