package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
	"waoutbox/store/device"
)

// How a finding stands.
const (
	findingOK      = "ok"
	findingWarning = "warning" // nothing fails of it yet
	findingProblem = "problem"
	findingSkipped = "skipped"
)

// doctorFinding is one line of `doctor --json`.
type doctorFinding struct {
	Check   string `json:"check"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Mend    string `json:"mend,omitempty"` // what to do, often a command
}

// quarantinedLine is `doctor --quarantine --json`.
type quarantinedLine struct {
	Moved  string `json:"moved"`  // where the damaged file is now
	Reason string `json:"reason"` // what is wrong with it
}

func newDoctorCmd(e *env) *cobra.Command {
	var offline, quarantine bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at everything that could be wrong, and say how to mend it",
		Long: `Looks at the state directory and who may read it, the service and its sockets, every record of the outbox, free space,
the clock, this program's age, the way to WhatsApp and to each webhook (a TLS handshake; no event is sent), and the
alarms. Works while the service runs and without it. Exits 1 when something is wrong; warnings alone exit 0.

--quarantine moves an outbox.db or a whatsapp.db that is damaged aside, under another name, and does nothing else: then
restore a backup or begin an empty outbox, or link the account again.`,
		Example: `  waoutbox doctor
  waoutbox doctor --offline --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if quarantine {
				return e.quarantine(cmd.Context())
			}
			return e.doctor(cmd.Context(), !offline)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "call neither WhatsApp nor the webhooks")
	cmd.Flags().BoolVar(&quarantine, "quarantine", false, "move a damaged outbox.db or whatsapp.db aside")
	return cmd
}

func (e *env) doctor(ctx context.Context, network bool) error {
	d := &examining{e: e, network: network}
	d.all(ctx)
	counts := map[string]int{}
	for _, f := range d.found {
		counts[f.Status]++
		if e.json {
			e.printJSON(f)
		} else {
			e.sayFinding(f)
		}
	}
	problems, warnings := counts[findingProblem], counts[findingWarning]
	if !e.json {
		switch {
		case problems > 0:
			e.printf("\n%s, %s.\n", e.style.Red(term.Plural(int64(problems), "problem", "problems")), term.Plural(int64(warnings), "warning", "warnings"))
		case warnings > 0:
			e.printf("\nNo problem, %s.\n", term.Plural(int64(warnings), "warning", "warnings"))
		default:
			e.printf("\n%s\n", e.style.Green("All is well."))
		}
		if problems == 0 {
			e.next("waoutbox status")
		}
	}
	if problems > 0 {
		return &resultError{exitFailed}
	}
	return nil
}

func (e *env) sayFinding(f doctorFinding) {
	word := map[string]string{findingOK: e.style.Green("ok     "), findingWarning: e.style.Yellow("WARNING"), findingProblem: e.style.Red("PROBLEM"), findingSkipped: "skipped"}[f.Status]
	const hang = 21 // where the message begins
	e.printWrapped(hang, "%s  %-10s  %s", word, f.Check, term.Clean(f.Message))
	if f.Mend != "" {
		e.printWrapped(hang, "%*s%s", hang, "", f.Mend)
	}
}

// quarantine moves an outbox and a device store aside that are damaged. What can be used stays
// where it is.
func (e *env) quarantine(ctx context.Context) (err error) {
	if err := e.checkStateDir(); err != nil {
		return err
	}
	if err := store.CheckOutbox(e.stateDir); err != nil {
		return explain.State(err)
	}
	state, err := store.OpenState(ctx, e.stateDir, store.Options{Version: version})
	if err != nil {
		return explain.State(err)
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	outboxFile, deviceFile := state.Path(store.OutboxFile), state.Path(store.WhatsAppFile)
	link := device.Check(ctx, deviceFile)
	if link != nil && !errors.Is(link, device.ErrDamaged) {
		return link
	}
	_, missing := os.Lstat(outboxFile)
	if missing != nil && link == nil {
		return explain.Unusable(missing, "there is no "+outboxFile+" to move")
	}
	var outbox error
	if missing == nil {
		outbox = e.unfit(ctx, outboxFile)
	}
	switch {
	case outbox == nil && link == nil:
		return fmt.Errorf("%s was read from end to end and is whole, and %s too: nothing was moved", outboxFile, store.WhatsAppFile)
	case outbox != nil && !errors.Is(outbox, store.Damaged):
		return explain.State(outbox)
	}
	if outbox != nil {
		if err := e.setAside(outbox, outboxFile); err != nil {
			return err
		}
	}
	if link != nil {
		if err := e.setAside(link, deviceFile, deviceFile+"-wal", deviceFile+"-shm"); err != nil {
			return err
		}
	}
	if e.json {
		return nil
	}
	if outbox != nil {
		e.printf("  Without a backup, an empty outbox: %s\n", e.command("serve --new-outbox"))
		e.next("waoutbox restore FILE")
		return nil
	}
	e.printf("  The account must be linked again; webhooks, events and dead letters stay.\n")
	e.next("waoutbox start")
	return nil
}

// setAside gives damaged files other names, and says so of the first; the others may be missing.
func (e *env) setAside(why error, paths ...string) error {
	suffix := ".damaged-" + time.Now().UTC().Format("20060102-150405")
	for i, path := range paths {
		if err := os.Rename(path, path+suffix); err != nil && (i == 0 || !errors.Is(err, os.ErrNotExist)) {
			return explain.Unusable(err, path+" cannot be moved")
		}
	}
	if err := store.SyncDir(e.stateDir); err != nil {
		return err
	}
	aside := paths[0] + suffix
	reason, _ := parted(why.Error())
	if e.json {
		e.printJSON(quarantinedLine{aside, reason})
		return nil
	}
	e.printf("Moved to %s\n  %s\n", e.home(aside), term.Clean(reason))
	return nil
}

// unfit returns why an outbox cannot be used, or has a page that cannot be read. One that is empty
// has a key or a device store beside it, or there would be no state.
func (e *env) unfit(ctx context.Context, path string) (err error) {
	dir := filepath.Dir(path)
	beside := []string{filepath.Join(dir, store.KeyFile), filepath.Join(dir, store.WhatsAppFile)}
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), Log: e.warningsLog(), Companions: beside})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.Check(ctx, nil)
	return err
}
