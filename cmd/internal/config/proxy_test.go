package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waoutbox/store"
)

const openProxy = "socks5://alice:s3cr%40Et@proxy.example:1080"

// The credentials of a proxy are sealed with the state's key, for this setting alone, and shown
// nowhere.
func TestProxyCredentialsAreSealed(t *testing.T) {
	key, err := store.OpenKey(filepath.Join(t.TempDir(), "key"), false)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := SealProxy(openProxy, key.Seal)
	if err != nil || strings.Contains(sealed, "alice") || strings.Contains(sealed, "s3cr") || !strings.HasPrefix(sealed, "socks5://sealed:") {
		t.Fatalf("sealed as %s, %v", sealed, err)
	}
	if again, err := SealProxy(sealed, key.Seal); err != nil || again != sealed {
		t.Errorf("sealed twice: %s, %v", again, err)
	}
	if got, err := UnsealProxy(sealed, key.Open); err != nil || got != openProxy {
		t.Errorf("unsealed %s, %v", got, err)
	}
	for _, plain := range []string{"http://proxy.example:3128", "environment", ""} {
		s, err := SealProxy(plain, key.Seal)
		if u, uerr := UnsealProxy(plain, key.Open); s != plain || u != plain || err != nil || uerr != nil {
			t.Errorf("%q: sealed %q, %v; unsealed %q, %v", plain, s, err, u, uerr)
		}
	}
	if _, err := UnsealProxy(sealed, func([]byte, string) ([]byte, error) { return nil, errors.New("no key") }); err == nil || !strings.Contains(err.Error(), "whatsapp-proxy") {
		t.Errorf("without the key: %v", err)
	}

	path := file(t, "")
	for _, value := range []string{openProxy, sealed} {
		if err := Set(path, KeyWhatsAppProxy, value); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, nil, noEnv)
		if err != nil || c.WhatsAppProxy != value {
			t.Fatalf("loaded %v, %v", c.WhatsAppProxy, err)
		}
		shown := c.String() + c.GoString()
		for _, v := range c.Values() {
			shown += v.Shown
		}
		if strings.Contains(shown, "alice") || strings.Contains(shown, "s3cr") || strings.Contains(shown, "sealed:") || !strings.Contains(shown, "socks5://proxy.example:1080 (with credentials)") {
			t.Errorf("shown as %s", shown)
		}
	}
	if body, err := os.ReadFile(path); err != nil || bytes.Contains(body, []byte("s3cr")) {
		t.Errorf("the file holds %s, %v", body, err)
	}
}

func TestProxyRefusals(t *testing.T) {
	for _, v := range []string{"proxy.example:3128", "ftp://alice:s3crEt@h:1", "http://sealed:%21@h:1"} {
		err := Set(file(t, ""), KeyWhatsAppProxy, v)
		if err == nil || !IsUsage(err) || !strings.Contains(err.Error(), "whatsapp-proxy") || strings.Contains(err.Error(), "s3crEt") {
			t.Errorf("%s: %v", v, err)
		}
	}
	// every user of a machine can read a command line
	_, err := Load(file(t, ""), map[string]string{KeyWhatsAppProxy: openProxy}, noEnv)
	if err == nil || strings.Contains(err.Error(), "s3cr") || !strings.Contains(err.Error(), "config set whatsapp-proxy -") {
		t.Errorf("as a flag: %v", err)
	}
	if c, err := Load(file(t, ""), nil, env("WAOUTBOX_WHATSAPP_PROXY", openProxy)); err != nil || c.WhatsAppProxy != openProxy {
		t.Errorf("in the environment: %v", err)
	}
	if c, err := Load(file(t, ""), map[string]string{KeyWhatsAppProxy: "http://h:1"}, noEnv); err != nil || c.WhatsAppProxy != "http://h:1" {
		t.Errorf("a flag without credentials: %v", err)
	}
}
