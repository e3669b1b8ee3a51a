package connection

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The library's handshake listens to no context, and ends by itself after 20 s.
		goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow.(*Client).doHandshake"),
		// Its read pump stays behind when a connection ends while it hands over a frame.
		goleak.IgnoreAnyFunction("go.mau.fi/whatsmeow/socket.(*FrameSocket).frameComplete"),
	)
}
