package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/backup"
	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/rmtree"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/boltbox"
	"waoutbox/store"
)

// restoreLine is `restore --json`.
type restoreLine struct {
	StateDir  string    `json:"state_dir"`
	CreatedAt time.Time `json:"created_at"` // of the backup
	Version   string    `json:"version"`    // of the program that wrote it
	Events    int64     `json:"events"`
	Webhooks  int       `json:"webhooks"`
	Key       string    `json:"key"`                // restored, kept, missing or other
	Replaced  string    `json:"replaced,omitempty"` // directory with what was there before
	Linked    bool      `json:"linked"`             // the link of this state directory stays
}

func newRestoreCmd(e *env) *cobra.Command {
	var pass passphraseFlags
	yes := false
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put the outbox and the settings of a backup back",
		Long: `Checks FILE from end to end and puts the outbox and the settings in it into the state directory, which must be empty or
whose service must be stopped. Killed at any moment it leaves what was there before, or what was in FILE. What was there
before is kept beside it, in a directory whose name begins with replaced-.

Events between the backup and now are not in it: WhatsApp was told that they are kept, and does not send them again. What
was delivered meanwhile may be delivered once more, with the ids it had.

A link that the state directory has stays as it is. On another machine there is none: pair again.`,
		Example: `  waoutbox restore wa.backup --passphrase-file pass.txt
  waoutbox --state-dir /srv/wa restore wa.backup`,
		Args: arguments(1, 1, "the file of a backup"),
		RunE: func(cmd *cobra.Command, args []string) error {
			passphrase, err := pass.read(e, cmd.Flags(), false)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return usagef("the backup cannot be read: %s: %s", args[0], store.Reason(err))
			}
			defer f.Close()
			return e.restore(cmd.Context(), f, passphrase, yes)
		},
	}
	pass.add(cmd.Flags(), "decrypt with")
	cmd.Flags().BoolVar(&yes, "yes", false, "replace the outbox that is there without asking")
	return cmd
}

func (e *env) restore(ctx context.Context, f *os.File, passphrase string, yes bool) (err error) {
	if err := e.checkStateDir(); err != nil {
		return err
	}
	// Where nobody had a state, none is begun before the file was checked: a refused one leaves
	// nothing behind.
	_, lockErr := os.Lstat(filepath.Join(e.stateDir, store.LockFile))
	first := errors.Is(lockErr, fs.ErrNotExist)
	var state *store.State // nil until it is owned
	defer func() {
		if state != nil {
			err = errors.Join(err, state.Close())
		}
	}()
	if !first {
		if state, err = e.ownForRestore(ctx); err != nil {
			return err
		}
	}
	there := e.hasOutbox()
	if there && !yes {
		if err := e.confirm("replace the outbox and the settings in " + e.home(e.stateDir) + "; what is there is kept beside them"); err != nil {
			return err
		}
	}
	place := backup.Staged
	if first {
		place = backup.Apart
	}
	staged, err := place(e.stateDir)
	if err != nil {
		return explain.Unusable(err, "the backup cannot be taken out of its file")
	}
	defer rmtree.Remove(staged) //nolint:errcheck // the next restore throws it away
	b, err := backup.Extract(f, passphrase, staged)
	if err != nil {
		return e.unfitBackup(f.Name(), err)
	}
	line, err := e.checkStaged(ctx, staged, b)
	if err != nil {
		return e.unfitBackup(f.Name(), err)
	}
	if first {
		if state, err = e.ownForRestore(ctx); err != nil {
			return err
		}
		if !there && e.hasOutbox() {
			return fmt.Errorf("nothing was changed: somebody began a state in %s meanwhile. Run it again to replace that", e.home(e.stateDir))
		}
		if err := backup.Take(staged, e.stateDir); err != nil {
			return explain.Unusable(err, "nothing was changed; the backup cannot be put in its place")
		}
	}
	none := func(string) {}
	if err := backup.Commit(e.stateDir, none); err != nil {
		return explain.Unusable(err, "nothing was changed; the backup cannot be put in its place")
	}
	if line.Replaced, err = backup.Finish(e.stateDir, time.Now(), none); err != nil {
		return explain.Unusable(err, "the backup is not wholly in its place, the next command goes on with that")
	}
	_, link := os.Lstat(state.Path(store.WhatsAppFile))
	line.Linked = link == nil
	e.sayRestored(line)
	return nil
}

// ownForRestore takes the state, which no service may have meanwhile. Without an error it is not
// nil.
func (e *env) ownForRestore(ctx context.Context) (*store.State, error) {
	state, err := store.OpenState(ctx, e.stateDir, store.Options{Version: version})
	if errors.Is(err, store.Owned) {
		return nil, fmt.Errorf("the service must not run meanwhile: %w. Stop it: %s", err, e.command("stop"))
	}
	if err != nil {
		return nil, explain.State(err)
	}
	return state, nil
}

// hasOutbox reports whether there is an outbox to be replaced.
func (e *env) hasOutbox() bool {
	_, err := os.Lstat(filepath.Join(e.stateDir, store.OutboxFile))
	return err == nil
}

