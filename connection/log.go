package connection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.mau.fi/libsignal/logger"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// libraryLog gives the library's log lines to slog under the same levels, without what people
// wrote, their names and their numbers: the library prints them freely. Of a stanza its shape is
// left. With content, debug lines are whole, for someone who looks into the protocol, but for the
// stanzas of pairing: who reads those can link.
//
// The library logs each stanza as a value, before it handles a received one and before it sends
// one, and a line for each frame that it drops; watch is told of them, in the goroutine that reads
// or sends.
type libraryLog struct {
	log    *slog.Logger
	module string
	watch  stanzaWatch // nil: nobody watches
	// content has debug lines whole
	content bool
}

// stanzaWatch is told of each stanza.
type stanzaWatch interface {
	Received(n *waBinary.Node)
	Sending(n *waBinary.Node)
	// Dropped is told of a received frame that nothing becomes of. why has no content.
	Dropped(why string)
	// NotResent is told of a message that its recipient asked for again in vain. The library
	// acknowledges the request unless the connection has ended.
	NotResent(id string, err error)
	// NotRecovered is told of a message that could not be read each time its sender was asked.
	NotRecovered(id string)
}

// notResent is the line with which the library drops a request to send a message again: its chat,
// its id, who asked, and why.
const notResent = "Failed to handle retry receipt for %s/%s from %s: %v"

// notRecovered is the line with which the library gives up asking for a message: its id.
const notRecovered = "Not sending any more retry receipts for %s"

// droppedFrames are the lines with which the library drops what it received before it knows what it
// is, and says nothing more. They name no chat.
var droppedFrames = map[string]string{
	"Failed to decrypt frame: %v":              "its seal is broken",
	"Failed to decompress frame: %v":           "it cannot be unpacked",
	"Failed to decode node in frame: %v":       "it is no stanza",
	"Got unexpected websocket message type %d": "it is no binary message",
}

func newLibraryLog(log *slog.Logger, content bool, watch stanzaWatch) waLog.Logger {
	return libraryLog{log: log.With("library", "whatsmeow"), content: content, watch: watch}
}

// The library's modules that log stanzas.
const (
	receivedModule = "Recv"
	sentModule     = "Send"
)

// tell tells the watch of a stanza.
func (l libraryLog) tell(args []any) {
	if l.watch == nil || len(args) != 1 {
		return
	}
	n, ok := args[0].(*waBinary.Node)
	if !ok || n == nil {
		return
	}
	switch l.module {
	case receivedModule:
		l.watch.Received(n)
	case sentModule:
		l.watch.Sending(n)
	}
}

// longDigits matches what may be a phone number or the number part of a JID.
var longDigits = regexp.MustCompile(`[0-9]{7,}`)

// markup matches a stanza, or a part of one, in the text of an error.
var markup = regexp.MustCompile(`(?s)<.*>`)

func masked(text string) string {
	return longDigits.ReplaceAllString(markup.ReplaceAllString(text, "<…>"), "…")
}

func (l libraryLog) line(level slog.Level, format string, args []any) {
	ctx := context.Background()
	if slices.ContainsFunc(args, isLeftToLink) {
		level = slog.LevelDebug
	}
	if !l.log.Enabled(ctx, level) {
		return
	}
	format = strings.ReplaceAll(format, "%p", "%v") // an address says nothing to anybody
	var text string
	switch {
	case level > slog.LevelDebug:
		text = fmt.Sprintf(format, shortened(args)...)
	case l.content:
		text = fmt.Sprintf(format, withoutPointers(withoutPairing(args))...)
	default:
		text = fmt.Sprintf(format, withoutContent(args)...)
	}
	l.log.LogAttrs(ctx, level, "whatsapp library", slog.String("module", l.module), slog.String("detail", text))
}

// isLeftToLink reports whether an argument is the error that is none.
func isLeftToLink(arg any) bool {
	err, is := arg.(error)
	return is && errors.Is(err, errLeftToLink)
}

// withoutPairing replaces the stanzas that link a device, which hold codes, keys and what a passkey
// signed.
func withoutPairing(args []any) []any {
	if len(args) != 1 {
		return args
	}
	n, ok := args[0].(*waBinary.Node)
	if !ok || n == nil {
		return args
	}
	for _, child := range n.GetChildren() {
		switch child.Tag {
		case "pair-device", "pair-success", "pair-device-sign", "ref", "link_code_companion_reg", "passkey_request_options",
			"passkey_prologue", "primary_ephemeral_identity", "companion_nonce", "encrypted_pairing_request":
			return shortened(args)
		}
	}
	return args
}

// withoutPointers replaces what would be read where it lies, as textOf does.
func withoutPointers(args []any) []any {
	out := slices.Clone(args)
	for i, a := range args {
		if _, isNode := a.(*waBinary.Node); !isNode && reflect.ValueOf(a).Kind() == reflect.Pointer {
			out[i] = plain(textOf(a))
		}
	}
	return out
}

// plain prints as it is, whatever the verb.
type plain string

func (p plain) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, string(p)) // into memory
}

