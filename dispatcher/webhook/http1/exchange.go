package http1

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"time"
)

const (
	// maxInline is how long a request may be, head and body, that is written before anything is
	// read, in bytes.
	maxInline = 32 << 10
	// framing is what the sizes of chunks and the trailers of a body may take.
	framing = 4 << 10
	// maxLines is how many lines the header of a response may have, informational ones before it
	// included, and maxInformational how many of these: reading them is all that an endpoint can
	// make us work.
	maxLines, maxInformational = 256, 64
	// afterFailure is how long a response is waited for when the request could not be written: an
	// endpoint may refuse a body by closing, and have said why.
	afterFailure = 250 * time.Millisecond
	// lastWrite is how long a request that is written beside may take after its response was read,
	// for its connection to be kept.
	lastWrite = 50 * time.Millisecond
)

// Errors of a response that is none.
var (
	ErrTLSAlert      = errors.New("a TLS alert arrived on a plain connection")
	errHeaderTooLong = errors.New("the response's header is too long")
	errBodyTooLong   = errors.New("the response's body is too long")
	errInformational = errors.New("too many informational responses")
)

// Exchange is a response whose body may still be read. It has one caller, who must Close it.
type Exchange struct {
	Status int
	Header http.Header
	Body   io.Reader // nil when there is none; it ends with the exchange's limit
	// Arrived says that all of the body is there, so that reading it does not wait.
	Arrived bool

	conn    *conn // nil when closed
	body    body
	again   bool        // the response lets the connection be used again
	stop    func() bool // ends the watch over the caller's context
	ctx     context.Context
	limit   time.Time
	writing chan error // of a request that is written beside, nil for none
}

// Do sends one request and returns its response as soon as its header has been read. It blocks
// until then, until limit, or until ctx ends. head is the request line and the header with the
// empty line that ends it; both parts are the Exchange's until it is closed, and head may be
// appended to.
func (p *Pool) Do(ctx context.Context, limit time.Time, head, body []byte) (*Exchange, error) {
	for {
		c, err := p.take(ctx, limit)
		if err != nil {
			return nil, cause(ctx, err)
		}
		x, sent, err := c.do(ctx, limit, head, body)
		if err == nil {
			return x, nil
		}
		if sent || !c.used || ctx.Err() != nil {
			return nil, cause(ctx, err)
		}
	}
}

// cause returns ctx's error where that is why something else failed.
func cause(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return err
}

// do makes the exchange. On an error the connection is closed; sent says whether any of the request
// may have left.
func (c *conn) do(ctx context.Context, limit time.Time, head, body []byte) (_ *Exchange, sent bool, err error) {
	x := &Exchange{conn: c, ctx: ctx, limit: limit, stop: context.AfterFunc(ctx, c.interrupt)}
	sent, err = x.write(head, body)
	if err == nil || sent && !isTimeout(err) {
		if failed := x.readHeader(err != nil); failed == nil {
			x.again = x.again && err == nil
			return x, true, nil
		} else if err == nil {
			err = failed
		}
	}
	x.end(false)
	return nil, sent, err
}

// write sends the request, or begins to when it is long.
func (x *Exchange) write(head, body []byte) (sent bool, err error) {
	w := x.conn.net
	if len(head)+len(body) > maxInline {
		x.writing = make(chan error, 1)
		go func() {
			parts := net.Buffers{head, body}
			_, err := parts.WriteTo(w)
			x.writing <- err
		}()
		return true, nil
	}
	n, err := w.Write(append(head, body...))
	return n > 0 || x.conn.encrypted(), err
}

// readHeader reads up to the header of the final response.
func (x *Exchange) readHeader(hurry bool) error {
	c := x.conn
	if hurry {
		x.Hurry(afterFailure)
	}
	c.left, c.lines, c.tooLong, c.failed = c.pool.opt.MaxHeader, maxLines, errHeaderTooLong, nil
	const alert, major = 0x15, 0x03 // RFC 8446, section 5.1
	if b, err := c.in.Peek(2); err == nil && b[0] == alert && b[1] == major {
		return ErrTLSAlert
	}
	for informational := 0; ; informational++ {
		if informational > maxInformational {
			return errInformational
		}
		res, err := http.ReadResponse(c.in, c.request) //nolint:bodyclose // Close ends the connection that it is read from
		if err != nil {
			// net/http judges a line that broke off as if it were whole.
			return cmp.Or(c.failed, err)
		}
		if code := res.StatusCode; code >= 100 && code < 200 && code != http.StatusSwitchingProtocols {
			continue
		}
		x.Status, x.Header, x.again = res.StatusCode, res.Header, mayFollow(res)
		c.keep = keptFor(res.Header["Keep-Alive"], c.pool.opt.IdleTimeout)
		c.left, c.lines, c.tooLong = c.pool.opt.MaxBody+framing, math.MaxInt, errBodyTooLong
		x.body = body{from: res.Body, ended: res.Body == http.NoBody}
		if !x.body.ended {
			x.Body = &x.body
			x.Arrived = res.ContentLength >= 0 && res.ContentLength <= int64(c.in.Buffered())
		}
		return nil
	}
}

// mayFollow reports whether a response lets another one follow on its connection: a 2xx does. An
// endpoint that failed may say more where the next response is expected: a proxy in trouble sends
// the one that it gave up, and that would count for another event.
func mayFollow(res *http.Response) bool {
	if res.StatusCode < 200 || res.StatusCode > 299 || res.Close {
		return false
	}
	if res.StatusCode == http.StatusNoContent {
		// This has no body. An endpoint that names the length of one may send it all the same.
		length := res.Header.Get("Content-Length")
		return len(res.TransferEncoding) == 0 && (length == "" || length == "0")
	}
	return true
}

// Hurry ends the reading of the body at the latest after d.
func (x *Exchange) Hurry(d time.Duration) {
	at := time.Now().Add(d)
	if at.After(x.limit) {
		return
	}
	_ = x.conn.net.SetReadDeadline(at) // fails on a closed connection only, which reads nothing
	if x.ctx.Err() != nil {
		x.conn.interrupt() // it may have come just before
	}
}

// Close ends the exchange. The connection is kept when it is fit for another one. Closing twice
// does nothing more.
func (x *Exchange) Close() {
	if x.conn != nil {
		x.end(x.again && x.body.ended && x.conn.in.Buffered() == 0)
	}
}

// end keeps the connection or closes it. When it returns nothing of the exchange goes on.
func (x *Exchange) end(keep bool) {
	c := x.conn
	keep = x.stop() && keep // an interrupt that has begun may still set the deadline
	wrote := x.writing == nil
	if keep && !wrote {
		late := time.NewTimer(lastWrite)
		select {
		case err := <-x.writing:
			keep, wrote = err == nil, true
		case <-late.C:
			keep = false
		}
		late.Stop()
	}
	x.conn = nil
	if keep && c.pool.put(c) {
		return
	}
	_ = c.net.Close()
	if !wrote {
		<-x.writing //nolint:errcheck // it is closed: that a write failed is no news
	}
}

// body notes whether it was read to its end.
type body struct {
	from  io.Reader
	ended bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}
