package compose

import (
	"context"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"waoutbox/connection/media"
	"waoutbox/outbox/api"
)

// Limits of what goes with a file.
const (
	maxCaption  = 1024 // characters
	maxFileName = 200  // characters
	maxType     = 127  // bytes
)

// Attachment is the content of a file, encrypted and not yet uploaded.
type Attachment struct {
	Sealed *media.Sealed
	Upload func(ctx context.Context) (media.Uploaded, error)
}

// file is an image, video, recording, document or sticker.
type file struct {
	api.File
	quotedID string
	content  Attachment
}

func (f file) check() error {
	if err := checkShort("caption", "file.caption", f.Caption, maxCaption); err != nil {
		return err
	}
	if err := checkShort("file name", "file.name", f.Name, maxFileName); err != nil {
		return err
	}
	kind := media.Kind(f.Kind)
	switch {
	case f.Kind != "" && kind.Type() == "":
		return api.Errorf(api.CodeInvalidArguments, "%q is no kind of file: give image, video, audio, voice, document or sticker, or none to go by the file", shorten(f.Kind)).In("file.kind")
	case strings.ContainsAny(f.Name, "/\\\x00\r\n"):
		return api.Errorf(api.CodeInvalidArguments, "the file name %q has a slash or a line break in it: give the name alone", shorten(f.Name)).In("file.name")
	case f.MIME != "" && !isMediaType(f.MIME):
		return api.Errorf(api.CodeInvalidArguments, "%q is no media type such as application/pdf", shorten(f.MIME)).In("file.mimetype")
	}
	return f.checkCaption(kind)
}

// checkCaption refuses a caption where nobody would see it.
func (f file) checkCaption(kind media.Kind) error {
	if f.Caption != "" && (kind == media.Audio || kind == media.Voice || kind == media.Sticker) {
		return api.Errorf(api.CodeInvalidArguments, "WhatsApp shows no caption with audio, a voice note or a sticker: leave it out, and send it as a text").In("file.caption")
	}
	return nil
}

// isMediaType reports whether s is a type, a slash, a subtype, and parameters perhaps.
func isMediaType(s string) bool {
	top, sub, ok := strings.Cut(s, "/")
	return ok && top != "" && sub != "" && len(s) <= maxType && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func (f file) build(ctx context.Context, env Env) (*waE2E.Message, error) {
	s := f.content.Sealed
	if s == nil {
		return nil, api.Errorf(api.CodeInvalidArguments, "the file has no content: give a path or a URL").In("file")
	}
	if err := f.checkCaption(s.Kind); err != nil {
		return nil, err
	}
	info, err := env.replyTo(ctx, f.quotedID)
	if err != nil {
		return nil, err
	}
	at, err := f.content.Upload(ctx)
	if err != nil {
		return nil, err
	}
	l, length, when := s.Looks, proto.Uint64(uint64(s.Size)), proto.Int64(env.Now.Unix())
	switch s.Kind {
	case media.Image:
		return &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
			URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: s.Key, MediaKeyTimestamp: when, FileSHA256: s.Hash, FileEncSHA256: s.FileHash, FileLength: length,
			Mimetype: &l.MIME, Caption: optional(f.Caption), Width: known(l.Width), Height: known(l.Height), JPEGThumbnail: l.Thumbnail, ContextInfo: info,
		}}, nil
	case media.Video:
		return &waE2E.Message{VideoMessage: &waE2E.VideoMessage{
			URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: s.Key, MediaKeyTimestamp: when, FileSHA256: s.Hash, FileEncSHA256: s.FileHash, FileLength: length,
			Mimetype: &l.MIME, Caption: optional(f.Caption), ContextInfo: info,
		}}, nil
	case media.Audio, media.Voice:
		return &waE2E.Message{AudioMessage: &waE2E.AudioMessage{
			URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: s.Key, MediaKeyTimestamp: when, FileSHA256: s.Hash, FileEncSHA256: s.FileHash, FileLength: length,
			Mimetype: &l.MIME, PTT: proto.Bool(s.Kind == media.Voice), Seconds: known(int(l.Seconds)), ContextInfo: info,
		}}, nil
	case media.Sticker:
		return &waE2E.Message{StickerMessage: &waE2E.StickerMessage{
			URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: s.Key, MediaKeyTimestamp: when, FileSHA256: s.Hash, FileEncSHA256: s.FileHash, FileLength: length,
			Mimetype: &l.MIME, IsAnimated: proto.Bool(l.Animated), StickerSentTS: proto.Int64(env.Now.UnixMilli()), ContextInfo: info,
		}}, nil
	}
	name := f.Name
	if name == "" {
		name = "file"
	}
	doc := &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{
		URL: &at.URL, DirectPath: &at.DirectPath, MediaKey: s.Key, MediaKeyTimestamp: when, FileSHA256: s.Hash, FileEncSHA256: s.FileHash, FileLength: length,
		Mimetype: &l.MIME, Title: &name, FileName: &name, Caption: optional(f.Caption), ContextInfo: info,
	}}
	if f.Caption == "" {
		return doc, nil
	}
	// phones show a document's caption in this form only
	return &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: doc}}, nil
}

// known is a number that is absent when it is 0, which stands for one that is not known.
func known(n int) *uint32 {
	if n == 0 {
		return nil
	}
	return proto.Uint32(uint32(n))
}