// shortened replaces stanzas, which hold names and contents, and masks texts.
func shortened(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch n := a.(type) {
		case *waBinary.Node:
			out[i] = plain("no stanza")
			if n != nil {
				out[i] = plain(named(*n))
			}
		case waBinary.Node:
			out[i] = plain(named(n))
		case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64, time.Duration, time.Time:
			out[i] = a
		default:
			out[i] = plain(masked(textOf(a)))
		}
	}
	return out
}

// named is a stanza's tag and its id, which its sender may have chosen.
func named(n waBinary.Node) string {
	id := "…"
	if text, ok := n.Attrs["id"].(string); ok && ids.MatchString(text) {
		id = text
	}
	return fmt.Sprintf("<%s id=%s>", n.Tag, id)
}

// textOf is a value's text, and of what it points to only the type: the library goes on writing it.
func textOf(a any) string {
	switch a.(type) {
	case error, fmt.Stringer:
		return fmt.Sprint(a)
	}
	if reflect.ValueOf(a).Kind() == reflect.Pointer {
		return fmt.Sprintf("%T", a)
	}
	return fmt.Sprint(a)
}

// ids match what names a message or a request.
var ids = regexp.MustCompile(`^([0-9A-F]{8,64}|[0-9]{1,6}\.[0-9]{1,6}-[0-9]{1,9})$`)

// withoutContent leaves of debug lines what people did not write: kinds and ids, numbers, errors.
func withoutContent(args []any) []any {
	out := shortened(args)
	for i, a := range args {
		switch v := a.(type) {
		case *waBinary.Node:
			if v != nil {
				out[i] = plain(shape(*v))
			}
		case waBinary.Node:
			out[i] = plain(shape(v))
		case types.JID:
			out[i] = plain("…@" + v.Server)
		case error:
		case string:
			if ids.MatchString(v) {
				out[i] = plain(v)
			} else {
				out[i] = plain("…")
			}
		default:
			if _, kept := out[i].(plain); kept { // a value of the library: its type says enough
				out[i] = plain(fmt.Sprintf("%T", a))
			}
		}
	}
	return out
}

// maxShape bounds how much of a stanza is described, in bytes.
const maxShape = 300

// shape is a stanza's tags, with the attributes that say what it is.
func shape(n waBinary.Node) string {
	var b strings.Builder
	var add func(n waBinary.Node)
	add = func(n waBinary.Node) {
		if b.Len() > maxShape {
			return
		}
		b.WriteString("<" + n.Tag)
		for _, name := range []string{"id", "type", "xmlns", "code", "reason"} {
			if v, ok := n.Attrs[name].(string); ok && (name != "id" || ids.MatchString(v)) {
				fmt.Fprintf(&b, " %s=%s", name, masked(v))
			}
		}
		b.WriteString(">")
		for _, child := range n.GetChildren() {
			add(child)
		}
	}
	add(n)
	if b.Len() > maxShape {
		return b.String()[:maxShape] + "…"
	}
	return b.String()
}

func (l libraryLog) Errorf(format string, args ...any) {
	l.line(slog.LevelError, format, args)
	if format != notResent || len(args) != 4 || l.watch == nil {
		return
	}
	if err, is := args[3].(error); is {
		l.watch.NotResent(fmt.Sprint(args[1]), err)
	}
}

func (l libraryLog) Infof(format string, args ...any) { l.line(slog.LevelInfo, format, args) }

func (l libraryLog) Warnf(format string, args ...any) {
	l.line(slog.LevelWarn, format, args)
	if why, dropped := droppedFrames[format]; dropped && l.watch != nil {
		l.watch.Dropped(why)
	}
	if format == notRecovered && len(args) == 1 && l.watch != nil {
		l.watch.NotRecovered(fmt.Sprint(args[0]))
	}
}

func (l libraryLog) Debugf(format string, args ...any) {
	l.tell(args)
	l.line(slog.LevelDebug, format, args)
}

func (l libraryLog) Sub(module string) waLog.Logger {
	if l.module != "" {
		module = l.module + "/" + module
	}
	return libraryLog{log: l.log, module: module, watch: l.watch, content: l.content}
}

// signalLog gives libsignal's warnings and errors to slog at debug level: what matters of them the
// library reports itself. Its other lines are dropped: they hold what was signed.
type signalLog struct{ log *slog.Logger }

func (s signalLog) line(level, caller, text string) {
	s.log.Debug("signal library", "level", level, "caller", caller, "detail", masked(text))
}

func (s signalLog) Debug(string, string)        {}
func (s signalLog) Info(string, string)         {}
func (s signalLog) Warning(caller, text string) { s.line("warning", caller, text) }
func (s signalLog) Error(caller, text string)   { s.line("error", caller, text) }
func (s signalLog) Configure(string)            {}

// silenceSignal keeps libsignal off the console. Its logger is process-global: one that somebody
// has chosen is left alone.
func silenceSignal(log *slog.Logger) {
	if logger.Logger != nil && fmt.Sprintf("%T", logger.Logger) != "*logger.defaultLogger" {
		return
	}
	var l logger.Loggable = signalLog{log: log.With("library", "libsignal")}
	logger.Setup(&l)
}
