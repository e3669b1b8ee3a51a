package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// talk is a pairing session that shows steps, one after the other: behind one that waits for a
// person it goes on once it was continued.
type talk struct {
	steps   []api.PairStep
	refuse  error // what the first continuation gets
	shown   func(api.PairStep)
	answers chan api.ContinuePairing // has room for one
	given   []api.ContinuePairing
	cancels int
}

func (l *talk) Pair(ctx context.Context, _ api.PairRequest, step func(api.PairStep) error) error {
	for _, s := range l.steps {
		if err := step(s); err != nil {
			return err
		}
		if l.shown != nil {
			l.shown(s)
		}
		if s.Step != api.StepPasskey && s.Step != api.StepConfirm {
			continue
		}
		select {
		case in := <-l.answers:
			l.given = append(l.given, in)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *talk) ContinuePairing(ctx context.Context, in api.ContinuePairing) (api.PairStep, error) {
	if in.Cancel {
		l.cancels++
		return api.PairStep{Step: api.StepFailed, Error: api.Errorf(api.CodePairingCancelled, "cancelled")}, ctx.Err()
	}
	if err := l.refuse; err != nil {
		l.refuse = nil
		return api.PairStep{}, err
	}
	l.answers <- in
	return api.PairStep{}, nil
}

// personAt is an env whose person types stdin, and what it prints.
func personAt(stdin string) (*env, *bytes.Buffer) {
	var out bytes.Buffer
	e := newEnv(nil, func(string) string { return "" }, strings.NewReader(stdin), &out, &out)
	e.interactive = true
	return e, &out
}

func passkeyStep() api.PairStep {
	return api.PairStep{Step: api.StepPasskey, ExpiresAt: time.Now().Add(time.Minute), Passkey: &api.PairPasskey{Page: "https://web.whatsapp.com", Script: "run()", Request: []byte("{}")}}
}

// A person pastes the passkey's response, in lines, and once more after a refusal.
func TestPastedPasskey(t *testing.T) {
	link := &talk{
		steps:   []api.PairStep{passkeyStep(), {Step: api.StepLinked, Account: "491515550100@s.whatsapp.net"}},
		refuse:  api.Retryf(api.CodePairingUnavail, "WhatsApp refused it"),
		answers: make(chan api.ContinuePairing, 1),
	}
	e, out := personAt("\n{\"a\":\n1}\n{\n \"b\": 2\n}\n")
	if err := pairOnTerminal(t.Context(), e, link, api.PairRequest{}, ""); err != nil {
		t.Fatal(err)
	}
	if len(link.given) != 1 || strings.TrimSpace(link.given[0].Passkey) != "{\n \"b\": 2\n}" {
		t.Errorf("handed over %+v", link.given)
	}
	for _, want := range []string{"https://web.whatsapp.com", "run()", "WhatsApp refused it.\nPaste it here", "Linked as +491515550100."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// Codes that a person says are different end the view with what to do; the same ones go on.
func TestCodesAreCompared(t *testing.T) {
	for said, linked := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false} {
		link := &talk{
			steps:   []api.PairStep{{Step: api.StepConfirm, Code: "ABCD-1234"}, {Step: api.StepLinked, Account: "1@s.whatsapp.net"}},
			answers: make(chan api.ContinuePairing, 1),
		}
		e, out := personAt(said)
		err := pairOnTerminal(t.Context(), e, link, api.PairRequest{}, "")
		if linked != (err == nil) || linked != strings.Contains(out.String(), "Linked as") {
			t.Errorf("%q: %v\n%s", said, err, out)
		}
		if wanted := map[bool]int{false: 1}[linked]; link.cancels != wanted {
			t.Errorf("%q: the session was cancelled %d times", said, link.cancels)
		}
		if err != nil && !strings.Contains(err.Error(), "Refuse it on the phone") {
			t.Errorf("%q: %v", said, err)
		}
	}
}

// Ctrl-C ends the session and not only the view.
func TestInterruptedPairing(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	link := &talk{steps: []api.PairStep{passkeyStep()}, shown: func(api.PairStep) { interrupt() }}
	e, out := personAt("")
	e.interactive = false // nobody pastes anything
	err := pairOnTerminal(ctx, e, link, api.PairRequest{}, "")
	if codeOf(err) != codeInterrupted || link.cancels != 1 || !strings.Contains(out.String(), "Pairing was given up") || !strings.HasSuffix(out.String(), "Next: waoutbox pair\n") {
		t.Errorf("%v, cancelled %d times:\n%s", err, link.cancels, out)
	}
}

// The code is drawn anew when the window changes, and where it does not fit the lines say what else
// works, within 80 columns.
func TestCodeFitsTheWindow(t *testing.T) {
	e, out := personAt("")
	e.live = true
	cols, rows := 120, 50
	p := &pairView{e: e, ctx: t.Context(), size: func() (int, int) { return cols, rows }}
	if err := p.step(api.PairStep{Step: api.StepQR, QR: "2@" + strings.Repeat("Ab3/", 59), N: 1, Of: 6}); err != nil {
		t.Fatal(err)
	}
	if drawn := strings.Count(out.String(), "\n"); p.drawn != drawn || drawn < 20 {
		t.Errorf("%d rows were drawn, %d are known", drawn, p.drawn)
	}
	for _, window := range [][2]int{{80, 24}, {40, 20}, {120, 30}} {
		out.Reset()
		cols, rows = window[0], window[1]
		p.redraw()
		text := out.String()
		if !strings.HasPrefix(text, "\x1b[2J\x1b[HThe code needs ") || !strings.Contains(text, "pair --phone NUMBER") || !strings.Contains(text, "pair --png FILE") || !strings.Contains(text, "code 1 of 6") {
			t.Errorf("in %v:\n%q", window, text)
		}
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if want := height(append([]string{"x"}, lines[1:]...), cols, 0); window[0] >= 80 && (p.drawn != len(lines) || want != len(lines)) {
			t.Errorf("in %v %d rows are known of %d", window, p.drawn, len(lines))
		}
	}
	out.Reset()
	cols, rows = 100, 60
	p.redraw()
	if !strings.Contains(out.String(), scanHint) {
		t.Errorf("in a large window:\n%q", out.String())
	}
	if got := height([]string{strings.Repeat("x", 81), "\x1b[97mcode"}, 40, 59); got != 5 {
		t.Errorf("wrapped lines take %d rows, want 5", got)
	}
}

// The image is the user's alone, is replaced by each code, and goes at the end; a file that was
// there is left alone.
func TestCodeAsAnImage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "code.png")
	var seen [][]byte
	link := &talk{
		steps: []api.PairStep{{Step: api.StepQR, QR: "2@a"}, {Step: api.StepQR, QR: "2@b"}},
		shown: func(api.PairStep) {
			info, err := os.Stat(path)
			if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("the image is %v, %v", info, err)
			}
			b, err := os.ReadFile(path)
			if err != nil || !bytes.HasPrefix(b, []byte("\x89PNG")) {
				t.Errorf("the image is no PNG: %v", err)
			}
			seen = append(seen, b)
		},
	}
	e, _ := personAt("")
	e.json = true
	if err := pairOnTerminal(t.Context(), e, link, api.PairRequest{}, path); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || bytes.Equal(seen[0], seen[1]) {
		t.Errorf("%d images, or the same one twice", len(seen))
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the image is left: %v", err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pairOnTerminal(t.Context(), e, link, api.PairRequest{}, path); exitCode(err) != exitUsage {
		t.Errorf("a file that is there: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("it is %q now, %v", b, err)
	}
}
