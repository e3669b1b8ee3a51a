package device

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"

	waLog "go.mau.fi/whatsmeow/util/log"
)

// libraryLog gives the store's few log lines to slog, one level lower for what is not an error,
// with phone numbers masked.
type libraryLog struct{ log *slog.Logger }

var digits = regexp.MustCompile(`[0-9]{7,}`)

func (l libraryLog) line(level slog.Level, format string, args []any) {
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	l.log.Log(context.Background(), level, "device store", "detail", digits.ReplaceAllString(fmt.Sprintf(format, args...), "…"))
}

func (l libraryLog) Errorf(format string, args ...any) { l.line(slog.LevelError, format, args) }
func (l libraryLog) Warnf(format string, args ...any)  { l.line(slog.LevelWarn, format, args) }
func (l libraryLog) Infof(format string, args ...any)  { l.line(slog.LevelDebug, format, args) }
func (l libraryLog) Debugf(format string, args ...any) { l.line(slog.LevelDebug, format, args) }
func (l libraryLog) Sub(module string) waLog.Logger {
	return libraryLog{log: l.log.With("module", module)}
}
