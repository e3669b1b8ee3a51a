package connection

import (
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// The library deletes a device as soon as it hears of a log-out, while messages are being read: it
// put other stores in place of the device's, without a lock. The link forgets a device that was
// linked, and the library one whose pairing fails.
//
// Mutation of devicestore.go: the library takes the stores of a linked device away under whoever
// reads of them.
func TestOnlyTheLinkForgetsADeviceThatWasLinked(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *rig{
		"paired now":    linkedRig,
		"linked before": func(t *testing.T) *rig { r := linkedRig(t); r.restart(); return r },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			dev := r.deviceInUse()
			sessions, id := dev.Sessions, *dev.ID
			if err := dev.Delete(t.Context()); !errors.Is(err, errLeftToLink) {
				t.Errorf("the library's deletion returned %v", err)
			}
			if dev.Sessions != sessions || dev.ID == nil || *dev.ID != id || dev.Deleted {
				t.Errorf("the device has changed: %v, deleted %v", dev.ID, dev.Deleted)
			}
			if r.rows()["whatsmeow_device"] != 1 {
				t.Errorf("rows %v", r.rows())
			}
		})
	}
	r := newRig(t) // which does not run: nothing else has the device
	dev, err := r.dev.Current(t.Context())
	must(t, err)
	r.guardDevice(dev)
	id := types.NewJID("15550100999", types.DefaultUserServer)
	dev.ID = &id // as in the middle of a pairing that fails
	if err := dev.Delete(t.Context()); err != nil || !dev.Deleted {
		t.Errorf("of a device that is not linked: %v, deleted %v", err, dev.Deleted)
	}
	must(t, r.dev.Close())
}

// deviceInUse is the device of the present session.
func (r *rig) deviceInUse() *store.Device {
	r.Client.mu.Lock()
	defer r.Client.mu.Unlock()
	return r.session.dev
}
