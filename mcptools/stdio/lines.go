package stdio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"
	"time"

	"waoutbox/mcptools/mcpevents"

	"github.com/mark3labs/mcp-go/mcp"
)

const (
	// maxLine bounds one message: mcp-go reads lines of any length into memory. It is far above
	// every message a tool takes.
	maxLine = 16 << 20
	// drainAtEOF is how long requests that are open at the end of the input may still run.
	drainAtEOF = 30 * time.Second
)

// lineReader feeds mcp-go the client's messages, one line at a time, and holds back what would hurt
// it: blank lines, lines that are too long, batches (which it takes apart), whatever follows an
// `initialize` that is still open (mcp-go serves requests concurrently, so a call could overtake
// the handshake), and the end of the input while requests are open (mcp-go cancels them there).
//
// One goroutine at a time may read. A Read that waits for the input returns only when the input
// does.
type lineReader struct {
	ctx     context.Context
	in      *bufio.Reader
	open    *openRequests
	batches *batches
	events  *extension               // nil: there is none
	respond func(line []byte)        // writes to the client
	tracked func(key string)         // its response is to name the extension
	refuse  func(id json.RawMessage) // responds to a line that is too long
	rest    []byte                   // of the current line
	barrier string                   // key of an initialize to wait for
	end     error                    // of the input, once met
}

func newLineReader(ctx context.Context, in io.Reader, w *lineWriter) *lineReader {
	return &lineReader{ctx: ctx, in: bufio.NewReaderSize(in, 64<<10), open: w.open, batches: &w.batches, respond: w.raw, tracked: w.track, refuse: w.refuse}
}

func (r *lineReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// next takes one line into rest, or leaves rest empty when the line is not for mcp-go.
func (r *lineReader) next() error {
	if r.barrier != "" {
		r.open.waitFor(r.ctx, r.barrier)
		r.barrier = ""
	}
	if r.end != nil {
		drain, cancel := context.WithTimeout(r.ctx, drainAtEOF)
		defer cancel()
		r.open.waitAll(drain)
		return r.end
	}
	line, long, err := readLine(r.in)
	if r.end = err; err != nil && !errors.Is(err, io.EOF) {
		r.end = fmt.Errorf("read from the client: %w", err)
	}
	switch {
	case long != nil:
		r.refuse(long.id())
	case len(bytes.TrimSpace(line)) > 0:
		if array, ok := asBatch(line); ok {
			lines, reply := r.batches.open(array, r.open.add)
			if len(reply) > 0 {
				r.respond(reply)
			}
			r.rest = r.others(lines)
			return nil
		}
		if r.events != nil && r.events.take(line, false) {
			return nil
		}
		r.register(line)
		r.rest = append(line, '\n')
	}
	return nil
}

// others returns the messages of a batch that are mcp-go's, and has the others served.
func (r *lineReader) others(lines []byte) []byte {
	if r.events == nil {
		return lines
	}
	var rest []byte
	for line := range bytes.Lines(lines) {
		if !r.events.take(bytes.TrimSuffix(line, []byte("\n")), true) {
			rest = append(rest, line...)
		}
	}
	return rest
}

// register counts a request as open until its response passes the lineWriter.
func (r *lineReader) register(line []byte) {
	var m message
	if json.Unmarshal(line, &m) != nil || m.ID == nil || m.Method == "" || m.Result != nil {
		return
	}
	r.open.add(m.key())
	switch m.Method {
	case string(mcp.MethodInitialize):
		r.barrier = m.key()
		r.batches.shaking(r.barrier)
		r.tracked(m.key())
		if r.events != nil {
			r.events.introduce(line)
		}
	case string(mcp.MethodServerDiscover):
		r.tracked(m.key())
	}
}

// readLine reads up to the next newline, which it drops, or the end of the input, which it reports
// beside what came before. A line above maxLine is dropped but for its two ends.
func readLine(in *bufio.Reader) (line []byte, long *longLine, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		full := errors.Is(err, bufio.ErrBufferFull)
		if len(bytes.TrimSuffix(line, []byte("\n"))) > maxLine {
			long := &longLine{head: bytes.Clone(line[:endKept]), tail: bytes.Clone(line[len(line)-endKept:])}
			for errors.Is(err, bufio.ErrBufferFull) {
				part, err = in.ReadSlice('\n')
				long.tail = append(long.tail, part...)
				long.tail = bytes.Clone(long.tail[len(long.tail)-endKept:])
			}
			return nil, long, err
		}
		if !full {
			return bytes.TrimSuffix(line, []byte("\n")), nil, err
		}
	}
}

