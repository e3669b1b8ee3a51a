package main

import (
	"context"
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
		Short: "Send a message, edit or delete one, mark messages as read, show typing",
		Long: `Sends messages. A recipient is a phone number with its country code, or the JID of a person, a
group or an own channel; waoutbox contact find looks for one by name.`,
	})
	cmd.AddCommand(newSendTextCmd(e), newSendMediaCmd(e), newSendReactionCmd(e), newSendLocationCmd(e), newSendContactCmd(e),
		newSendEditCmd(e), newSendDeleteCmd(e), newSendReadCmd(e), newSendTypingCmd(e))
	return cmd
}

func newSendTextCmd(e *env) *cobra.Command {
	var in api.Send
	cmd := &cobra.Command{
		Use:   "text TO TEXT|-",
		Short: "Send a text message to a phone number, contact or group",
		Long: `Sends a text message. TO is a phone number with its country code or a JID; - reads the text
from stdin. With the same --idempotency-key within 24 hours nothing is sent again.`,
		Example: `  waoutbox send text +491515550100 "hello"
  date | waoutbox send text 120363025846172094@g.us -`,
		Args: arguments(2, 2, "a recipient and a text"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in.To = args[0]
			if in.Text, err = e.messageText(args[1]); err != nil {
				return err
			}
			return e.send(cmd.Context(), in)
		},
	}
	quoteFlag(cmd, &in)
	keyFlag(cmd, &in)
	return cmd
}

// messageText returns the text of an argument, or the one on stdin for -.
func (e *env) messageText(arg string) (string, error) {
	if arg == "-" {
		raw, err := io.ReadAll(io.LimitReader(e.stdin, maxTextRead+1))
		if err != nil {
			return "", err
		}
		if len(raw) > maxTextRead {
			return "", usagef("the text on stdin is longer than %d bytes", maxTextRead)
		}
		arg = strings.TrimRight(string(raw), "\r\n")
	}
	if strings.TrimSpace(arg) == "" {
		return "", usagef("the text is empty: nothing to send")
	}
	return arg, checkUTF8("text", arg)
}

// checkUTF8 refuses bytes that are no text: on its way to the daemon they would be replaced without
// a word.
func checkUTF8(what, s string) error {
	if !utf8.ValidString(s) {
		return usagef("the %s is not valid UTF-8: nothing was sent. Convert it first, for example with iconv", what)
	}
	return nil
}

func quoteFlag(cmd *cobra.Command, in *api.Send) {
	cmd.Flags().StringVar(&in.QuotedMessageID, "quote", "", "WhatsApp's id of the message of this chat that this one replies to (event show has it)")
}

func keyFlag(cmd *cobra.Command, in *api.Send) {
	cmd.Flags().StringVar(&in.IdempotencyKey, "idempotency-key", "", "send at most once within 24 hours under this key")
}

// send sends one message and says what came of it.
func (e *env) send(ctx context.Context, in api.Send) error {
	return e.withService(ctx, modeSpawnExisting, func(svc api.Service) error {
		answered := e.sayAfter(patience, "Waiting for WhatsApp.")
		res, err := svc.Send(ctx, in)
		answered()
		if err != nil {
			return err
		}
		e.saySent(in, res)
		return nil
	})
}

// sentTo names the recipient: by the number of the chat, or as it was typed where that says more
// than an address which WhatsApp made up.
func sentTo(typed, chat string) string {
	if number := phoneOf(chat); number != "" {
		return number
	}
	if strings.HasSuffix(chat, "@lid") && !strings.Contains(typed, "@") {
		return term.Clean(typed)
	}
	return term.Clean(chat)
}

// saySent says what came of a send.
func (e *env) saySent(in api.Send, res api.SendResult) {
	id, chat := term.Clean(res.MessageID), sentTo(in.To, res.Chat)
	at := e.clock(res.Timestamp)
	switch {
	case e.json:
		e.printJSON(res)
		return
	case res.Repeated:
		e.printf("Sent before under this idempotency key: %s to %s at %s.\n", id, chat, at)
	case in.Edit != nil:
		e.printf("Edited %s in %s at %s (sent as %s).\n", term.Clean(in.Edit.MessageID), chat, at, id)
	case in.Delete != nil:
		e.printf("Deleted %s in %s for everybody at %s (sent as %s).\n", term.Clean(in.Delete.MessageID), chat, at, id)
	default:
		e.printf("Sent %s to %s at %s. message.update events with this id tell when it arrives and is read.\n", id, chat, at)
	}
	e.next("waoutbox event list --chat %s", term.Quote(res.Chat))
}
