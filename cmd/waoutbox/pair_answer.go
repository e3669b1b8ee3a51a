package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// errDifferent ends the pairing: it may be somebody else's.
var errDifferent = errors.New("not linked: the codes are different, so somebody else may be linking. Refuse it on the phone, then run it again")

// showPasskey says how to give the passkey's response, and takes it where a person can type. The
// caller holds mu.
func (p *pairView) showPasskey(s api.PairStep) {
	e := p.e
	if s.Passkey == nil {
		return
	}
	e.printf("WhatsApp asks for the account's passkey. In a browser that has it:\n\n"+
		" 1. Open %s and leave its own code alone.\n"+
		" 2. Open the console (F12, or Ctrl+Shift+J) and run this line there. It asks for the\n"+
		"    passkey and shows the response, which is good for this pairing only:\n\n%s\n\n"+
		" 3. Click anywhere on the page, choose the passkey, and copy the text that is shown then.\n\n"+
		"Valid until %s.\n", term.Clean(s.Passkey.Page), term.Clean(s.Passkey.Script), e.clock(s.ExpiresAt))
	if !e.interactive {
		e.next("waoutbox pair passkey FILE")
		return
	}
	e.printf("Paste the text here (from another terminal: %s):\n", e.command("pair passkey FILE"))
	go p.take(func() (api.ContinuePairing, error) {
		text, err := p.readJSON()
		return api.ContinuePairing{Passkey: text}, err
	})
}

// showConfirm has a person compare the codes. The caller holds mu.
func (p *pairView) showConfirm(s api.PairStep) {
	e := p.e
	if !e.interactive {
		e.printf("The phone shows a code. Is it %s?\n", term.Clean(s.Code))
		e.next("waoutbox pair confirm")
		return
	}
	e.printf("The phone shows a code. Is it %s? [y/N] ", e.style.Bold(term.Clean(s.Code)))
	go p.take(func() (api.ContinuePairing, error) {
		answer, err := readLine(e.stdin)
		if err != nil {
			return api.ContinuePairing{}, err
		}
		if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
			return api.ContinuePairing{}, errDifferent
		}
		return api.ContinuePairing{Confirm: true}, nil
	})
}

// take reads what a person gives and hands it over, again after a mistake. It ends with the process
// at the latest: a read from a terminal cannot be ended.
func (p *pairView) take(read func() (api.ContinuePairing, error)) {
	for p.ctx.Err() == nil {
		in, err := read()
		if err != nil {
			p.leave(err)
			return
		}
		if p.ctx.Err() != nil {
			return
		}
		_, err = p.link.ContinuePairing(p.ctx, in)
		if err == nil || p.ctx.Err() != nil {
			return // the session shows what follows
		}
		if code := api.CodeOf(err); code == api.CodeNotWaiting || in.Confirm {
			return // somebody else was faster, or the session is over and says why
		}
		p.mu.Lock()
		p.e.printf("%v.\nPaste it here:\n", strings.TrimRight(err.Error(), "."))
		p.mu.Unlock()
	}
}

// endNoter notes the end of its reader.
type endNoter struct {
	io.Reader
	ended bool
}

func (r *endNoter) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.ended = r.ended || errors.Is(err, io.EOF)
	return n, err
}

// readJSON reads pasted lines until they are one JSON value, or an empty line ends them.
func (p *pairView) readJSON() (string, error) {
	var text strings.Builder
	for text.Len() < maxResponseRead {
		in := endNoter{Reader: p.e.stdin}
		line, err := readLine(&in)
		if err != nil {
			return "", err
		}
		blank := strings.TrimSpace(line) == ""
		switch {
		case blank && text.Len() == 0 && in.ended:
			return "", errors.New("no passkey's response was given: run it again")
		case blank && text.Len() == 0:
			continue
		case blank:
			return text.String(), nil
		}
		text.WriteString(line + "\n")
		if json.Valid([]byte(text.String())) {
			return text.String(), nil
		}
	}
	return text.String(), nil
}
