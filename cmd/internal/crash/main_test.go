// Package crash kills a process that has the whole way of an event in it (state, outbox,
// dispatcher, signed sender, administration) again and again, at random moments and at failpoints,
// and checks with the ledger of a receiver in another process that nothing was lost, changed,
// reordered or begun anew. It has no code of its own beside the tests.
package crash

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		os.Exit(child(text))
	}
	goleak.VerifyTestMain(m)
}
