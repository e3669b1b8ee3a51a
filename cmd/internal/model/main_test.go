// Package model runs the outbox, its dispatcher and what administrators ask for through random
// histories in simulated time, and compares what endpoints got and what lies on disk in the end
// with a model that shares no rule with them. It has no code of its own beside the tests.
package model

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
