package connection

import (
	"context"
	"errors"
	"io"
	"time"

	"waoutbox/connection/compose"
	"waoutbox/connection/media"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// SendFile sends a file as Send does, with the content that it reads: encrypted into the spool as
// it comes, and uploaded from there. It reads nothing when the request cannot be served, and sends
// nothing unless it has read all. The same file under another path is the same content.
func (c *Client) SendFile(ctx context.Context, in api.Send, content io.Reader, record ...outbox.SendRecorder) (api.SendResult, error) {
	if in.File == nil {
		return api.SendResult{}, api.Errorf(api.CodeInvalidArguments, "the request names no file").In("file")
	}
	req, err := compose.Parse(in)
	if err != nil {
		return api.SendResult{}, err
	}
	if c.o.Spool == nil {
		return api.SendResult{}, api.Errorf(api.CodeMediaUnavailable, "files are not sent here")
	}
	if _, err := c.connected(ctx); err != nil {
		return api.SendResult{}, err
	}
	sealed, err := c.o.Spool.Prepare(ctx, media.Asked{Kind: media.Kind(in.File.Kind), MIME: in.File.MIME, Name: in.File.Name}, content)
	if err != nil {
		return api.SendResult{}, c.unreadable(ctx, err)
	}
	return c.run(ctx, req.WithFile(compose.Attachment{Sealed: sealed, Upload: func(ctx context.Context) (media.Uploaded, error) {
		at, err := sealed.Upload(ctx, c.media, func(nth int) time.Duration { return time.Duration(nth) * time.Second })
		return at, uploadError(err)
	}}), record)
}

// giveBack closes what a request holds.
func (c *Client) giveBack(req compose.Request) {
	if err := req.Close(); err != nil {
		c.log.Warn("a sent file stays in the spool until the next start", "error", err)
	}
}

// unreadable says why a file that is to be sent could not be taken.
func (c *Client) unreadable(ctx context.Context, err error) error {
	var known *api.Error
	switch {
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, media.ErrTooLarge):
		return api.Errorf(api.CodeMediaTooLarge, "nothing was sent: the file is larger than WhatsApp takes (2 GB)")
	case errors.Is(err, media.ErrDiskLow):
		return api.Retryf(api.CodeMediaUnavailable, "nothing was sent: %s. Make room on the disk of the state directory, then try again", err)
	}
	c.log.Error("a file could not be taken to be sent", "error", err)
	return api.Retryf(api.CodeMediaUnavailable, "nothing was sent: the file could not be read whole, or not be kept while it is sent; the log says more")
}

// uploadError says why a file could not be uploaded: then nothing was sent.
func uploadError(err error) error {
	var known *api.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if errors.Is(err, media.ErrUnavailable) {
		return api.Retryf(api.CodeMediaUnavailable, "nothing was sent: the file could not be uploaded (%s). Try again in a moment", masked(err.Error()))
	}
	return err
}
