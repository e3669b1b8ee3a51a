package main

import (
	"bytes"
	"io/fs"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"waoutbox/cmd/internal/config"
	"waoutbox/outbox/api"
)

// What decides how long WhatsApp lets a program in is the age of its library, which every build
// knows. Before, the age was that of the revision, which no released program has.
func TestDoctorKnowsHowOldTheProgramIs(t *testing.T) {
	t.Parallel()
	if v := buildVersion(); v.LibraryTime.Year() < 2026 {
		t.Errorf("this program's library is of %v", v.LibraryTime)
	}
	now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		library      time.Time
		status, says string
	}{
		{now.Add(-40 * 24 * time.Hour), findingOK, "a WhatsApp library that is 40 d old"},
		{now.Add(-oldProgram - time.Hour), findingWarning, "120 d 1 h old: WhatsApp refuses clients that are too old"},
		{time.Time{}, findingOK, "how old it is is not known"},
	} {
		d := &examining{e: &env{stdout: &bytes.Buffer{}}}
		d.version(versionInfo{Version: "0.1.0", LibraryTime: tc.library}, now)
		if f := d.found[0]; f.Status != tc.status || !strings.Contains(f.Message, tc.says) || (f.Mend == "") != (tc.status == findingOK) {
			t.Errorf("a library of %v: %+v", tc.library, f)
		}
	}
}

// An endpoint that fails is told of before it is an alarm, and not again once it is one. Before,
// all was well while every request failed.
func TestDoctorTellsOfRequestsThatFail(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-3 * time.Second)
	st := api.Status{Dead: 1, Webhooks: []api.Webhook{
		{ID: "wh_FAILS", Pending: 19, LastError: &api.RecentAttempt{At: at, Class: "http", Status: 503}},
		{ID: "wh_ALARM", LastError: &api.RecentAttempt{At: at, Class: "http", Status: 503}},
		{ID: "wh_BACK", LastError: &api.RecentAttempt{At: at, Class: "http", Status: 503}, LastSuccess: &api.RecentAttempt{At: at.Add(time.Second)}},
	}, Alarms: []api.Alarm{{Code: "webhook_failing", Webhook: "wh_ALARM"}}}
	d := &examining{e: &env{stdout: &bytes.Buffer{}}}
	d.deliveries(st)
	if len(d.found) != 2 {
		t.Fatalf("%+v", d.found)
	}
	if f := d.found[0]; f.Status != findingWarning || !strings.Contains(f.Message, "wh_FAILS failed 3 s ago: 503 Service Unavailable; 19 events wait") || !strings.Contains(f.Mend, "webhook test wh_FAILS") {
		t.Errorf("%+v", f)
	}
	if f := d.found[1]; f.Check != "dead" || f.Message != "1 dead letter is kept, to be replayed or purged" {
		t.Errorf("%+v", f)
	}
}

// A port that another program has keeps the service from starting, and is told of before. Before,
// nothing was wrong until `start` failed.
func TestDoctorTriesTheAddressOfTheListener(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Config{HTTP: taken.Addr().String()}
	d := &examining{e: &env{stdout: &bytes.Buffer{}}}
	d.listener(cfg)
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	d.listener(cfg)
	d.listener(config.Config{})
	if len(d.found) != 2 {
		t.Fatalf("%+v", d.found)
	}
	if f := d.found[0]; f.Check != "http" || f.Status != findingProblem || !strings.Contains(f.Message, cfg.HTTP) || !strings.HasPrefix(f.Mend, "Choose another address with the setting http") {
		t.Errorf("a port in use: %+v", f)
	}
	if f := d.found[1]; f.Status != findingOK || f.Mend != "" {
		t.Errorf("a free port: %+v", f)
	}
}

// A directory of one's own that cannot be written has its mode mended. Before, its owner was told
// to run as its owner.
func TestDoctorMendsTheModeOfTheDirectory(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // modes say nothing there
	}
	if mend := writeAdvice("/s t", fs.ErrPermission); !strings.HasPrefix(mend, "chmod u+rwx '/s t'") {
		t.Errorf("%q", mend)
	}
}

// The mend of an alarm is parted from what is wrong, for whoever reads `doctor --json`.
func TestDoctorPartsTheMend(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"The account is no longer linked: the phone removed this device. Link it again: waoutbox pair":             "Link it again: waoutbox pair",
		"wh_A is failing: 503. New events wait. When its endpoint works again, let them go with: waoutbox webhook": "When its endpoint works again, let them go with: waoutbox webhook",
		"outbox /s/outbox.db is missing. Restore a backup: waoutbox restore FILE. Without one: waoutbox serve":     "Restore a backup: waoutbox restore FILE. Without one: waoutbox serve",
		"the disk is slow":                          "",
		"waoutbox is not running: no events arrive": "",
	} {
		message, mend := parted(text)
		if mend != want || (want == "" && message != text) || !strings.HasPrefix(text, message) {
			t.Errorf("%q: %q and %q", text, message, mend)
		}
	}
}
