package wasim

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/coder/websocket"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/socket"

	"waoutbox/connection/wasim/fault"
	"waoutbox/connection/wasim/noise"
)

// lingerTime is how long a connection stays open after a stream error or
// failure: the client handles those from a queue, and a close that overtakes
// them would look like a plain loss of the connection.
const lingerTime = 250 * time.Millisecond

// conn is one websocket of a client: frames in and out, encrypted once the
// handshake is done. Sending is safe for concurrent use; receiving belongs to
// the one goroutine that runs the connection.
type conn struct {
	ws     *websocket.Conn
	ctx    context.Context // ends when the connection does
	cancel context.CancelFunc
	noise.Client

	buf []byte // received, not yet cut into frames
	rx  cipher.AEAD
	rxN uint32

	txMu sync.Mutex
	tx   cipher.AEAD
	txN  uint32

	pairing *pairing // set while an unlinked client waits for its QR to be scanned

	start func(func()) bool // starts a goroutine that the server waits for
	plans []*fault.Plan     // set before stanzas of the linked client flow
	again *waBinary.Node    // the companion's last stanza, to be handled once more
	cut   bool              // the connection ends before the companion's next stanza

	waitMu  sync.Mutex
	waiting map[string]chan *waBinary.Node // replies to iqs the server asked
}

func newConn(ctx context.Context, ws *websocket.Conn) *conn {
	ws.SetReadLimit(socket.FrameMaxSize + socket.FrameLengthSize)
	c := &conn{ws: ws, waiting: make(map[string]chan *waBinary.Node)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

// handshake reads the header, runs Noise and switches to encrypted frames.
func (c *conn) handshake(k *noise.Keys) error {
	header := make([]byte, len(socket.WAConnHeader))
	if err := c.fill(len(header)); err != nil {
		return fmt.Errorf("read the connection header: %w", err)
	}
	copy(header, c.buf)
	c.buf = c.buf[len(header):]
	if header[0] != 'W' || header[1] != 'A' || header[2] != socket.WAMagicValue {
		return fmt.Errorf("connection header % x is not WhatsApp's", header)
	}
	client, ciphers, err := k.Accept(header, c.readFrame, c.writeFrame)
	if err != nil {
		return err
	}
	c.Client, c.rx, c.tx = client, ciphers.FromClient, ciphers.ToClient
	return nil
}

// fill reads until n bytes are buffered.
func (c *conn) fill(n int) error {
	for len(c.buf) < n {
		kind, data, err := c.ws.Read(c.ctx)
		if err != nil {
			return err
		}
		if kind == websocket.MessageBinary {
			c.buf = append(c.buf, data...)
		}
	}
	return nil
}

func (c *conn) readFrame() ([]byte, error) {
	if err := c.fill(socket.FrameLengthSize); err != nil {
		return nil, err
	}
	n := int(c.buf[0])<<16 | int(c.buf[1])<<8 | int(c.buf[2])
	if err := c.fill(socket.FrameLengthSize + n); err != nil {
		return nil, err
	}
	frame := c.buf[socket.FrameLengthSize : socket.FrameLengthSize+n]
	c.buf = c.buf[socket.FrameLengthSize+n:]
	return frame, nil
}

// writeFrame sends one frame as one websocket message: the client's reassembly
// across messages is off by the length prefix.
func (c *conn) writeFrame(data []byte) error {
	if len(data) >= socket.FrameMaxSize {
		return fmt.Errorf("frame of %d bytes is larger than %d", len(data), socket.FrameMaxSize)
	}
	frame := make([]byte, 0, socket.FrameLengthSize+len(data))
	frame = append(frame, byte(len(data)>>16), byte(len(data)>>8), byte(len(data)))
	return c.ws.Write(c.ctx, websocket.MessageBinary, append(frame, data...))
}

// receive returns the client's next stanza, and lets the faults planned for it happen.
func (c *conn) receive() (*waBinary.Node, error) {
	for {
		if c.cut {
			return nil, errCut
		}
		if n := c.again; n != nil {
			c.again = nil
			return n, nil
		}
		n, err := c.read()
		if err != nil {
			return nil, err
		}
		f, ok := c.faultAt(fault.Companion, n)
		if !ok {
			return n, nil
		}
		switch f.Effect {
		case fault.CutBefore:
			return nil, errCut
		case fault.Lose:
			continue
		case fault.Refuse:
			if err := c.refuse(n); err != nil {
				return nil, err
			}
			continue
		case fault.CutAfter:
			c.cut = true
		case fault.Twice:
			c.again = n
		case fault.Delay:
			c.pause(f.For)
		}
		return n, nil
	}
}

// read returns the client's next stanza.
func (c *conn) read() (*waBinary.Node, error) {
	frame, err := c.readFrame()
	if err != nil {
		return nil, err
	}
	plain, err := c.rx.Open(nil, noise.Nonce(c.rxN), frame, nil)
	if err != nil {
		return nil, fmt.Errorf("open frame %d: %w", c.rxN, err)
	}
	c.rxN++
	if len(plain) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	raw, err := waBinary.Unpack(plain)
	if err != nil {
		return nil, fmt.Errorf("unpack frame: %w", err)
	}
	return waBinary.Unmarshal(raw)
}

// send writes one stanza; it blocks while the client does not read, and ends
// with an error once the connection is closed.
func (c *conn) send(n waBinary.Node) error {
	raw, err := waBinary.Marshal(n)
	if err != nil {
		return fmt.Errorf("marshal <%s>: %w", n.Tag, err)
	}
	if f, ok := c.faultAt(fault.Server, &n); ok {
		return c.sendWrongly(f, raw)
	}
	return c.write(raw)
}

// write seals one stanza and writes it.
func (c *conn) write(raw []byte) error {
	c.txMu.Lock()
	defer c.txMu.Unlock()
	return c.writeFrame(c.seal(raw))
}

// seal encrypts the next frame. Call with txMu held.
func (c *conn) seal(raw []byte) []byte {
	sealed := c.tx.Seal(nil, noise.Nonce(c.txN), raw, nil)
	c.txN++
	return sealed
}

// ask sends an iq of the server and waits for the client's reply.
func (c *conn) ask(ctx context.Context, n waBinary.Node) (*waBinary.Node, error) {
	id, _ := n.Attrs["id"].(string)
	reply := make(chan *waBinary.Node, 1)
	c.waitMu.Lock()
	c.waiting[id] = reply
	c.waitMu.Unlock()
	defer func() {
		c.waitMu.Lock()
		delete(c.waiting, id)
		c.waitMu.Unlock()
	}()
	if err := c.send(n); err != nil {
		return nil, err
	}
	select {
	case got := <-reply:
		return got, nil
	case <-c.ctx.Done():
		return nil, errors.New("the client disconnected before it replied")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// takeReply hands an iq result to whoever asked; false when nobody did.
func (c *conn) takeReply(n *waBinary.Node) bool {
	id, _ := n.Attrs["id"].(string)
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	waiter, ok := c.waiting[id]
	if ok {
		delete(c.waiting, id)
		waiter <- n
	}
	return ok
}

// linger keeps the connection open for lingerTime, or until the client closes
// it, and then closes it. It blocks meanwhile.
func (c *conn) linger() {
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
	c.close()
}

// close drops the connection without a closing handshake. Idempotent.
func (c *conn) close() {
	c.cancel()
	c.ws.CloseNow() //nolint:errcheck // the connection is being thrown away
}
