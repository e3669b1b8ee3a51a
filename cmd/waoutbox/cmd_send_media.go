package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/attach"
	"waoutbox/outbox/api"
)

func newSendMediaCmd(e *env) *cobra.Command {
	var in api.Send
	var file api.File
	cmd := &cobra.Command{
		Use:   "media TO FILE|URL|-",
		Short: "Send an image, video, recording, document or sticker",
		Long: `Sends a file to a phone number, contact or group. FILE is any that you may read; - reads it from stdin;
what a URL names is fetched by the service, from where webhooks may go. JPEG and PNG go as images, MP4
as video, recordings as audio, the rest as documents, unless --kind says otherwise: voice is a voice
note (Opus in Ogg), sticker a WebP of 512 x 512. With the same --idempotency-key within 24 hours nothing
is sent again.`,
		Example: `  waoutbox send media +491515550100 photo.jpg --caption "look"
  waoutbox send media +491515550100 https://example.com/report.pdf
  tar cz logs | waoutbox send media 120363025846172094@g.us - --filename logs.tgz`,
		Args: arguments(2, 2, "a recipient and a file or URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.To, in.File = args[0], &file
			for _, text := range []struct{ what, value string }{{"caption", file.Caption}, {"file name", file.Name}} {
				if err := checkUTF8(text.what, text.value); err != nil {
					return err
				}
			}
			return e.sendMedia(cmd.Context(), in, args[1])
		},
	}
	cmd.Flags().StringVar(&file.Kind, "kind", "", "image, video, audio, voice, document or sticker (default: as the file is)")
	cmd.Flags().StringVar(&file.Caption, "caption", "", "text that goes with it")
	cmd.Flags().StringVar(&file.Name, "filename", "", "what a document is called (default: as the file is)")
	cmd.Flags().StringVar(&file.MIME, "type", "", "its media type, like application/pdf (default: as the file says)")
	quoteFlag(cmd, &in)
	keyFlag(cmd, &in)
	return cmd
}

// sendMedia sends what from names: a URL, which the service fetches, or a file, which this command
// opens with the rights of whoever runs it.
func (e *env) sendMedia(ctx context.Context, in api.Send, from string) error {
	if scheme, _, ok := strings.Cut(from, "://"); ok && scheme != "" && !strings.ContainsAny(scheme, `/\.`) {
		in.File.URL = from
		return e.send(ctx, in)
	}
	content, err := e.openToSend(from, in.File)
	if err != nil {
		return err
	}
	defer content.Close()
	return e.withService(ctx, modeSpawnExisting, func(svc api.Service) error {
		res, err := svc.SendFile(ctx, in, content)
		if err != nil {
			return err
		}
		e.saySent(in, res)
		return nil
	})
}

// openToSend opens a file, or stdin, and names it.
func (e *env) openToSend(from string, file *api.File) (io.ReadCloser, error) {
	if from == "-" {
		return io.NopCloser(e.stdin), nil
	}
	info, err := os.Stat(from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("there is no file %s", from)
	case err == nil && info.IsDir():
		return nil, usagef("%s is a directory: give one file", from)
	}
	f, err := os.Open(from)
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	if file.Name == "" {
		file.Name = attach.Name(filepath.Base(from))
	}
	return f, nil
}