// endKept is how much of either end of a long line is kept: clients write the id among the first
// members or as the last.
const endKept = 512

// longLine is what is left of a line that was too long.
type longLine struct{ head, tail []byte }

var lastID = regexp.MustCompile(`[,{]\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9]+)\s*}\s*$`)

// id returns the id of the request the line would have been, or JSON null.
func (l *longLine) id() json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(l.head))
	if t, err := dec.Token(); err == nil && t == json.Delim('{') {
		for {
			name, err := dec.Token()
			if err != nil {
				break
			}
			var value json.RawMessage
			if dec.Decode(&value) != nil {
				break
			}
			if name == "id" {
				return value
			}
		}
	}
	if m := lastID.FindSubmatch(l.tail); m != nil && json.Valid(m[1]) {
		return m[1]
	}
	return json.RawMessage("null")
}

// lineWriter passes mcp-go's messages on, each in one Write, responses of a batch together, and
// closes the requests to which they respond.
// Safe for concurrent use.
type lineWriter struct {
	out     io.Writer
	open    *openRequests
	batches batches
	failed  context.CancelCauseFunc // called when the client no longer reads
	events  *mcpevents.Extension    // nil: there is none

	mu sync.Mutex
	// the requests that ask what the server is, by their keys
	advertise map[string]bool
}

// track notes a request whose response names the extension.
func (w *lineWriter) track(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.advertise == nil {
		w.advertise = map[string]bool{}
	}
	w.advertise[key] = true
}

// named returns a response with the extension in it, where it is to name that.
func (w *lineWriter) named(key string, line []byte) []byte {
	w.mu.Lock()
	asked := w.advertise[key]
	delete(w.advertise, key)
	w.mu.Unlock()
	if !asked || w.events == nil {
		return line
	}
	// one that stays as it is has its newline already
	return append(bytes.Clone(bytes.TrimSuffix(w.events.Advertise(line), []byte("\n"))), '\n')
}

func (w *lineWriter) Write(p []byte) (int, error) {
	var m message
	if json.Unmarshal(p, &m) != nil || m.ID == nil || m.Method != "" {
		if err := w.write(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	key := m.key()
	line := w.named(key, p)
	if instead, taken := w.batches.take(key, line); taken {
		line = instead
	}
	if len(line) > 0 {
		if err := w.write(line); err != nil {
			return 0, err
		}
	}
	w.open.remove(key)
	return len(p), nil
}

// write is one Write to the client.
func (w *lineWriter) write(p []byte) error {
	w.mu.Lock()
	_, err := w.out.Write(p)
	w.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("write to the client: %w", err)
		w.failed(err)
	}
	return err
}

// raw writes lines to the client that respond to nothing mcp-go knows of. A failed write has
// already ended the session.
func (w *lineWriter) raw(lines []byte) { _ = w.write(lines) }

// refuse responds to a message that is too long.
func (w *lineWriter) refuse(id json.RawMessage) {
	text := fmt.Sprintf("The message is longer than %d MiB, the most one line may have; it was not read. Send less in one message.", maxLine>>20)
	// A failed write has already ended the session.
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%q}}`+"\n", id, mcp.INVALID_REQUEST, text)
}
