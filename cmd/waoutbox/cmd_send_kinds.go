package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"waoutbox/outbox/api"
)

func newSendReactionCmd(e *env) *cobra.Command {
	var in api.Send
	var reaction api.Reaction
	cmd := &cobra.Command{
		Use:   `reaction TO MESSAGE-ID EMOJI|""`,
		Short: `React to a message with an emoji; "" takes the reaction away`,
		Long: `Reacts to a message of the chat TO. The message is looked up in the log, which has those of the last
days; --author names who wrote an older one.`,
		Example: `  waoutbox send reaction +491515550100 3A5F0C91B7D24E68A113 👍`,
		Args:    arguments(3, 3, `a recipient, the id of a message and an emoji, or "" to take it away`),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.To, reaction.MessageID, reaction.Emoji = args[0], args[1], args[2]
			in.Reaction = &reaction
			if err := checkUTF8("emoji", reaction.Emoji); err != nil {
				return err
			}
			return e.send(cmd.Context(), in)
		},
	}
	cmd.Flags().StringVar(&reaction.Author, "author", "", "JID of who wrote the message, or me")
	keyFlag(cmd, &in)
	return cmd
}

func newSendLocationCmd(e *env) *cobra.Command {
	var in api.Send
	var place api.Location
	cmd := &cobra.Command{
		Use:     "location TO --latitude DEGREES --longitude DEGREES",
		Short:   "Send a point on the map",
		Example: `  waoutbox send location +491515550100 --latitude 52.5163 --longitude 13.3777 --name "Brandenburger Tor"`,
		Args:    arguments(1, 1, "a recipient"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("latitude") || !cmd.Flags().Changed("longitude") {
				return usagef("give the point with --latitude and --longitude, in degrees")
			}
			in.To, in.Location = args[0], &place
			for _, text := range []struct{ what, value string }{{"name", place.Name}, {"address", place.Address}} {
				if err := checkUTF8(text.what, text.value); err != nil {
					return err
				}
			}
			return e.send(cmd.Context(), in)
		},
	}
	cmd.Flags().Float64Var(&place.Latitude, "latitude", 0, "degrees north, negative south of the equator")
	cmd.Flags().Float64Var(&place.Longitude, "longitude", 0, "degrees east, negative west of Greenwich")
	cmd.Flags().StringVar(&place.Name, "name", "", "name of the place")
	cmd.Flags().StringVar(&place.Address, "address", "", "address of the place")
	quoteFlag(cmd, &in)
	keyFlag(cmd, &in)
	return cmd
}

// maxCardRead bounds a vCard that is read from a file.
const maxCardRead = 64 << 10

func newSendContactCmd(e *env) *cobra.Command {
	var in api.Send
	var card api.Contact
	var file string
	cmd := &cobra.Command{
		Use:   "contact TO [NAME PHONE…]",
		Short: "Send a person's card, made of a name and numbers or read from a vCard",
		Example: `  waoutbox send contact +491515550100 "Carol Smith" "+1 555 010 0124"
  waoutbox send contact 120363025846172094@g.us --vcard carol.vcf`,
		Args: arguments(1, -1, "a recipient, then a name and phone numbers or --vcard"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case file != "" && len(args) > 2:
				return usagef("give either a name and phone numbers, or --vcard; a name alone may stand beside it")
			case file == "" && len(args) < 3:
				return usagef("give a name and at least one phone number, or --vcard FILE")
			}
			in.To, in.Contact = args[0], &card
			if len(args) > 1 {
				card.Name, card.Phones = args[1], args[2:]
			}
			if file != "" {
				raw, err := e.readCard(file)
				if err != nil {
					return err
				}
				card.VCard, card.Phones = raw, nil
			}
			for _, text := range []struct{ what, value string }{{"name", card.Name}, {"organization", card.Organization}, {"vCard", card.VCard}} {
				if err := checkUTF8(text.what, text.value); err != nil {
					return err
				}
			}
			return e.send(cmd.Context(), in)
		},
	}
	cmd.Flags().StringVar(&card.Organization, "organization", "", "where the person works")
	cmd.Flags().StringVar(&file, "vcard", "", "file with a vCard; - is stdin")
	quoteFlag(cmd, &in)
	keyFlag(cmd, &in)
	return cmd
}

// readCard reads a vCard from a file or stdin.
func (e *env) readCard(file string) (string, error) {
	r := e.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", usagef("--vcard cannot be read: %v", err)
		}
		defer f.Close()
		r = f
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxCardRead+1))
	if err != nil {
		return "", err
	}
	if len(raw) > maxCardRead {
		return "", usagef("the vCard is longer than %d bytes: leave its picture out", maxCardRead)
	}
	return string(raw), nil
}
