package main

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/config"
	"waoutbox/outbox/api"
)

// linkOps is the rest of a link; nothing here calls it.
type linkOps interface{ admin.Link }

// downLink is a link that is down for so long.
type downLink struct {
	linkOps
	lasts time.Duration
}

func (l downLink) Link() api.Link {
	return api.Link{State: api.LinkConnecting, Since: time.Now().Add(-l.lasts), For: l.lasts, Account: "4915155501001@s.whatsapp.net"}
}

func (downLink) Alarms() []api.Alarm { return nil }

// TestLinkDownAfter: the setting is what the service goes by, a minute where it is not given.
func TestLinkDownAfter(t *testing.T) {
	cfg, err := config.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for after, down := range map[time.Duration]map[time.Duration]bool{
		cfg.LinkDownAfter: {50 * time.Second: false, 70 * time.Second: true},
		10 * time.Minute:  {9 * time.Minute: false, 11 * time.Minute: true},
	} {
		cfg.LinkDownAfter = after
		a, err := openApp(t.Context(), filepath.Join(t.TempDir(), "state"), cfg, true, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for lasts, want := range down {
			st, err := a.service(downLink{lasts: lasts}, &api.Daemon{PID: 1, StartedAt: time.Now()}, mediaParts{}).Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := len(st.Alarms) == 1 && st.Alarms[0].Code == "link_down"; got != want {
				t.Errorf("down for %s, an alarm after %s: %+v", lasts, after, st.Alarms)
			}
		}
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}
}
