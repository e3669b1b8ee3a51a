package stdio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	initializeLine = `{"jsonrpc":"2.0","id":"init","method":"initialize","params":{}}`
	callLine       = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}`
)

// A line without end costs what its two ends cost.
//
// Mutation of lines.go: a line of an MCP client is kept whatever its length.
func TestLongLineIsNotKept(t *testing.T) {
	in := bufio.NewReaderSize(io.MultiReader(strings.NewReader(strings.Repeat("x", 3*maxLine)), strings.NewReader("y\nnext\n")), 64<<10)
	line, long, err := readLine(in)
	if err != nil || line != nil || long == nil {
		t.Fatalf("%d bytes, %v", len(line), err)
	}
	if len(long.head) != endKept || len(long.tail) != endKept || !strings.HasSuffix(string(long.tail), "y\n") {
		t.Errorf("kept %d and %d bytes", len(long.head), len(long.tail))
	}
	exact := bufio.NewReader(strings.NewReader(strings.Repeat("x", maxLine) + "\n" + strings.Repeat("x", maxLine+1) + "\n"))
	if line, long, err := readLine(exact); len(line) != maxLine || long != nil || err != nil {
		t.Errorf("a line of exactly the limit: %d bytes, %v, %v", len(line), long != nil, err)
	}
	if line, long, err := readLine(exact); line != nil || long == nil || err != nil {
		t.Errorf("a line one byte above the limit: %d bytes, %v, %v", len(line), long != nil, err)
	}
	if line, _, err = readLine(in); string(line) != "next" || err != nil {
		t.Errorf("the next line is %q, %v", line, err)
	}
	if line, _, err = readLine(in); len(line) != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("then %q, %v", line, err)
	}
}

// The end of the input waits for open requests, at most 30 s.
func TestEndOfInputIsWithheld(t *testing.T) {
	// Never at once: a response that overtakes the reading of its request closes nothing.
	for _, after := range []time.Duration{time.Millisecond, 10 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			open := newOpenRequests()
			w := &lineWriter{out: io.Discard, open: open}
			r := newLineReader(t.Context(), strings.NewReader(callLine+"\n"+callLine), w)
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				select {
				case <-time.After(after):
				case <-stop:
					return
				}
				for range 2 { // the same id twice is two requests
					fmt.Fprintln(w, `{"jsonrpc":"2.0","id":"1","result":{}}`) // another id
					fmt.Fprintln(w, `{"jsonrpc":"2.0","id":1,"method":"elicitation/create"}`)
					fmt.Fprintln(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
				}
			}()
			began := time.Now()
			if _, err := io.ReadAll(r); err != nil {
				t.Error(err)
			}
			if took, want := time.Since(began), min(after, drainAtEOF); took != want {
				t.Errorf("a response after %v: the end came after %v, want %v", after, took, want)
			}
		})
	}
}

// What follows an initialize is withheld until that has its response: mcp-go serves requests
// concurrently, so a call could run before the client's name is known.
//
// Mutation of lines.go: a call overtakes the handshake, so the audit trail lacks the client's name.
func TestHandshakeIsNotOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := newOpenRequests()
		w := &lineWriter{out: io.Discard, open: open}
		in := bufio.NewReader(newLineReader(t.Context(), strings.NewReader(initializeLine+"\n"+callLine+"\n"), w))
		if line, err := in.ReadString('\n'); err != nil || line != initializeLine+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
		next := make(chan string, 1)
		go func() {
			line, _ := in.ReadString('\n')
			next <- line
		}()
		synctest.Wait()
		if len(next) > 0 {
			t.Errorf("%q overtook the handshake", <-next)
		}
		fmt.Fprintln(w, `{"jsonrpc":"2.0","id":"init","result":{}}`)
		if line := <-next; !strings.Contains(line, "tools/call") {
			t.Errorf("then %q", line)
		}
	})
}
