package wasim

import (
	"bytes"
	"compress/zlib"
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waHistorySync"
)

// SendHistory lets the own phone give the companion a part of the account's history, as phones do
// after linking: in a message of the phone itself, compressed. It returns the message's id.
func (a *Account) SendHistory(ctx context.Context, h *waHistorySync.HistorySync) (string, error) {
	raw, err := proto.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("send history: %w", err)
	}
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	if _, err := w.Write(raw); err != nil {
		return "", fmt.Errorf("send history: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("send history: %w", err)
	}
	kind := waE2E.HistorySyncType(h.GetSyncType())
	id := newPhoneMessageID()
	return id, a.sendPeer(ctx, id, &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_HISTORY_SYNC_NOTIFICATION.Enum(),
		HistorySyncNotification: &waE2E.HistorySyncNotification{
			SyncType: &kind, ChunkOrder: proto.Uint32(1), Progress: proto.Uint32(100),
			InitialHistBootstrapInlinePayload: packed.Bytes(),
		},
	})
}

// peerCategory marks what a phone sends its own devices.
const peerCategory = "peer"

// sendPeer lets the own phone send its companion a message that is nobody else's business.
func (a *Account) sendPeer(ctx context.Context, id string, m *waE2E.ProtocolMessage) error {
	head := waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": id, "from": a.pn, "t": unix(a.srv.now()), "category": peerCategory}}
	return a.transmit(ctx, a.phone, &waE2E.Message{ProtocolMessage: m}, outgoing{head: head, form: Form{ID: id}})
}
