package admin

import (
	"context"
	"io"
	"strings"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Files are the files of message events.
type Files interface {
	// Media returns the file of a message event, kept or fetched. Content must be closed.
	Media(ctx context.Context, ev outbox.Event) (api.Media, error)
}

// Media returns the file of a message.
func (s *Service) Media(ctx context.Context, ref string) (api.Media, error) {
	if err := s.noLink(); err != nil {
		return api.Media{}, err
	}
	if s.o.Files == nil {
		return api.Media{}, api.Errorf(api.CodeMediaUnavailable, "this service fetches no media")
	}
	ev, err := s.findMessage(ctx, strings.TrimSpace(ref))
	if err != nil {
		return api.Media{}, err
	}
	return s.o.Files.Media(ctx, ev)
}

// findMessage returns the event that ref names, by the message's own id too.
func (s *Service) findMessage(ctx context.Context, ref string) (outbox.Event, error) {
	ev, err := s.findEvent(ctx, ref)
	if api.CodeOf(err) != api.CodeInvalidArguments && api.CodeOf(err) != api.CodeNotFound || strings.HasPrefix(ref, eventPrefix) || ref == "" {
		return ev, err
	}
	found, ok, err := s.eventOf(ctx, 0, func(ev outbox.Event) bool { return ev.Message == ref })
	if err != nil {
		return ev, apiError(err, "read the message")
	}
	if !ok {
		return ev, api.Errorf(api.CodeNotFound, "no message %q among the events that are kept: give the id of its event (evt_…), its sequence, or WhatsApp's id of it. See: %s", ref, s.command("event list"))
	}
	return found, nil
}

// Sources open the files that a request names by path or URL.
type Sources interface {
	// Name is what the file is called.
	Name(in api.File) string
	// Open opens one; byUser: it is the user who asks for it, at the command line.
	Open(ctx context.Context, in api.File, byUser bool) (io.ReadCloser, error)
}

// SendFile sends a file with the content that it reads.
func (s *Service) SendFile(ctx context.Context, in api.Send, content io.Reader) (out api.SendResult, err error) {
	defer func() { s.sent(ctx, in, &out, &err) }()
	if err := s.noLink(); err != nil {
		return api.SendResult{}, err
	}
	return s.o.Link.SendFile(ctx, in, content, s.sendRecorder(ctx, in))
}

// sendNamedFile sends the file that a request names.
func (s *Service) sendNamedFile(ctx context.Context, in api.Send) (api.SendResult, error) {
	if s.o.Sources == nil {
		return api.SendResult{}, api.Errorf(api.CodePathNotAllowed, "this service opens no files")
	}
	file := *in.File
	if file.Name == "" {
		file.Name = s.o.Sources.Name(file)
	}
	in.File = &file
	byUser := s.asks(ctx).Kind == api.CallerCLI
	content := &opened{open: func() (io.ReadCloser, error) { return s.o.Sources.Open(ctx, file, byUser) }}
	defer content.close()
	return s.o.Link.SendFile(ctx, in, content, s.sendRecorder(ctx, in))
}

// opened is a file that is opened when it is read first: what else is wrong with the request is
// found before.
type opened struct {
	open func() (io.ReadCloser, error)
	file io.ReadCloser
	err  error
}

func (o *opened) Read(p []byte) (int, error) {
	if o.file == nil && o.err == nil {
		o.file, o.err = o.open()
	}
	if o.err != nil {
		return 0, o.err
	}
	return o.file.Read(p)
}

func (o *opened) close() {
	if o.file != nil {
		_ = o.file.Close() // it was only read
	}
}
