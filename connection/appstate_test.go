package connection

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"waoutbox/connection/translate"
	"waoutbox/connection/wasim"
	"waoutbox/connection/wasim/fault"
	"waoutbox/outbox/api"
)

// stars are the ids of the messages that stars were told of, in order.
func (r *rig) stars() (ids []string) {
	r.t.Helper()
	for _, ev := range r.named(translate.MessageUpdate) {
		var b struct {
			Data []struct {
				Key    struct{ ID string }
				Update struct{ Starred *bool }
			}
		}
		must(r.t, json.Unmarshal(ev.Body, &b))
		for _, d := range b.Data {
			if d.Update.Starred != nil {
				ids = append(ids, d.Key.ID)
			}
		}
	}
	return ids
}

// star marks a message on the phone.
func (r *rig) star(bob *wasim.Contact, id string) {
	r.t.Helper()
	must(r.t, r.acc.Star(bounded(r.t), bob.LID(), bob.LID(), id, true))
}

func (r *rig) waitStars(want ...string) {
	r.t.Helper()
	eventually(r.t, "stars", func() bool { return len(r.stars()) >= len(want) })
	if got := r.stars(); !slices.Equal(got, want) {
		r.t.Errorf("stars told are of %q, want %q", got, want)
	}
}

// starringRig is a linked rig that has told of a first star.
func starringRig(t *testing.T) (*rig, *wasim.Contact) {
	r := linkedRig(t)
	bob := r.acc.NewContact("Bob", "15550100123")
	r.star(bob, "A")
	r.waitStars("A")
	r.noted()
	return r, bob
}

// noted returns once what was told of settings is noted as read.
func (r *rig) noted() {
	r.fetching.Lock()
	defer r.fetching.Unlock()
}

// TestAStarIsToldWhenItsStoreWorksAgain: a change that the device store could take only in part is
// read again, without another, and does not keep the following ones from being read.
func TestAStarIsToldWhenItsStoreWorksAgain(t *testing.T) {
	r, bob := starringRig(t)
	r.exec(`CREATE TRIGGER broken BEFORE INSERT ON whatsmeow_app_state_mutation_macs BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
	r.star(bob, "B")
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmAppState) })
	r.exec(`DROP TRIGGER broken`)
	r.waitStars("A", "B")
	eventually(t, "the end of the alarm", func() bool { return !r.hasAlarm(alarmAppState) })
	r.star(bob, "C")
	r.waitStars("A", "B", "C")
	if r.hasAlarm(alarmAppStateLost) {
		t.Error("stars are said to be lost")
	}
}

// TestDamagedSettingsAreFetchedWhole: stars are told again, and what was not told in between is
// said to be lost.
func TestDamagedSettingsAreFetchedWhole(t *testing.T) {
	r, bob := starringRig(t)
	r.exec(`UPDATE whatsmeow_app_state_version SET hash=zeroblob(128)`)
	r.star(bob, "B")
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmAppStateLost) })
	r.star(bob, "C")
	r.waitStars("A", "C")
	if r.hasAlarm(alarmAppState) {
		t.Error("settings that were fetched whole are said to be unreadable")
	}
}

// TestAnAnnouncedStarIsFetched: what was announced and acknowledged and could not be fetched is
// fetched later, and in the next process.
//
// Mutation of watch.go: a change of the settings that was announced and not fetched is never
// fetched.
func TestAnAnnouncedStarIsFetched(t *testing.T) {
	r, bob := starringRig(t)
	r.exec(`ALTER TABLE whatsmeow_app_state_version RENAME TO away`)
	r.star(bob, "B")
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmAppState) })
	r.exec(`ALTER TABLE away RENAME TO whatsmeow_app_state_version`)
	r.waitStars("A", "B")

	must(t, r.acc.Fault(fault.Fault{From: fault.Companion, Tag: "iq", Attrs: map[string]string{"xmlns": "w:sync:app:state"}, Effect: fault.Lose}))
	r.star(bob, "C")
	must(t, r.acc.WaitDrained(bounded(t))) // it is acknowledged
	eventually(t, "loss", func() bool { return r.acc.FaultsLeft() == 0 })
	r.restart()
	r.waitStars("A", "B", "C")
}

// TestAStarIsToldBeforeItIsNoted: a process that ends between reading a star and telling it leaves
// it to the next. Before, the collection had its version already, and nobody ever told the star.
//
// Mutation of appstate.go: a star that could not be stored is noted as read all the same.
func TestAStarIsToldBeforeItIsNoted(t *testing.T) {
	r, bob := starringRig(t)
	r.engine.Hook(func(op string) error {
		if op == "Append" {
			return errors.New("the disk is full")
		}
		return nil
	})
	r.star(bob, "B")
	eventually(t, "the refusal", func() bool { return r.hasAlarm(alarmRefused) })
	r.star(bob, "C")
	r.stop() // with what waits in memory
	r.engine.Hook(nil)
	r.build(r.sim.URL(), r.sim.RootKey())
	r.run()
	r.waitStars("A", "B", "C")
	must(t, r.acc.WaitDrained(bounded(t)))
	r.star(bob, "D")
	r.waitStars("A", "B", "C", "D")
	if r.hasAlarm(alarmAppStateLost) {
		t.Error("stars are said to be lost")
	}
}

// TestAKeyThatComesLate: what could not be opened is fetched again once there is the key, and told
// before it is noted.
func TestAKeyThatComesLate(t *testing.T) {
	r, bob := starringRig(t)
	r.stop() // the library has the key in memory, and reads it anew at its next start
	r.exec(`CREATE TABLE kept AS SELECT * FROM whatsmeow_app_state_sync_keys`)
	r.exec(`DELETE FROM whatsmeow_app_state_sync_keys`)
	r.build(r.sim.URL(), r.sim.RootKey())
	r.run()
	r.waitState(api.LinkConnected)
	r.star(bob, "B")
	eventually(t, "the alarm", func() bool { return r.hasAlarm(alarmAppState) })
	r.exec(`INSERT INTO whatsmeow_app_state_sync_keys SELECT * FROM kept`)
	r.waitStars("A", "B")
	eventually(t, "the end of the alarm", func() bool { return !r.hasAlarm(alarmAppState) })
}
