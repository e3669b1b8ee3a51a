package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain lets scripts run the real main as `waoutbox`, and fails when a test leaves a goroutine
// behind.
func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"waoutbox": scriptMain})
}

// logGoroutine is the one that the library of the service's log keeps for as long as the process
// lives.
var logGoroutine = goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun")

type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	if code == 0 {
		if err := goleak.Find(logGoroutine); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}
