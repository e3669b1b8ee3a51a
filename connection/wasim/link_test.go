package wasim

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"
)

func TestQRPairingLogsIn(t *testing.T) {
	s := testServer(t)
	s.fewPreKeys = false
	a := s.NewAccount("491515550100", "Shop")
	c := newClient(t, s, filepath.Join(t.TempDir(), "client.db"))
	link(t, a, c)
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

func TestUnlinkLogsOut(t *testing.T) {
	s, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	a.Unlink()
	if got := waitFor[*events.LoggedOut](t, c); got.OnConnect {
		t.Error("logged out on connect, want on the stream")
	}
	if a.Linked() {
		t.Error("still linked")
	}
	if _, err := bob.SendText(testContext(t), "nobody there"); !errors.Is(err, ErrNotLinked) {
		t.Errorf("writing to an unlinked account says %v", err)
	}
	again := newClient(t, s, filepath.Join(t.TempDir(), "again.db"))
	link(t, a, again)
	_, err := bob.SendText(testContext(t), "welcome back")
	must(t, err)
	again.waitText(t, "welcome back")
}

func TestUnlinkedWhileOffline(t *testing.T) {
	_, a, c := linked(t)
	c.Disconnect()
	a.Unlink()
	must(t, c.Connect())
	if got := waitFor[*events.LoggedOut](t, c); !got.OnConnect || got.Reason != events.ConnectFailureLoggedOut {
		t.Errorf("logged out %+v", got)
	}
}

func TestLogoutByTheCompanion(t *testing.T) {
	_, a, c := linked(t)
	must(t, c.Logout(testContext(t)))
	must(t, a.until(testContext(t), func() (bool, error) { return a.device == nil, nil }))
}

func TestReplacedDoesNotReconnect(t *testing.T) {
	s, a, c := linked(t)
	a.Replace()
	waitFor[*events.StreamReplaced](t, c)
	must(t, a.until(testContext(t), func() (bool, error) { return !a.online(), nil }))
	if !a.Linked() {
		t.Error("a replaced companion is no longer linked")
	}
	again := newClient(t, s, c.path) // as the next process would
	must(t, again.Connect())
	must(t, a.WaitOnline(testContext(t)))
}

func TestStreamErrors(t *testing.T) {
	_, a, c := linked(t)
	a.StreamError("503")
	waitFor[*events.Disconnected](t, c)
	must(t, a.WaitOnline(testContext(t)))
	a.StreamError("516")
	if got := waitFor[*events.StreamError](t, c); got.Code != "516" {
		t.Errorf("stream error %q, want 516", got.Code)
	}
}

func TestRefusedLogins(t *testing.T) {
	_, a, c := linked(t)
	a.Refuse(405)
	a.Drop()
	waitFor[*events.ClientOutdated](t, c)
	a.Refuse(503)
	c.Disconnect()
	must(t, c.Connect())
	a.Refuse(0)
	must(t, a.WaitOnline(testContext(t)))
	if !a.Linked() {
		t.Error("a refused companion is no longer linked")
	}
}

func TestRefusedUnlinkedClient(t *testing.T) {
	s := testServer(t)
	s.Refuse(405)
	c := newClient(t, s, filepath.Join(t.TempDir(), "client.db"))
	codes, err := c.GetQRChannel(context.Background())
	must(t, err)
	must(t, c.Connect())
	if got := receive(t, codes); got.Event != whatsmeow.QRChannelClientOutdated.Event {
		t.Errorf("QR channel says %q", got.Event)
	}
}

func TestScanningTwiceIsRefused(t *testing.T) {
	s, a, _ := linked(t)
	other := newClient(t, s, filepath.Join(t.TempDir(), "other.db"))
	if err := a.ScanQR(testContext(t), other.qr(t)); !errors.Is(err, ErrAlreadyLinked) {
		t.Errorf("linking a second companion says %v", err)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	s, err := newServer(Options{}, testRoot)
	must(t, err)
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.org:0"} {
		if err := s.Listen(addr); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("listening on %q says %v", addr, err)
		}
	}
	must(t, s.Close())
	if err := s.Listen("127.0.0.1:0"); !errors.Is(err, ErrClosed) {
		t.Errorf("listening after close says %v", err)
	}
}

func TestPreKeysAreReplenished(t *testing.T) {
	_, a, c := linked(t)
	a.mu.Lock()
	a.device.oneTime = a.device.oneTime[:3]
	a.mu.Unlock()
	_, err := a.NewContact("Bob", "15550100123").SendText(testContext(t), "takes one")
	must(t, err)
	c.waitText(t, "takes one")
	must(t, a.until(testContext(t), func() (bool, error) { return len(a.device.oneTime) >= 50, nil }))
	a.mu.Lock()
	a.device.oneTime = nil
	a.mu.Unlock()
	_, err = a.NewContact("Eve", "15550100456").SendText(testContext(t), "takes none")
	must(t, err)
	c.waitText(t, "takes none")
}

func TestPairingByCode(t *testing.T) {
	s := testServer(t)
	a := s.NewAccount("491515550100", "Shop")
	c := newClient(t, s, filepath.Join(t.TempDir(), "client.db"))
	if err := a.EnterCode(testContext(t), "ABCD-1234"); err == nil {
		t.Error("a code was accepted although no client asked for one")
	}
	c.qr(t)
	code := func() string {
		t.Helper()
		code, err := c.PairPhone(testContext(t), "491515550100", true, whatsmeow.PairClientChrome, "Chrome (Linux)")
		must(t, err)
		return code
	}
	first := code()
	wrong := "1" + first[1:]
	if wrong == first {
		wrong = "2" + first[1:]
	}
	if err := a.EnterCode(testContext(t), wrong); err == nil || !strings.Contains(err.Error(), "wrong") || a.Linked() {
		t.Errorf("the wrong code %s says %v, linked %v", wrong, err, a.Linked())
	}
	must(t, a.EnterCode(testContext(t), strings.ToLower(code())))
	must(t, a.WaitOnline(testContext(t)))
	_, err := a.NewContact("Bob", "15550100123").SendText(testContext(t), "linked by code")
	must(t, err)
	c.waitText(t, "linked by code")
}
