package media

import (
	"bufio"
	"context"
	"errors"
	"io"

	"waoutbox/outbox/api"
)

// Asked is what is asked of a file that is to be sent; all of it may be empty.
type Asked struct {
	Kind  Kind   // as the file is
	MIME  string // as the file says
	Name  string // the file's own name: its ending tells a type
	Limit int64  // bytes, 0: what WhatsApp allows
}

// Prepare is Seal for a file of which it first tells what it is, with the thumbnail of a picture.
// One picture at a time is decoded. A file that is not what it is asked to be is an *api.Error.
func (s *Spool) Prepare(ctx context.Context, asked Asked, from io.Reader) (*Sealed, error) {
	in := bufio.NewReaderSize(&source{ctx: ctx, from: from, left: maxFile}, lookAt)
	head, err := in.Peek(lookAt)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(head) == 0 {
		return nil, api.Errorf(api.CodeInvalidArguments, "nothing was sent: the file is empty, and WhatsApp shows no empty files").In("file")
	}
	looks, err := recognise(head, asked.Name, asked.Kind, asked.MIME)
	if err != nil {
		return nil, err
	}
	var first []byte
	if looks.Kind == Image {
		first = append(first, head...)
	}
	var length opusLength
	content := io.Reader(in)
	if looks.Kind == Voice || looks.Kind == Audio {
		content = io.TeeReader(in, &length)
	}
	out, err := s.Seal(ctx, looks.Kind, content, asked.Limit)
	if err != nil {
		return nil, err
	}
	looks.Seconds = length.seconds()
	out.Looks = looks
	if looks.Kind == Image {
		s.decoding.Lock()
		defer s.decoding.Unlock()
		out.Looks = picture(looks, first, out.Size, out.Open)
	}
	return out, nil
}
