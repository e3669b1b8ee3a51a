package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"waoutbox/connection/wasim"
)

// playAddress is where `wasim play` listens, and where env, scan and say look for it.
const playAddress = "127.0.0.1:7710"

// playPeople is who is there to play with.
var playPeople = [...]string{
	"--account", "491515550100:Alice", "--contact", "Bob:15550100123", "--contact", "Carol:15550100456", "--group", "Team:Bob,Carol",
}

const playGuide = `A WhatsApp server on this machine, with Alice's phone, Bob, Carol and the group Team. No phone, no internet.

In another terminal, a line each:
  %-35s  waoutbox uses this server, and a state directory of its own
  waoutbox start
  waoutbox pair --json | wasim scan    Alice's phone scans the code
  wasim say Bob hello                  Bob writes
  waoutbox event list
  wasim ctl GET /                      what else can happen
When you are done: waoutbox stop, and Ctrl-C here.
`

// play runs the simulator with people to play with, and says what to type.
func play(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("play takes no arguments; %w", errUsage)
	}
	ready := &guide{out: stdout}
	if err := serve(ctx, append([]string{"--listen", playAddress}, playPeople[:]...), ready, stderr); err != nil {
		return fmt.Errorf("%w (does another wasim play run?)", err)
	}
	return nil
}

// guide shows the guide in the place of the line that scripts read.
type guide struct{ out io.Writer }

func (g *guide) Write(b []byte) (int, error) {
	if _, err := fmt.Fprintf(g.out, playGuide, envCommand()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// envCommand is how a shell takes the settings that env prints.
func envCommand() string {
	if runtime.GOOS == "windows" {
		return "wasim env | Invoke-Expression"
	}
	return `eval "$(wasim env)"`
}

// playURL is the control API to talk to: WASIM_URL, else that of `wasim play`.
func playURL(getenv func(string) string) string {
	if url := getenv("WASIM_URL"); url != "" {
		return url
	}
	return "http://" + playAddress + "/control/v1"
}

// printEnv prints the settings with which waoutbox uses the simulator, for a shell.
func printEnv(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("env takes no arguments; %w", errUsage)
	}
	response, err := call(ctx, playURL(getenv), "GET", "/server", nil)
	if err != nil {
		return err
	}
	var at wasim.Info
	if err := json.Unmarshal(response, &at); err != nil || len(at.RootKey) != 64 {
		return fmt.Errorf("no simulator responds at %s: %s", playURL(getenv), response)
	}
	// A state belongs to one server: each run of the simulator has a key of its own, and so a
	// directory.
	dir := filepath.Join(os.TempDir(), "waoutbox-play-"+at.RootKey[:12])
	format := "export WAOUTBOX_STATE_DIR='%s' WAOUTBOX_WHATSAPP_URL='%s' WAOUTBOX_WHATSAPP_ROOT_KEY='%s'\n"
	if runtime.GOOS == "windows" { // PowerShell
		format = "$env:WAOUTBOX_STATE_DIR = '%s'; $env:WAOUTBOX_WHATSAPP_URL = '%s'; $env:WAOUTBOX_WHATSAPP_ROOT_KEY = '%s'\n"
	}
	_, err = fmt.Fprintf(stdout, format, dir, at.URL, at.RootKey)
	return err
}

// scan lets the phone scan the first code of what `waoutbox pair --json` prints, and reads on to
// its end, so that the pairing goes on.
func scan(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("scan", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	account := flags.String("account", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return fmt.Errorf("scan reads what `waoutbox pair --json` prints; %w", errUsage)
	}
	scanned := false
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		var step struct{ Step, QR, Account string }
		if json.Unmarshal(lines.Bytes(), &step) != nil {
			continue
		}
		switch {
		case step.QR != "" && !scanned:
			scanned = true
			if err := scanCode(ctx, playURL(getenv), *account, step.QR); err != nil {
				return err
			}
			fmt.Fprintln(stdout, "The phone scanned the code.")
		case step.Step == "linked":
			fmt.Fprintf(stdout, "Linked: %s\n", step.Account)
			return nil
		}
	}
	if !scanned {
		return errors.New("no code came: pipe the output of `waoutbox pair --json` into it")
	}
	return errors.New("the code was scanned, and no account was linked")
}

func scanCode(ctx context.Context, url, account, qr string) error {
	body := map[string]any{"qr": qr}
	if account != "" {
		body["account"] = account
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = call(ctx, url, "POST", "/scan", b)
	return err
}

// sayWait is how long say waits for waoutbox to take the message.
const sayWait = 5 * time.Second

// say lets a contact write to the account, and waits for a moment until waoutbox has the message.
func say(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) < 2 {
		return fmt.Errorf("say takes a contact and a text; %w", errUsage)
	}
	text := strings.Join(args[1:], " ")
	b, err := json.Marshal(map[string]any{"from": args[0], "text": text})
	if err != nil {
		return err
	}
	if _, err := call(ctx, playURL(getenv), "POST", "/messages", b); err != nil {
		return err
	}
	note := ""
	waiting, cancel := context.WithTimeout(ctx, sayWait)
	defer cancel()
	if _, err := call(waiting, playURL(getenv), "GET", "/wait?for=drained", nil); err != nil {
		note = "  (waoutbox has not taken it yet)"
	}
	_, err = fmt.Fprintf(stdout, "%s wrote: %s%s\n", args[0], text, note)
	return err
}
