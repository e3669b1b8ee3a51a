// Package bare is the WhatsApp library's client with the settings that lose nothing, and nothing
// behind it: what a measurement of the whole path is read against.
package bare

import (
	"context"
	"fmt"
	"net/http"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
)

// Run links dev where it is not linked, telling each QR code, and then takes every event and does
// nothing with it, until ctx ends. The library connects anew by itself. web is what it connects
// through.
func Run(ctx context.Context, dev *store.Device, web *http.Client, code func(qr string)) error {
	cli := whatsmeow.NewClient(dev, nil)
	cli.BackgroundEventCtx = ctx
	cli.SynchronousAck = true
	cli.EnableDecryptedEventBuffer = true
	cli.UseRetryMessageStore = true
	cli.SetWebsocketHTTPClient(web)
	cli.SetPreLoginHTTPClient(web)
	cli.SetMediaHTTPClient(web)
	cli.AddEventHandlerWithSuccessStatus(func(any) bool { return true })
	codes, err := cli.GetQRChannel(ctx)
	if err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	if err := cli.ConnectContext(ctx); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer cli.Disconnect()
	for item := range codes {
		if item.Event == whatsmeow.QRChannelEventCode {
			code(item.Code)
		}
	}
	<-ctx.Done()
	return nil
}
