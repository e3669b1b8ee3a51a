package wasim

import (
	"fmt"

	"github.com/coder/websocket"

	waBinary "go.mau.fi/whatsmeow/binary"

	"waoutbox/connection/wasim/noise"
)

// SendRaw sends any stanza at once: it is not queued, not repeated, and nobody waits for its
// acknowledgement. ErrNotOnline without a companion that has finished its login.
func (a *Account) SendRaw(n waBinary.Node) error { return a.sendNow(n) }

// SendRawFrame sends plain, which need not be a stanza, as the content of one encrypted frame.
func (a *Account) SendRawFrame(plain []byte) error {
	c := a.conn()
	if c == nil {
		return fmt.Errorf("send a frame: %w", ErrNotOnline)
	}
	if err := c.write(plain); err != nil {
		return fmt.Errorf("send a frame: %w", ErrNotOnline)
	}
	return nil
}

// SendSplit sends any stanza at once, its frame in two websocket messages, the second of tail
// bytes.
func (a *Account) SendSplit(n waBinary.Node, tail int) error {
	c := a.conn()
	if c == nil {
		return fmt.Errorf("send <%s>: %w", n.Tag, ErrNotOnline)
	}
	raw, err := waBinary.Marshal(n)
	if err != nil {
		return fmt.Errorf("marshal <%s>: %w", n.Tag, err)
	}
	c.txMu.Lock()
	defer c.txMu.Unlock()
	sealed := c.tx.Seal(nil, noise.Nonce(c.txN), raw, nil)
	c.txN++
	frame := append([]byte{byte(len(sealed) >> 16), byte(len(sealed) >> 8), byte(len(sealed))}, sealed...)
	for _, part := range [][]byte{frame[:len(frame)-tail], frame[len(frame)-tail:]} {
		if err := c.ws.Write(c.ctx, websocket.MessageBinary, part); err != nil {
			return fmt.Errorf("send <%s>: %w", n.Tag, ErrNotOnline)
		}
	}
	return nil
}
