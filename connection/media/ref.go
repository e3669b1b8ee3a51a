package media

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
)

// Kind is what a medium is, as a person sees it.
type Kind string

const (
	Image    Kind = "image"
	Video    Kind = "video"
	Audio    Kind = "audio"
	Voice    Kind = "voice" // audio recorded in the chat
	Document Kind = "document"
	Sticker  Kind = "sticker"
)

// Kinds lists every Kind.
func Kinds() []Kind { return []Kind{Image, Video, Audio, Voice, Document, Sticker} }

// Type is what WhatsApp derives the keys of a kind with; "" for no Kind.
func (k Kind) Type() whatsmeow.MediaType {
	switch k {
	case Image, Sticker:
		return whatsmeow.MediaImage
	case Video:
		return whatsmeow.MediaVideo
	case Audio, Voice:
		return whatsmeow.MediaAudio
	case Document:
		return whatsmeow.MediaDocument
	}
	return ""
}

// server is the kind's name on the media servers.
func (k Kind) server() string {
	switch k {
	case Sticker:
		return string(Image)
	case Voice:
		return string(Audio)
	}
	return string(k)
}

// ErrNoMedia says that an event is no message with a medium.
var ErrNoMedia = errors.New("the event is no message with a medium")

// Ref is what a message says of its medium: where it lies, how it is opened, whose it is. All of it
// was chosen by the sender; MIME and FileName are for people to read.
type Ref struct {
	Kind     Kind
	Path     string // direct path on the media hosts
	Key      []byte // media key; none: the file is not encrypted, as in channels
	Hash     []byte // SHA-256 of the file
	FileHash []byte // SHA-256 of the encrypted file; may be absent
	Length   int64  // of the file, 0 if unknown
	MIME     string
	FileName string

	// the message, for the phone that is asked for the file again
	MessageID, Chat, Participant string
	FromMe                       bool
}

// Find reads the medium out of the body of a message event: the outermost one, wrapped or not, and
// never one that is quoted. A body without one, or whose medium lacks what is needed to fetch and
// check it, is ErrNoMedia.
func Find(body []byte) (Ref, error) {
	var ev struct {
		Data json.RawMessage `json:"data"`
	}
	var data struct {
		Messages []struct {
			Key struct {
				RemoteJID   string `json:"remoteJid"`
				FromMe      bool   `json:"fromMe"`
				ID          string `json:"id"`
				Participant string `json:"participant"`
			} `json:"key"`
			Message json.RawMessage `json:"message"`
		} `json:"messages"`
	}
	if json.Unmarshal(body, &ev) != nil || json.Unmarshal(ev.Data, &data) != nil || len(data.Messages) == 0 {
		return Ref{}, ErrNoMedia
	}
	msg := data.Messages[0]
	ref, ok := findIn(msg.Message, maxDepth)
	if !ok {
		return Ref{}, ErrNoMedia
	}
	ref.MessageID, ref.Chat, ref.Participant, ref.FromMe = msg.Key.ID, msg.Key.RemoteJID, msg.Key.Participant, msg.Key.FromMe
	return ref, nil
}

// maxDepth bounds how deeply a medium may be wrapped.
const maxDepth = 12

// fields are where a medium stands in a message.
var fields = []struct {
	name string
	kind Kind
}{
	{"imageMessage", Image}, {"videoMessage", Video}, {"ptvMessage", Video}, {"audioMessage", Audio},
	{"documentMessage", Document}, {"stickerMessage", Sticker},
}

// findIn looks for a medium in a part of a message.
func findIn(raw json.RawMessage, depth int) (Ref, bool) {
	if depth == 0 || len(raw) == 0 || bytes.TrimLeft(raw, " ")[0] != '{' {
		return Ref{}, false
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return Ref{}, false
	}
	for _, f := range fields {
		if ref, ok := read(f.kind, object[f.name]); ok {
			return ref, true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch name {
		case "contextInfo", "messageContextInfo", "quotedMessage": // of other messages
			continue
		}
		if ref, ok := findIn(object[name], depth-1); ok {
			return ref, true
		}
	}
	return Ref{}, false
}

// read reads one medium.
func read(kind Kind, raw json.RawMessage) (Ref, bool) {
	var m struct {
		DirectPath    string `json:"directPath"`
		MediaKey      []byte `json:"mediaKey"`
		FileSHA256    []byte `json:"fileSha256"`
		FileEncSHA256 []byte `json:"fileEncSha256"`
		FileLength    string `json:"fileLength"`
		Mimetype      string `json:"mimetype"`
		FileName      string `json:"fileName"`
		PTT           bool   `json:"ptt"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &m) != nil {
		return Ref{}, false
	}
	length, err := strconv.ParseInt(m.FileLength, 10, 64)
	if err != nil || length < 0 {
		length = 0
	}
	if kind == Audio && m.PTT {
		kind = Voice
	}
	ref := Ref{
		Kind: kind, Path: m.DirectPath, Key: m.MediaKey, Hash: m.FileSHA256, FileHash: m.FileEncSHA256,
		Length: length, MIME: shown(m.Mimetype, maxMIME), FileName: shown(m.FileName, maxName),
	}
	return ref, ref.usable()
}

// The longest type and name of a file, in bytes, as they are shown.
const (
	maxMIME = 127
	maxName = 255
)

// shown is a text of the sender's on one line, and not too long.
func shown(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	for len(s) > most {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// usable reports whether there is all that is needed to fetch and check the file.
func (r Ref) usable() bool {
	return strings.HasPrefix(r.Path, "/") && len(r.Hash) == hashLen &&
		(len(r.Key) == 0 || len(r.Key) == keyLen) && (len(r.FileHash) == 0 || len(r.FileHash) == hashLen)
}
