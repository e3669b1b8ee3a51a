package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newMediaCmd(e *env) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "media",
		Short: "Fetch the images, documents and recordings of messages",
	})
	cmd.AddCommand(newMediaGetCmd(e))
	return cmd
}

func newMediaGetCmd(e *env) *cobra.Command {
	var out string
	var force bool
	cmd := &cobra.Command{
		Use:   "get EVENT",
		Short: "Save the file of a message",
		Long: `Fetches the image, video, audio, document or sticker of a message, decrypts it, checks it and saves it.
EVENT is the event of the message (evt_…), its sequence, or WhatsApp's id of the message. Without
--output the file is named by the event in this directory: the name that its sender gave is only shown.
A file that WhatsApp has dropped is asked for at the phone. A fetch that was cut off goes on where it
stopped when the command is run again.`,
		Example: `  waoutbox media get evt_ca2a0f5c91b7d24e
  waoutbox media get 3A5F0C91B7D24E68A115 --output invoice.pdf
  waoutbox media get 18204 --output - | file -`,
		Args: arguments(1, 1, "the event of one message (evt_…), or the id of the message"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "-" && e.json {
				return usagef("--output - writes the file to stdout, where --json writes its description: leave one of them out")
			}
			return e.withService(cmd.Context(), modeSpawnExisting, func(svc api.Service) error { return e.getMedia(cmd.Context(), svc, args[0], out, force) })
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "where to save it: a file, a directory, or - for stdout")
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that is there")
	return cmd
}

// savedMedia is what --json prints.
type savedMedia struct {
	api.MediaInfo
	Path string `json:"path"`
}

func (e *env) getMedia(ctx context.Context, svc api.Service, ref, out string, force bool) error {
	// before anything is fetched
	if info, err := os.Lstat(out); err == nil && out != "-" && !info.IsDir() && !force {
		return thereAlready(out)
	}
	if info, err := os.Stat(filepath.Dir(out)); err != nil || !info.IsDir() {
		return usagef("%s cannot be saved: there is no directory %s. Make it, or give another place with --output", out, filepath.Dir(out))
	}
	answered := e.sayAfter(patience, "WhatsApp is being asked for the file, and the phone where WhatsApp has dropped it: that can take a minute.")
	m, err := svc.Media(ctx, ref)
	answered()
	if err != nil {
		return err
	}
	defer m.Content.Close()
	if out == "-" {
		return copyMedia(e.stdout, m)
	}
	path, err := mediaPath(out, m.MediaInfo, force)
	if err != nil {
		return err
	}
	if err := saveMedia(path, m); err != nil {
		return err
	}
	if e.json {
		e.printJSON(savedMedia{m.MediaInfo, path})
		return nil
	}
	e.printf("Saved %s  %s, %s", term.Clean(path), m.Kind, term.Bytes(m.Bytes))
	if m.MIME != "" {
		e.printf(", %s as its sender says", term.Clean(m.MIME))
	}
	if m.FileName != "" {
		e.printf(", named %q", term.Clean(m.FileName))
	}
	e.printf("\n")
	e.next("waoutbox event show %s", term.Quote(m.Event))
	return nil
}

// patience is how long a command waits without a word for WhatsApp, or for the phone.
const patience = 3 * time.Second

// sayAfter writes a line to stderr after d, unless the function it returns is called before.
func (e *env) sayAfter(d time.Duration, line string) (answered func()) {
	if e.json {
		return func() {}
	}
	said := make(chan struct{})
	timer := time.AfterFunc(d, func() {
		defer close(said)
		e.note("%s", line)
	})
	return func() {
		if !timer.Stop() {
			<-said
		}
	}
}

// extensions are the endings that files get of themselves. What a sender says chooses among these
// and makes none.
var extensions = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif",
	"video/mp4": ".mp4", "video/3gpp": ".3gp", "audio/ogg": ".ogg", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/aac": ".aac", "audio/amr": ".amr",
	"application/pdf": ".pdf", "text/plain": ".txt", "text/csv": ".csv", "application/zip": ".zip",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   ".docx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         ".xlsx",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
}

// mediaPath is where a file is saved.
func mediaPath(out string, m api.MediaInfo, force bool) (string, error) {
	base, _, _ := strings.Cut(strings.ToLower(m.MIME), ";")
	ext, known := extensions[strings.TrimSpace(base)]
	if !known {
		ext = ".bin"
	}
	name := strings.Map(func(r rune) rune { // an event's id is ours, and letters and digits only
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, m.Event) + ext
	path := out
	info, err := os.Stat(out)
	switch {
	case out == "":
		path = name
	case err == nil && info.IsDir():
		path = filepath.Join(out, name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("save the file: %w", err)
	}
	if _, err := os.Lstat(path); err == nil && !force {
		return "", thereAlready(path)
	}
	return path, nil
}

func thereAlready(path string) error {
	return usagef("%s is there already: give another place with --output, or add --force to replace it", path)
}

// saveMedia writes the file beside its place and moves it there once it is whole.
func saveMedia(path string, m api.Media) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".waoutbox-*") // 0600
	if err != nil {
		return fmt.Errorf("save the file: %w", err)
	}
	err = copyMedia(tmp, m)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the first error says more
	}
	return err
}

// copyMedia copies the file and checks that it is the one.
func copyMedia(w io.Writer, m api.Media) error {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), m.Content)
	if err != nil {
		return err
	}
	if n != m.Bytes || hex.EncodeToString(sum.Sum(nil)) != m.SHA256 {
		return errors.New("the file did not arrive as the service checked it; run the command again")
	}
	return nil
}
