package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/admin"
	"waoutbox/cmd/internal/backup"
	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// backupLine is `backup --json`.
type backupLine struct {
	File      string `json:"file"`
	Bytes     int64  `json:"bytes"`
	Encrypted bool   `json:"encrypted"`
	Key       bool   `json:"key"` // whether the key that opens sealed secrets is in it
}

func newBackupCmd(e *env) *cobra.Command {
	var pass passphraseFlags
	force := false
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the outbox and the settings into one file",
		Long: `Writes the outbox as of one moment (events, webhooks, dead letters, what waits) and the settings into FILE, while the
service runs or without it. Only its owner can read FILE; messages in it are readable as they are unless it has a
passphrase.

With a passphrase FILE is encrypted (age: age --decrypt FILE | tar -x opens it too), and holds the key and the secrets
as well: it is all that another machine needs. Without one the key is left out, so that the sealed secrets of webhooks
stay sealed: keep the file key of the state directory somewhere else.

The link to WhatsApp and the kept media are never in it: after a restore on another machine, pair again.`,
		Example: `  waoutbox backup wa.backup --passphrase-file pass.txt
  waoutbox backup wa-monday.backup --force`,
		Args: arguments(1, 1, "the file to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			if _, err := os.Lstat(file); err == nil && !force {
				return usagef("%s is there already: name another file, or overwrite it with --force", args[0])
			}
			if err := store.CheckDir(e.stateDir); err != nil {
				return explain.State(err)
			}
			passphrase, err := pass.read(e, cmd.Flags(), true)
			if err != nil {
				return err
			}
			return e.backup(cmd.Context(), file, args[0], passphrase)
		},
	}
	pass.add(cmd.Flags(), "encrypt with")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite FILE")
	return cmd
}

func (e *env) backup(ctx context.Context, file, shown, passphrase string) (err error) {
	cfg, err := e.config()
	if err != nil {
		return err
	}
	if passphrase == "" && config.HasProxyCredentials(cfg.WhatsAppProxy) && cfg.From(config.KeyWhatsAppProxy) == config.SourceFile {
		return fmt.Errorf("config.json holds the password of %s as it is. Start the service once, which seals it, or encrypt the backup: %s", config.KeyWhatsAppProxy,
			e.command("backup %s --passphrase", term.Quote(shown)))
	}
	// beside the file: its disk has the room that the file needs, and the outbox's may be full
	copied := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+store.CopySuffix)
	defer func() {
		if rerr := os.Remove(copied); err == nil && rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = rerr
		}
	}()
	if err := e.takeOutbox(ctx, copied); err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok && filepath.Dir(p.Path) == filepath.Dir(file) {
			return fmt.Errorf("%s cannot be written: %s. Name another file", shown, store.Reason(p))
		}
		return err
	}
	sources, err := backup.Sources(e.stateDir, copied, passphrase != "")
	if err != nil {
		return err
	}
	about := backup.About{Version: version, CreatedAt: time.Now().UTC().Truncate(time.Second)}
	var entries []backup.Entry
	size, err := writePrivate(file, func(w io.Writer) (err error) {
		entries, err = backup.Write(w, passphrase, about, sources)
		return err
	})
	if err != nil {
		return explain.Unusable(err, shown+" cannot be written")
	}
	line := backupLine{File: file, Bytes: size, Encrypted: passphrase != "", Key: backup.Backup{Files: entries}.Has(store.KeyFile)}
	if e.json {
		e.printJSON(line)
		return nil
	}
	e.sayBackup(line, shown, entries)
	return nil
}

func (e *env) sayBackup(l backupLine, shown string, entries []backup.Entry) {
	e.printf("Wrote %s  %s: the outbox (%s) and the settings\n", shown, term.Bytes(l.Bytes), term.Bytes(entries[0].Bytes))
	switch {
	case l.Encrypted:
		e.printf("  encrypted; without the passphrase nobody can read it, you included\n")
	default:
		e.printf("  not encrypted: who reads it reads the messages. The key of sealed secrets is not in it;\n")
		e.printf("  keep a copy of %s elsewhere, or use --passphrase\n", e.home(filepath.Join(e.stateDir, store.KeyFile)))
	}
	e.printf("  not in it: the link to WhatsApp and kept media; on another machine, pair again\n")
	e.next("waoutbox restore %s   (when it is needed)", term.Quote(shown))
}

// takeOutbox puts a copy of the outbox into a new file.
func (e *env) takeOutbox(ctx context.Context, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain.Unusable(err, path+" cannot be written")
	}
	b, err := e.connect(ctx, modeDaemon)
	switch {
	case err == nil:
		defer b.close() //nolint:errcheck // there is nothing in it that could be lost
		return fetchOutbox(ctx, b.daemon, path)
	case api.CodeOf(err) != api.CodeServiceUnavail || !e.nobodyOwns():
		return err
	}
	if err := store.CheckOutbox(e.stateDir); err != nil {
		return explain.State(err)
	}
	cfg, err := e.config()
	if err != nil {
		return err
	}
	a, err := openApp(ctx, e.stateDir, cfg, false, e.warningsLog())
	if err != nil {
		return err
	}
	return errors.Join(explain.State(a.db.CopyTo(ctx, path)), a.close())
}

func fetchOutbox(ctx context.Context, d daemonControl, path string) error {
	content, size, err := d.Outbox(ctx)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = writePrivate(path, func(w io.Writer) error {
		n, err := io.Copy(w, content)
		if err == nil && n != size {
			err = io.ErrUnexpectedEOF
		}
		return err
	})
	return err
}

// writePrivate replaces a file, durably, by one that only its owner can read and that write fills,
// and returns its size.
func writePrivate(path string, write func(io.Writer) error) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return 0, err
	}
	err = write(f)
	if info, serr := f.Stat(); serr == nil {
		size = info.Size()
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(f.Name()))
	}
	return size, store.SyncDir(filepath.Dir(path))
}

// copyOutbox returns what gives a command a copy of the outbox while the service runs: a file
// beside it, which is gone when it is closed.
func (a *app) copyOutbox(svc *admin.Service) func(context.Context) (io.ReadCloser, int64, error) {
	return func(ctx context.Context) (content io.ReadCloser, bytes int64, err error) {
		err = svc.Outside(ctx, "backup", func(ctx context.Context) (err error) {
			content, bytes, err = a.openCopy(ctx)
			return err
		})
		return content, bytes, err
	}
}

func (a *app) openCopy(ctx context.Context) (io.ReadCloser, int64, error) {
	path := a.state.Path(store.OutboxFile) + store.CopySuffix
	if err := a.db.CopyTo(ctx, path); err != nil {
		return nil, 0, api.Errorf(api.CodeInternal, "%s", explain.State(err))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	// its name is not needed any more, and a second backup may be made meanwhile
	removed := os.Remove(path)
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return &copyFile{f, path, removed != nil}, info.Size(), nil
}

// copyFile is an open copy. Windows removes no open file.
type copyFile struct {
	*os.File
	path string
	left bool
}

func (c *copyFile) Close() error {
	err := c.File.Close()
	if c.left {
		err = errors.Join(err, os.Remove(c.path))
	}
	return err
}
