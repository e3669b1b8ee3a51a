package main

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// maxTextRead bounds a text read from stdin; WhatsApp takes at most 65,536 characters.
const maxTextRead = 1 << 20

func newSendCmd(e *env) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "send",
		Short: "Send a message",
	})
	cmd.AddCommand(newSendTextCmd(e))
	return cmd
}

func newSendTextCmd(e *env) *cobra.Command {
	var in api.SendText
	cmd := &cobra.Command{
		Use:   "text TO TEXT|-",
		Short: "Send a text message to a phone number, contact or group",
		Long: `Sends a text message. TO is a phone number with its country code or a JID; - reads the text
from stdin. With the same --idempotency-key within 24 hours nothing is sent again.`,
		Example: `  waoutbox send text +491515550100 "hello"
  date | waoutbox send text 120363025846172094@g.us -`,
		Args: arguments(2, 2, "a recipient and a text"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.To, in.Text = args[0], args[1]
			if in.Text == "-" {
				raw, err := io.ReadAll(io.LimitReader(e.stdin, maxTextRead+1))
				if err != nil {
					return err
				}
				if len(raw) > maxTextRead {
					return usagef("the text on stdin is longer than %d bytes", maxTextRead)
				}
				in.Text = strings.TrimRight(string(raw), "\r\n")
			}
			if strings.TrimSpace(in.Text) == "" {
				return usagef("the text is empty: nothing to send")
			}
			if !utf8.ValidString(in.Text) { // on its way to the daemon the odd bytes would be replaced without a word
				return usagef("the text is not valid UTF-8: nothing was sent. Convert it first, for example with iconv")
			}
			return e.withService(cmd.Context(), needSpawn, func(svc api.Service) error {
				res, err := svc.SendText(cmd.Context(), in)
				if err != nil {
					return err
				}
				if e.json {
					e.printJSON(res)
					return nil
				}
				e.printf("Sent %s to %s at %s. message.update events with this id tell when it arrives and is read.\n",
					term.Clean(res.MessageID), term.Clean(res.Chat), e.clock(res.Timestamp))
				e.next("waoutbox status")
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&in.QuotedMessageID, "quote", "", "id of the message this one answers")
	cmd.Flags().StringVar(&in.IdempotencyKey, "idempotency-key", "", "send at most once within 24 hours under this key")
	return cmd
}
