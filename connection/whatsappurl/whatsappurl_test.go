package whatsappurl

import (
	"strings"
	"testing"
)

// Mutation of whatsappurl.go: the link may be pointed at a server that is not on this machine.
func TestLoopbackOnly(t *testing.T) {
	for _, good := range []string{"ws://127.0.0.1:4567/ws/chat", "ws://127.9.8.7/ws", "ws://[::1]:80/ws/chat", "ws://localhost:9/", "ws://LOCALHOST"} {
		if err := Check(good); err != nil {
			t.Errorf("%s refused: %v", good, err)
		}
	}
	for _, bad := range []string{
		"wss://127.0.0.1/ws", "http://127.0.0.1/", "ws://web.whatsapp.com/ws/chat", "ws://128.0.0.1", "ws://10.0.0.1", "ws://0.0.0.0",
		"ws://[::ffff:127.0.0.1]/", "ws://[::2]", "ws://[::1%25lo]", "ws://localhost.evil.example", "ws://127.0.0.1.evil.example",
		"ws://user:pw@127.0.0.1/", "ws://127.0.0.1/?token=x", "ws://127.0.0.1:0/", "ws://127.0.0.1:70000/", "ws://", "ws:127.0.0.1", "127.0.0.1:7000", "ws://2130706433/", "ws://127.1/",
		"ws://evil.example#@127.0.0.1",
	} {
		err := Check(bad)
		if err == nil {
			t.Errorf("%s accepted", bad)
		} else if !strings.Contains(err.Error(), "ws://127.0.0.1:PORT") {
			t.Errorf("%s: %q does not say what to write", bad, err)
		}
	}
}

func TestRootKey(t *testing.T) {
	key, err := ParseRootKey(strings.Repeat("0F", 32))
	if err != nil || key[0] != 0x0f || key[31] != 0x0f {
		t.Errorf("got %x, %v", key, err)
	}
	for _, bad := range []string{"", "abc", strings.Repeat("zz", 32), strings.Repeat("0f", 31), strings.Repeat("0f", 33)} {
		if err := CheckRootKey(bad); err == nil || !strings.Contains(err.Error(), "64 hex digits") || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
