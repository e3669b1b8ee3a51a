package translate

import (
	"context"

	waBinary "go.mau.fi/whatsmeow/binary"
)

type stanzaKey struct{}

// WithStanza has Translate know the stanza that an event comes from: it tells changes apart that
// the event alone does not. nil is an unknown stanza.
func WithStanza(ctx context.Context, stanza *waBinary.Node) context.Context {
	if stanza == nil {
		return ctx
	}
	return context.WithValue(ctx, stanzaKey{}, stanza)
}

// stanzaOf is the stanza an event comes from, nil when it is not known.
func stanzaOf(ctx context.Context) *waBinary.Node {
	n, _ := ctx.Value(stanzaKey{}).(*waBinary.Node)
	return n
}

// noticeID is the id of the stanza an event comes from, "" when it is not known. WhatsApp gives
// each its own, and the same one when it sends it again.
func noticeID(ctx context.Context) string {
	if n := stanzaOf(ctx); n != nil {
		id, _ := n.Attrs["id"].(string)
		return id
	}
	return ""
}
