package connection

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// Unpair removes the device at WhatsApp, tells receivers, erases whatsapp.db, and leaves a link so
// that it can be paired at once.
func TestUnpair(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	_, err := r.acc.NewContact("Bob", "15550100123").SendText(ctx, "hello")
	must(t, err)
	r.waitTexts("hello")
	first := r.acc.PN()
	got, err := r.Unpair(ctx)
	must(t, err)
	if got.Account != first || !got.Told || got.Note != "" {
		t.Errorf("result %+v", got)
	}
	if link := r.Link(); link.State != api.LinkUnlinked || link.Account != "" || link.Reason != "" {
		t.Errorf("link %+v", link)
	}
	if r.acc.Linked() {
		t.Error("the phone still lists the device")
	}
	if got := r.statuses(); got[len(got)-1] != "disconnected 401" {
		t.Errorf("receivers were told %q", got)
	}
	for table, n := range r.rows() {
		if n != 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	if a := r.Alarms(); len(a) != 0 {
		t.Errorf("alarms %+v for what was asked for", a)
	}
	if again, err := r.Unpair(ctx); err != nil || again != (api.UnpairResult{}) {
		t.Errorf("without an account: %+v, %v", again, err)
	}
	r.acc = r.sim.NewAccount("491515550199", "Office")
	r.pair()
}

// rows counts what whatsapp.db keeps of accounts.
func (r *rig) rows() map[string]int {
	r.t.Helper()
	db := r.openStore()
	defer db.Close()
	names, err := db.QueryContext(r.t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'whatsmeow_%' AND name <> 'whatsmeow_version'`)
	must(r.t, err)
	defer names.Close()
	var list []string
	for names.Next() {
		var name string
		must(r.t, names.Scan(&name))
		list = append(list, name)
	}
	must(r.t, names.Err())
	out := make(map[string]int)
	for _, name := range list {
		var n int
		must(r.t, db.QueryRowContext(r.t.Context(), `SELECT count(*) FROM "`+name+`"`).Scan(&n))
		out[name] = n
	}
	return out
}

// Without WhatsApp the account is forgotten here, the result says that the phone still lists the
// device, and pairing works once WhatsApp is back.
func TestUnpairOffline(t *testing.T) {
	r := linkedRig(t)
	ctx := bounded(t)
	r.acc.Refuse(503)
	r.acc.Drop()
	eventually(t, "a refused login", func() bool { return r.Link().Reason != "" })
	got, err := r.Unpair(ctx)
	must(t, err)
	if got.Told || !strings.Contains(got.Note, "Linked devices") {
		t.Errorf("result %+v", got)
	}
	if r.Link().State != api.LinkUnlinked || r.rows()["whatsmeow_device"] != 0 {
		t.Errorf("link %+v, rows %v", r.Link(), r.rows())
	}
	r.acc.Refuse(0)
	if !r.acc.Linked() {
		t.Error("the phone does not list the device any more, although nobody told it")
	}
	r.acc.Unlink() // as a person does then
	r.pair()
}

// A session that another program took over can be unpaired, and the link paired anew, without a
// restart.
func TestUnpairAfterReplaced(t *testing.T) {
	r := linkedRig(t)
	r.acc.Replace()
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmReplaced) })
	got, err := r.Unpair(bounded(t))
	must(t, err)
	if got.Account != r.acc.PN() || r.hasAlarm(alarmReplaced) {
		t.Errorf("result %+v, alarms %+v", got, r.Alarms())
	}
	r.acc.Unlink()
	r.pair()
}

// Where the full disk keeps the account in whatsapp.db, Unpair says so and returns, and pairing
// works once there is room.
func TestUnpairOnAFullDisk(t *testing.T) {
	r := linkedRig(t)
	makeRoom := r.fillDisk("DELETE ON whatsmeow_device")
	got, err := r.Unpair(bounded(t))
	must(t, err)
	if !got.Told || !strings.Contains(got.Note, "whatsapp.db") || !r.hasAlarm(alarmDevice) {
		t.Errorf("result %+v, alarms %+v", got, r.Alarms())
	}
	makeRoom()
	eventually(t, "the end of the alarm", func() bool { return !r.hasAlarm(alarmDevice) })
	r.pair()
}

// Several callers get one log-out, and one that gives up does not end it.
func TestUnpairTwiceAtOnce(t *testing.T) {
	r := linkedRig(t)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := r.Unpair(gone); api.CodeOf(err) != api.CodeTimeout {
		t.Errorf("a caller that left got %v", err)
	}
	results := make(chan api.UnpairResult, 2)
	for range 2 {
		go func() {
			got, err := r.Unpair(bounded(t))
			if err != nil {
				t.Error(err)
			}
			results <- got
		}()
	}
	for range 2 {
		select {
		case <-results:
		case <-time.After(limit):
			t.Fatal("Unpair does not return")
		}
	}
	r.waitState(api.LinkUnlinked)
	if n := len(slices.DeleteFunc(r.statuses(), func(s string) bool { return s != "disconnected 401" })); n != 1 {
		t.Errorf("receivers were told of %d log-outs", n)
	}
}
