package wasim

import (
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types/events"
)

func TestQRPairingLogsIn(t *testing.T) {
	_, a, c := linked(t)
	if !a.Linked() || !a.Online() {
		t.Errorf("linked %v, online %v after pairing, want both", a.Linked(), a.Online())
	}
	if got := c.Store.ID.ToNonAD().String(); got != a.PN() {
		t.Errorf("the client believes to be %s, want %s", got, a.PN())
	}
	if got := c.Store.LID.ToNonAD().String(); got != a.LID() {
		t.Errorf("the client's LID is %s, want %s", got, a.LID())
	}
	if n := len(emitted[*events.PairSuccess](c)); n != 1 {
		t.Errorf("%d PairSuccess events, want 1", n)
	}
}

func TestScanQRRefusesBadCodes(t *testing.T) {
	s := testServer(t)
	a := s.NewAccount("491515550100", "Shop")
	c := newClient(t, s, filepath.Join(t.TempDir(), "client.db"))
	code := c.qr(t)
	head, parts, _ := strings.Cut(code, "#")
	fields := strings.Split(parts, ",")
	foreign := append([]string(nil), fields...)
	foreign[1] = foreign[2]
	for name, bad := range map[string]string{
		"not a code": "hello", "no base64": head + "#a,b,c,d,1",
		"another client's noise key": head + "#" + strings.Join(foreign, ","),
	} {
		if err := a.ScanQR(testContext(t), bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	wrong := append([]string(nil), fields...)
	wrong[3] = wrong[1] // a secret the client does not know
	if err := a.ScanQR(testContext(t), head+"#"+strings.Join(wrong, ",")); err == nil || a.Linked() {
		t.Errorf("wrong secret: error %v, linked %v", err, a.Linked())
	}
}
