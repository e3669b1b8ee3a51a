package connection

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// FuzzLogLine: wherever in a stanza or in what the library prints a text and a number of others
// stand, no line of ours has them, at any level.
func FuzzLogLine(f *testing.F) {
	f.Add("Bob Example", uint64(5550100123), "notify", "body", []byte("hi"))
	f.Add("<x>", uint64(1), "id", "enc", []byte(nil))
	f.Add("%!s %p", uint64(99), "type", "reason", []byte("\x00"))
	f.Fuzz(func(t *testing.T, text string, n uint64, attr, tag string, content []byte) {
		secret := "zqx" + strings.ReplaceAll(text, "=", "") + "zqx"
		number := "1555" + strings.Repeat("7", int(n%5)) + "0100987"
		switch attr { // what a server says of a stanza, and no person
		case "type", "xmlns", "code", "reason":
			attr = "notify"
		}
		child := waBinary.Node{Tag: "child", Attrs: waBinary.Attrs{attr: secret, "x": number, "jid": types.NewJID(number, types.DefaultUserServer)}, Content: append([]byte(secret), content...)}
		node := waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{attr: secret, "id": secret, "from": types.NewJID(number, types.DefaultUserServer)}, Content: []waBinary.Node{child}}
		var out bytes.Buffer
		log := newLibraryLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), false, nil).Sub("Recv")
		for _, print := range []func(string, ...any){log.Debugf, log.Infof, log.Warnf, log.Errorf} {
			print("%s %v", node, &node)
			print("%s", types.NewJID(number, types.DefaultUserServer))
			print("failed: %v", errors.New("stanza <"+secret+"> of "+number))
		}
		log.Debugf("%s %q %v %x", secret, secret, []string{secret}, &child)
		got := out.String()
		for _, leak := range []string{secret, number} {
			if strings.Contains(got, leak) {
				t.Errorf("the log has %q:\n%s", leak, got)
			}
		}
	})
}
