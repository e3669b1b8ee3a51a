package dispatcher_test

import (
	"fmt"

	"github.com/cenkalti/backoff/v4"

	"waoutbox/dispatcher"
)

// The schedule goes on where a restart left it: here two attempts had been made before.
func ExampleSchedule_BackOff() {
	waits := dispatcher.DefaultSchedule().BackOff(2)
	for wait := waits.NextBackOff(); wait != backoff.Stop; wait = waits.NextBackOff() {
		fmt.Println(wait)
	}
	// Output:
	// 3s
	// 10s
}
