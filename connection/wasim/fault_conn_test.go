package wasim

import (
	"testing"
	"time"

	"waoutbox/connection/wasim/fault"
)

func TestStanzasGoWrong(t *testing.T) {
	_, a, c := linked(t)
	bob := a.NewContact("Bob", "15550100123")
	for _, effect := range []fault.Effect{fault.Lose, fault.Garble, fault.Damage} {
		must(t, a.Fault(fault.Fault{From: fault.Server, Tag: "message", Effect: effect}))
		_, err := bob.SendText(testContext(t), string(effect))
		must(t, err)
		_, err = bob.SendText(testContext(t), "behind "+string(effect))
		must(t, err)
		c.waitText(t, "behind "+string(effect))
		// Pending is the lost one.
		must(t, a.until(testContext(t), func() (bool, error) { return a.device.out.all.Len() == 1, nil }))
		a.Drop()
		c.waitText(t, string(effect)) // out of order: the one behind it was read before
		must(t, a.WaitDrained(testContext(t)))
	}

	must(t, a.Fault(fault.Fault{From: fault.Server, Tag: "message", Effect: fault.Twice}))
	_, err := bob.SendText(testContext(t), "twice")
	must(t, err)
	c.waitText(t, "twice")

	must(t, a.Fault(fault.Fault{From: fault.Server, Tag: "ack", Attrs: map[string]string{"class": "message"}, Effect: fault.Delay, For: 20 * time.Millisecond}))
	before := time.Now()
	c.send(t, bob.PN(), "acknowledged late")
	if took := time.Since(before); took < 20*time.Millisecond {
		t.Errorf("the acknowledgement came after %v", took)
	}
	must(t, a.Fault(fault.Fault{From: fault.Companion, Tag: "message", Effect: fault.Twice}))
	c.send(t, bob.PN(), "sent twice")
	must(t, bob.WaitReceived(testContext(t), 2))
}