// unfitBackup says what is wrong with a file, of which nothing was restored.
func (e *env) unfitBackup(name string, err error) error {
	shown := term.Quote(name)
	switch {
	case errors.Is(err, backup.ErrPassphraseNeeded):
		return usagef("%s is encrypted: give its passphrase: %s", name, e.command("restore %s --passphrase", shown))
	case errors.Is(err, backup.ErrWrongPassphrase):
		return usagef("%s: %v. Nothing was changed", name, err)
	case errors.Is(err, backup.ErrNoBackup), errors.Is(err, backup.ErrDamaged), errors.Is(err, store.Damaged):
		return fmt.Errorf("%s cannot be restored: %w. Nothing was changed; try another backup", name, err)
	}
	return fmt.Errorf("nothing was changed: %w", explain.Unusable(err, name+" cannot be restored"))
}

// checkStaged opens the outbox of a backup, reads all of it, and makes it this machine's.
func (e *env) checkStaged(ctx context.Context, staged string, b backup.Backup) (line restoreLine, err error) {
	path := filepath.Join(staged, store.OutboxFile)
	line = restoreLine{StateDir: e.stateDir, CreatedAt: b.CreatedAt, Version: b.Version}
	if !b.Has(store.OutboxFile) {
		return line, fmt.Errorf("%w: there is no outbox in it", backup.ErrDamaged)
	}
	db, err := store.Open(path, store.DBOptions{Schema: boltbox.Schema(), Log: e.warningsLog()})
	if err != nil {
		return line, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Check(ctx, nil); err != nil {
		return line, err
	}
	if err := boltbox.SkipSequences(ctx, db, skipped(b.CreatedAt, time.Now())); err != nil {
		return line, err
	}
	box, err := boltbox.Open(ctx, db, boltbox.Options{Log: e.warningsLog()})
	if err != nil {
		return line, err
	}
	if err := renewRestored(ctx, box); err != nil {
		return line, err
	}
	line.Key = e.keyOf(db, staged, b)
	subs, err := box.Subs(ctx)
	if err != nil {
		return line, err
	}
	st, err := box.Stats(ctx)
	line.Webhooks, line.Events = len(subs), st.Events
	return line, err
}

const (
	// skipLeast is how many sequences a restored outbox does not give out at least, and
	// skipPerSecond how many more for each second since the backup was made: more than events can
	// have come since.
	skipLeast     = 1 << 20
	skipPerSecond = 8
)

// skipped is how many sequences after a backup may have been given out, by what was lost and by
// what was restored from it before.
func skipped(created, now time.Time) uint64 {
	return skipLeast + skipPerSecond*uint64(max(0, now.Sub(created))/time.Second)
}

// renewRestored is called with an outbox that was restored and is in no use yet: what must not be
// the same in two outboxes that came of one gets a new value here.
func renewRestored(ctx context.Context, box *boltbox.Box) error {
	svc := admin.New(admin.Options{Engine: box, Caller: ownCommand})
	if err := svc.Outside(ctx, "restore", svc.EndRestoredLeases); err != nil {
		return err
	}
	return box.RenewState(ctx)
}

// keyOf says whether the key that will lie beside a restored outbox opens what is sealed in it.
func (e *env) keyOf(db *store.DB, staged string, b backup.Backup) string {
	path, word := filepath.Join(e.stateDir, store.KeyFile), "kept"
	if b.Has(store.KeyFile) {
		path, word = filepath.Join(staged, store.KeyFile), "restored"
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return "missing"
	}
	key, err := store.OpenKey(path, true)
	if err == nil {
		_, err = db.CheckKey(key)
	}
	if err != nil {
		return "other"
	}
	return word
}

func (e *env) sayRestored(l restoreLine) {
	if e.json {
		e.printJSON(l)
		return
	}
	e.printf("Restored to %s  %s, %s, as of %s\n", e.home(l.StateDir), term.Plural(l.Events, "event", "events"), term.Plural(int64(l.Webhooks), "webhook", "webhooks"), e.clock(l.CreatedAt))
	switch l.Key {
	case "missing", "other":
		e.printf("  %s\n", e.style.Yellow("the key that sealed its secrets and settings is not here: its webhooks are held, unsigned ones too, until the file key is put back"))
	}
	if l.Replaced != "" {
		e.printf("  what was there before is in %s; remove it when it is not needed any more\n", e.home(l.Replaced))
	}
	if l.Linked {
		e.printf("  the link to WhatsApp stays as it was\n")
		e.next("waoutbox start")
		return
	}
	e.printf("  no account is linked here\n")
	e.next("waoutbox pair")
}

// finishRestore puts the files of a restore in their places that was cut off there. Nothing is
// opened before.
func (e *env) finishRestore() (err error) {
	if !backup.Pending(e.stateDir) {
		return nil
	}
	state, err := store.OpenState(context.Background(), e.stateDir, store.Options{Version: version})
	if err != nil {
		return explain.State(err)
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	if !backup.Pending(e.stateDir) { // somebody else did
		return nil
	}
	if _, err := backup.Finish(e.stateDir, time.Now(), func(string) {}); err != nil {
		return explain.Unusable(err, "a restore was cut off and cannot be finished")
	}
	e.note("A restore that was cut off is finished: the state is that of the backup.")
	return nil
}
