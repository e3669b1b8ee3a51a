package wasim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// enqueue puts a stanza into the outbox of the companion d.
func (a *Account) enqueue(d *device, n waBinary.Node) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.device == nil || a.device != d {
		return ErrNotLinked
	}
	a.push(d, n)
	return nil
}

// SendStanza queues any stanza for the companion, for what has no method of its own. It needs an id
// and a from, by which it is acknowledged; a kind that clients never acknowledge stays pending.
func (a *Account) SendStanza(ctx context.Context, n waBinary.Node) error {
	if attrString(n, "id") == "" || attrString(n, "from") == "" {
		return fmt.Errorf("send <%s>: it needs an id and a from", n.Tag)
	}
	d, err := a.companion(ctx)
	if err == nil {
		err = a.enqueue(d, n)
	}
	if err != nil {
		return fmt.Errorf("send <%s>: %w", n.Tag, err)
	}
	return nil
}

// push is enqueue with the lock held and the companion known to be linked.
func (a *Account) push(d *device, n waBinary.Node) {
	key := keyOf(n)
	info := Ack{ID: key.id, Class: key.class, Chat: key.from, Sender: key.participant, Type: attrString(n, "type"), At: time.Now()}
	if to := attrString(n, "recipient"); to != "" {
		info.Chat = to
	}
	if category := attrString(n, "category"); category != "" {
		info.Type = category
	}
	d.out.push(&stanza{key: key, node: n, info: info})
	a.keep(n)
	a.changed.notify()
}

// pump sends the outbox over one connection, in order and within the window,
// until the connection ends.
func (a *Account) pump(c *conn, d *device) {
	if !a.sendPreview(c, d) {
		return
	}
	backlog, announced := 0, false
	for {
		a.mu.Lock()
		if d.conn != c {
			a.mu.Unlock()
			return
		}
		var st *stanza
		if !a.held {
			st = d.out.take(a.srv.window)
		}
		var node waBinary.Node
		if st != nil {
			node = st.node
			if st.backlog {
				node = withOffline(node, backlog)
				backlog++
			}
		}
		finished := !announced && d.out.backlogSent()
		changed := a.changed.wait()
		a.mu.Unlock()
		if st != nil && c.send(node) != nil {
			return
		}
		if finished {
			announced = true
			if c.send(ib("offline", waBinary.Attrs{"count": backlog})) != nil {
				return
			}
		}
		if st == nil {
			select {
			case <-changed:
			case <-c.ctx.Done():
				return
			}
		}
	}
}

// sendPreview tells the companion what waits for it.
func (a *Account) sendPreview(c *conn, d *device) bool {
	a.mu.Lock()
	n := d.out.counts()
	a.mu.Unlock()
	return c.send(ib("offline_preview", waBinary.Attrs{
		"count": n["message"] + n["receipt"] + n["notification"], "message": n["message"],
		"notification": n["notification"], "receipt": n["receipt"], "appdata": 0,
	})) == nil
}

func ib(tag string, attrs waBinary.Attrs) waBinary.Node {
	return waBinary.Node{Tag: "ib", Attrs: waBinary.Attrs{"from": types.ServerJID}, Content: []waBinary.Node{{Tag: tag, Attrs: attrs}}}
}

func withOffline(n waBinary.Node, i int) waBinary.Node {
	n.Attrs = maps.Clone(n.Attrs)
	n.Attrs["offline"] = strconv.Itoa(i)
	return n
}

// acknowledge drops the stanza an acknowledgement names; code is that of a refusal, "" without.
func (a *Account) acknowledge(d *device, k ackKey, code string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle(d, k, code)
}

// settle is acknowledge with the lock held.
func (a *Account) settle(d *device, k ackKey, code string) {
	if st := d.out.remove(k); st != nil {
		info := st.info
		info.At, info.Error = time.Now(), code
		a.acked = append(a.acked, info)
		if info.Type == peerCategory {
			a.keyArrived(d, info.ID)
		}
		a.changed.notify()
	}
}

// acknowledgedPlainly handles <ack class=message>: it counts like a receipt,
// except for the copy that a retry receipt has already replaced.
func (a *Account) acknowledgedPlainly(d *device, k ackKey, code string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if st := d.out.find(k); st != nil && st.ackOwed {
		st.ackOwed = false
		return
	}
	a.settle(d, k, code)
}

// unsettle forgets that a message was acknowledged, because the companion has
// asked for it again after all. Call with the lock held.
func (a *Account) unsettle(k ackKey) {
	for i := len(a.acked) - 1; i >= 0; i-- {
		if got := a.acked[i]; got.Class == k.class && got.ID == k.id && got.Sender == k.participant {
			a.acked = slices.Delete(a.acked, i, i+1)
			return
		}
	}
}

// Acked lists what the companion acknowledged, in the order it did, each stanza
// once.
func (a *Account) Acked() []Ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Ack(nil), a.acked...)
}

// Pending lists what is queued or sent and not yet acknowledged, in order.
func (a *Account) Pending() []Ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.device == nil {
		return nil
	}
	list := make([]Ack, 0, a.device.out.all.Len())
	for el := a.device.out.all.Front(); el != nil; el = el.Next() {
		list = append(list, el.Value.(*stanza).info)
	}
	return list
}

// WaitDrained blocks until nothing is pending, changes of synced settings included that wait for
// the companion to fetch what was there before.
func (a *Account) WaitDrained(ctx context.Context) error {
	err := a.until(ctx, func() (bool, error) {
		return a.device == nil || a.device.out.all.Len()+int(a.synced.waits.Load()) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("wait until the companion of %s has acknowledged everything (%d left): %w", a.pn.User, len(a.Pending()), err)
	}
	return nil
}
