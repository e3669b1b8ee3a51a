package media

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Kept are the media that were fetched before anybody asked for them.
type Kept interface {
	// Open returns the file with this SHA-256, after it was checked.
	Open(hash []byte) (file io.ReadCloser, size int64, ok bool)
}

// Fetcher fetches files through a spool.
type Fetcher struct {
	Spool   *Spool
	Servers Servers
}

// FetchMedia is Spool.Fetch.
func (f Fetcher) FetchMedia(ctx context.Context, ref Ref, limit int64) (*File, error) {
	return f.Spool.Fetch(ctx, f.Servers, ref, limit)
}

// Files are the files of message events, for whoever asks for one.
type Files struct {
	Fetcher
	kept Kept
	log  *slog.Logger
}

// NewFiles returns the files that can be fetched, and those of kept, which may be nil.
func NewFiles(from Fetcher, kept Kept, log *slog.Logger) *Files {
	return &Files{Fetcher: from, kept: kept, log: log}
}

// Media returns the file of a message event: the kept one, or fetched from WhatsApp, which for one
// that it has dropped asks the phone. It blocks until the file is here whole and checked; what a
// call that was given up has fetched stays for the next one. Errors are *api.Error, or ctx's.
func (f *Files) Media(ctx context.Context, ev outbox.Event) (api.Media, error) {
	ref, err := Find(ev.Body)
	if err != nil {
		return api.Media{}, api.Errorf(api.CodeInvalidArguments, "%s has no file: it is no message with an image, video, audio, document or sticker that could be fetched", ev.Key).In("id")
	}
	out := api.Media{MediaInfo: api.MediaInfo{
		Event: ev.Key, Message: ref.MessageID, Kind: string(ref.Kind), MIME: ref.MIME, FileName: ref.FileName, SHA256: hex.EncodeToString(ref.Hash),
	}}
	if f.kept != nil {
		if file, size, ok := f.kept.Open(ref.Hash); ok {
			out.Bytes, out.Content = size, file
			return out, nil
		}
	}
	file, err := f.FetchMedia(ctx, ref, 0)
	if err != nil {
		if ctx.Err() != nil {
			return api.Media{}, ctx.Err()
		}
		return api.Media{}, f.explain(err)
	}
	out.Bytes, out.Content = file.Size, &fetched{Reader: file.Open(), file: file}
	return out, nil
}

// fetched is a file of the spool that somebody reads. One that was not read to its end stays there,
// for the next call.
type fetched struct {
	io.Reader
	file  *File
	whole bool
}

func (f *fetched) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	f.whole = f.whole || errors.Is(err, io.EOF)
	return n, err
}

func (f *fetched) Close() error {
	if f.whole {
		return f.file.Close()
	}
	return f.file.Leave()
}

// explain says what a failed fetch means for who asked.
func (f *Files) explain(err error) error {
	var known *api.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, ErrExpired):
		return api.Errorf(api.CodeMediaExpired, "%s. Ask the sender to send it again", err.Error())
	case errors.Is(err, ErrPhoneSilent):
		return api.Retryf(api.CodeMediaUnavailable, "WhatsApp's servers no longer have the file, and the phone did not answer within a minute. Open WhatsApp on the phone, then try again")
	case errors.Is(err, ErrDamaged):
		return api.Errorf(api.CodeMediaUnavailable, "%s. Ask the sender to send it again", err.Error())
	case errors.Is(err, ErrTooLarge):
		return api.Errorf(api.CodeMediaTooLarge, "%s", err.Error())
	case errors.Is(err, ErrUnavailable):
		return api.Retryf(api.CodeMediaUnavailable, "%s. What has come of it stays: try again in a moment", err.Error())
	case errors.Is(err, ErrDiskLow):
		return api.Retryf(api.CodeMediaUnavailable, "%s. Make room on the disk of the state directory, then try again", err.Error())
	}
	f.log.Error("fetching a medium failed", "error", err)
	return api.Retryf(api.CodeMediaUnavailable, "the file could not be fetched; the log says more. Try again")
}
