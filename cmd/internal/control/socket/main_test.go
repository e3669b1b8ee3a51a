package socket

import (
	"testing"

	"go.uber.org/goleak"
)

// Ignored is the one goroutine of the library for pipes that stays, on Windows.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/Microsoft/go-winio.ioCompletionProcessor"))
}
