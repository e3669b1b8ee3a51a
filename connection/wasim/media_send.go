package wasim

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"go.mau.fi/whatsmeow/proto/waE2E"
)

// MediaOptions are what a message says of its medium besides what the file decides.
type MediaOptions struct {
	Caption  string
	FileName string // of a document
	MIME     string // "" is what the kind usually has
	ViewOnce bool
}

// usualMIME is what phones send for each kind.
var usualMIME = map[MediaKind]string{
	Image: "image/jpeg", Video: "video/mp4", Audio: "audio/mpeg", Voice: "audio/ogg; codecs=opus",
	Document: "application/pdf", Sticker: "image/webp",
}

// SendMedia writes a medium to the account: it puts the file on the media server and sends the
// message that names it.
func (c *Contact) SendMedia(ctx context.Context, kind MediaKind, plain []byte, o MediaOptions) (id string, m *Medium, err error) {
	m, err = c.acct.srv.AddMedium(kind, plain)
	if err != nil {
		return "", nil, err
	}
	id, err = c.Send(ctx, m.message(o))
	c.acct.sentMedium(id, m)
	return id, m, err
}

// SendGroupMedia is SendMedia into a group.
func (c *Contact) SendGroupMedia(ctx context.Context, g *Group, kind MediaKind, plain []byte, o MediaOptions) (id string, m *Medium, err error) {
	m, err = c.acct.srv.AddMedium(kind, plain)
	if err != nil {
		return "", nil, err
	}
	id, err = c.SendGroup(ctx, g, m.message(o))
	c.acct.sentMedium(id, m)
	return id, m, err
}

// sentMedium keeps which message a medium belongs to, for the phone that is asked for it again.
func (a *Account) sentMedium(id string, m *Medium) {
	a.mu.Lock()
	a.media[id] = m
	a.mu.Unlock()
	a.srv.mu.Lock()
	a.srv.sentMedia = append(a.srv.sentMedia, m)
	a.srv.mu.Unlock()
}

// message is the message that a phone would send with the medium.
func (m *Medium) message(o MediaOptions) *waE2E.Message {
	mime := o.MIME
	if mime == "" {
		mime = usualMIME[m.kind]
	}
	caption := func() *string {
		if o.Caption == "" {
			return nil
		}
		return &o.Caption
	}()
	path, length, at := m.Path(), proto.Uint64(uint64(m.plainLen)), proto.Int64(time.Now().Unix())
	url := "https://mmg.whatsapp.net" + path + "&mms3=true"
	msg := &waE2E.Message{}
	switch m.kind {
	case Image:
		msg.ImageMessage = &waE2E.ImageMessage{URL: &url, DirectPath: &path, Mimetype: &mime, Caption: caption, MediaKey: m.key,
			FileSHA256: m.plainHash, FileEncSHA256: m.fileHash, FileLength: length, MediaKeyTimestamp: at}
	case Video:
		msg.VideoMessage = &waE2E.VideoMessage{URL: &url, DirectPath: &path, Mimetype: &mime, Caption: caption, MediaKey: m.key,
			FileSHA256: m.plainHash, FileEncSHA256: m.fileHash, FileLength: length, MediaKeyTimestamp: at}
	case Audio, Voice:
		msg.AudioMessage = &waE2E.AudioMessage{URL: &url, DirectPath: &path, Mimetype: &mime, MediaKey: m.key,
			FileSHA256: m.plainHash, FileEncSHA256: m.fileHash, FileLength: length, MediaKeyTimestamp: at}
		if m.kind == Voice {
			msg.AudioMessage.PTT = proto.Bool(true)
		}
	case Document:
		msg.DocumentMessage = &waE2E.DocumentMessage{URL: &url, DirectPath: &path, Mimetype: &mime, Caption: caption, MediaKey: m.key,
			FileSHA256: m.plainHash, FileEncSHA256: m.fileHash, FileLength: length, MediaKeyTimestamp: at, FileName: proto.String(o.FileName)}
	case Sticker:
		msg.StickerMessage = &waE2E.StickerMessage{URL: &url, DirectPath: &path, Mimetype: &mime, MediaKey: m.key,
			FileSHA256: m.plainHash, FileEncSHA256: m.fileHash, FileLength: length, MediaKeyTimestamp: at}
	}
	if o.ViewOnce {
		msg = &waE2E.Message{ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: msg}}
	}
	return msg
}

// kindOf says what medium a message has; "" for none.
func kindOf(m *waE2E.Message) (MediaKind, Said) {
	if captioned := m.GetDocumentWithCaptionMessage().GetMessage(); captioned != nil {
		m = captioned
	}
	switch {
	case m.GetImageMessage() != nil:
		return Image, m.GetImageMessage()
	case m.GetVideoMessage() != nil:
		return Video, m.GetVideoMessage()
	case m.GetAudioMessage().GetPTT():
		return Voice, m.GetAudioMessage()
	case m.GetAudioMessage() != nil:
		return Audio, m.GetAudioMessage()
	case m.GetDocumentMessage() != nil:
		return Document, m.GetDocumentMessage()
	case m.GetStickerMessage() != nil:
		return Sticker, m.GetStickerMessage()
	}
	return "", nil
}

// Open decrypts the medium of a message a contact received, with every check its phone would make.
func (c *Contact) Open(r Received) (MediaKind, []byte, error) {
	kind, m := kindOf(r.Message)
	if kind == "" {
		return "", nil, fmt.Errorf("message %s has no medium", r.ID)
	}
	plain, err := c.acct.srv.Download(kind, m)
	return kind, plain, err
}
