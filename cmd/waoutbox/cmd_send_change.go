package main

import (
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

func newSendEditCmd(e *env) *cobra.Command {
	var in api.Send
	var edit api.Edit
	cmd := &cobra.Command{
		Use:   "edit TO MESSAGE-ID TEXT|-",
		Short: "Put another text in the place of an own one, or of a caption, within 15 minutes",
		Args:  arguments(3, 3, "a recipient, the id of an own message and the new text"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in.To, edit.MessageID = args[0], args[1]
			if edit.Text, err = e.messageText(args[2]); err != nil {
				return err
			}
			in.Edit = &edit
			return e.send(cmd.Context(), in)
		},
	}
	keyFlag(cmd, &in)
	return cmd
}

func newSendDeleteCmd(e *env) *cobra.Command {
	var in api.Send
	cmd := &cobra.Command{
		Use:   "delete TO MESSAGE-ID",
		Short: "Delete an own message for everybody, within about two days",
		Args:  arguments(2, 2, "a recipient and the id of an own message"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.To, in.Delete = args[0], &api.Delete{MessageID: args[1]}
			return e.send(cmd.Context(), in)
		},
	}
	keyFlag(cmd, &in)
	return cmd
}

func newSendReadCmd(e *env) *cobra.Command {
	var author string
	cmd := &cobra.Command{
		Use:   "read CHAT MESSAGE-ID…",
		Short: "Mark messages as read, which their senders see",
		Long: `Marks messages of a chat as read. They and their authors are looked up in the log; where it lacks one, none
is marked, and the error says which. --author names who wrote older ones.`,
		Args: arguments(2, -1, "a chat and the ids of messages"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var in api.MarkRead
			for _, id := range args[1:] {
				in.Messages = append(in.Messages, api.MessageRef{Chat: args[0], ID: id, Participant: author})
			}
			return e.withService(cmd.Context(), modeSpawnExisting, func(svc api.Service) error {
				res, err := svc.MarkRead(cmd.Context(), in)
				if err != nil {
					return err
				}
				if e.json {
					e.printJSON(res)
					return nil
				}
				e.printf("Marked %s as read.\n", term.Plural(int64(res.Marked), "message", "messages"))
				e.next("waoutbox send text %s TEXT", term.Quote(args[0]))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&author, "author", "", "JID or number of who wrote the messages, where the log does not have them")
	return cmd
}

func newSendTypingCmd(e *env) *cobra.Command {
	state := string(api.TypingComposing)
	cmd := &cobra.Command{
		Use:   "typing TO",
		Short: "Show the account as typing in a chat, for some seconds",
		Args:  arguments(1, 1, "a recipient"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withService(cmd.Context(), modeSpawnExisting, func(svc api.Service) error {
				res, err := svc.Typing(cmd.Context(), api.Typing{To: args[0], State: api.TypingState(state)})
				if err != nil {
					return err
				}
				if e.json {
					e.printJSON(res)
					return nil
				}
				how := "Shown as " + string(res.State)
				if res.State == api.TypingPaused {
					how = "No longer shown as typing"
				}
				e.printf("%s in %s.\n", how, e.namesOf(cmd.Context(), svc, res.Chat).whole(res.Chat))
				e.next("waoutbox send text %s TEXT", term.Quote(args[0]))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", state, strings.Join(typingStates(), ", "))
	return cmd
}

func typingStates() []string {
	var states []string
	for _, s := range api.TypingStates() {
		states = append(states, string(s))
	}
	return states
}
