package connection

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if args := os.Getenv(childVariable); args != "" { // see TestKilledAtEachStepOfAGroup
		fmt.Fprintln(os.Stderr, "ended:", runChild(args))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m,
		// The library's handshake listens to no context, and ends by itself after 20 s.
		goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow.(*Client).doHandshake"),
		// Its read pump stays behind when a connection ends while it hands over a frame.
		goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow/socket.(*FrameSocket).frameComplete"),
	)
}
