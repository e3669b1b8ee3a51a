package metrics

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// panicKey is the key under which whoever contains a panic logs it.
const panicKey = "panic"

// CountPanics returns a handler that counts the panics that were contained, and passes every record
// on to next. Each is one record at error level with the key "panic", wherever it was contained, so
// that what contains one needs nothing but its log.
func (m *Metrics) CountPanics(next slog.Handler) slog.Handler { return panicCounter{next, m.panics} }

type panicCounter struct {
	slog.Handler
	panics prometheus.Counter
}

func (h panicCounter) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == panicKey {
				h.panics.Inc()
			}
			return a.Key != panicKey
		})
	}
	return h.Handler.Handle(ctx, r)
}

func (h panicCounter) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

func (h panicCounter) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}
