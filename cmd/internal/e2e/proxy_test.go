package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waoutbox/connection/wire/proxytest"
)

// A proxy with a password that stands in config.json before the first start is sealed by it and
// used from the first connection on; it is in no output, and while it is away nothing goes around.
func TestAProxyWithAPassword(t *testing.T) {
	r := newRig(t)
	px := proxytest.Start(t, "http", "alice:s3crEt")
	if err := os.MkdirAll(r.stateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(r.stateDir, "config.json")
	if err := os.WriteFile(config, []byte(`{"whatsapp-proxy":"`+px.URL()+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r.serve()
	r.pair()
	sim := strings.TrimSuffix(strings.TrimPrefix(r.sim.URL(), "ws://"), "/ws/chat")
	if got := px.Targets(); len(got) < 2 || got[0] != sim {
		t.Errorf("the proxy was asked for %v", got)
	}
	body, err := os.ReadFile(config)
	if err != nil || strings.Contains(string(body), "s3crEt") || !strings.Contains(string(body), "http://sealed:") {
		t.Errorf("config.json holds %s, %v", body, err)
	}
	r.kill()
	asked := len(px.Targets())
	r.serve() // with what is sealed
	r.until("the next log-in", r.phone.Online)
	if got := px.Targets(); len(got) == asked {
		t.Error("after a restart the proxy was not asked")
	}
	if out := r.output.tail(1 << 20); strings.Contains(out, "s3crEt") {
		t.Errorf("the output names the password:\n%s", out)
	}
}
