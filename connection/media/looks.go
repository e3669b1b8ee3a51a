package media

import (
	"bytes"
	"cmp"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"waoutbox/outbox/api"
)

// Looks is what a file is taken for.
type Looks struct {
	Kind Kind
	MIME string
	// of pictures, 0 if unknown
	Width, Height int
	Seconds       uint32 // that a recording lasts, 0 if unknown
	Animated      bool   // a sticker that moves
	Thumbnail     []byte // of a picture, JPEG; may be absent
}

// lookAt is how much of a file is looked at to tell what it is.
const lookAt = 64 << 10

// byExtension are the types of files whose first bytes do not tell.
var byExtension = map[string]string{
	".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".svg": "image/svg+xml",
	".mp4": "video/mp4", ".m4v": "video/mp4", ".3gp": "video/3gpp", ".mov": "video/quicktime", ".mkv": "video/x-matroska", ".webm": "video/webm",
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".aac": "audio/aac", ".amr": "audio/amr", ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav", ".flac": "audio/flac",
	".pdf": "application/pdf", ".txt": "text/plain", ".csv": "text/csv", ".md": "text/markdown", ".html": "text/html", ".json": "application/json", ".xml": "application/xml", ".ics": "text/calendar", ".vcf": "text/vcard",
	".zip": "application/zip", ".epub": "application/epub+zip", ".doc": "application/msword", ".xls": "application/vnd.ms-excel", ".ppt": "application/vnd.ms-powerpoint",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt":  "application/vnd.oasis.opendocument.text", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}

// typeOf is the media type of a file: as its first bytes say, else its name.
func typeOf(head []byte, name string) string {
	seen, _, _ := strings.Cut(http.DetectContentType(head), ";")
	named := byExtension[strings.ToLower(filepath.Ext(name))]
	if strings.HasPrefix(named, "image/") && named != "image/svg+xml" || named == "application/pdf" {
		named = "" // its first bytes would say so
	}
	switch {
	case seen == "application/ogg":
		return "audio/ogg"
	case seen == "video/mp4" && strings.HasPrefix(named, "audio/"):
		return named // one container for both
	case slices.Contains([]string{"application/octet-stream", "application/zip", "text/plain", "text/xml"}, seen):
		return cmp.Or(named, seen)
	}
	return seen
}

// recognise says what a file is sent as, by its first bytes, its name, and what was asked for: want
// and mime may be empty. Errors are *api.Error.
func recognise(head []byte, name string, want Kind, mime string) (Looks, error) {
	seen := typeOf(head, name)
	l := Looks{Kind: want, MIME: cmp.Or(mime, seen)}
	top, _, _ := strings.Cut(seen, "/")
	picture := seen == "image/jpeg" || seen == "image/png"
	if want == "" {
		switch {
		case picture:
			l.Kind = Image
		case seen == "video/mp4" || seen == "video/3gpp":
			l.Kind = Video
		case top == "audio":
			l.Kind = Audio
		default:
			l.Kind = Document
		}
	}
	refuse := func(format string, args ...any) (Looks, error) {
		return Looks{}, api.Errorf(api.CodeInvalidArguments, format, args...).In("file")
	}
	switch l.Kind {
	case Image:
		if !picture {
			return refuse("the file is %s, and an image is a JPEG or PNG: convert it, or send it as a document", seen)
		}
	case Video:
		if top != "video" {
			return refuse("the file is %s and no video: send it as a document", seen)
		}
	case Audio:
		if top != "audio" {
			return refuse("the file is %s and no audio: send it as a document", seen)
		}
	case Voice:
		if !bytes.Contains(head[:min(len(head), 512)], []byte("OpusHead")) {
			return refuse("the file is %s, and a voice note is Opus in an Ogg file: make one with ffmpeg -i FILE -ac 1 -c:a libopus voice.ogg, or send it as audio", seen)
		}
		l.MIME = "audio/ogg; codecs=opus" // others are not played as one
	case Sticker:
		if seen != "image/webp" {
			return refuse("the file is %s, and a sticker is a WebP of 512 x 512: convert it", seen)
		}
		l.MIME = seen
		l.Animated = len(head) > 20 && string(head[12:16]) == "VP8X" && head[20]&2 != 0
	case Document:
	default:
		return refuse("%q is no kind of medium: give %s, or none to go by the file", string(want), kindList())
	}
	return l, nil
}

func kindList() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
