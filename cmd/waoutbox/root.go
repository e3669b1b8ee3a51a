package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"waoutbox/cmd/internal/term"
)

// The groups of the help page.
const (
	groupService  = "service"
	groupWebhooks = "webhooks"
	groupMore     = "more"
)

// stateless marks commands that need no state directory.
var stateless = map[string]string{"stateless": "yes"}

// newRootCmd is the whole command tree.
func newRootCmd(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "waoutbox",
		Short: "WhatsApp events, durably stored and delivered to webhooks",
		Long: `waoutbox links one WhatsApp account to this machine, writes every event to a durable
outbox before WhatsApp is told it may forget it, and delivers each event, signed and
in order per chat, to every matching webhook. What fails is kept and can be replayed.

Exit codes: 0 ok, 1 failed, 2 what was typed is wrong, 3 no service runs or responds.`,
		Example: `  waoutbox demo                                         see it work, without a phone
  waoutbox serve                                        run it; scan the QR code with your phone
  waoutbox webhook add http://localhost:5678/webhook/wa --generate-secret
  waoutbox status`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Annotations["stateless"] != "" {
				return nil
			}
			e.settings = givenSettings(cmd)
			return e.resolveState(cmd)
		},
	}
	group(root)
	root.Annotations = stateless
	root.Version = version
	root.SetVersionTemplate("waoutbox {{.Version}}\n")
	root.PersistentFlags().StringVar(&e.stateDir, "state-dir", "", "state directory (default $WAOUTBOX_STATE_DIR, else the platform's place)")
	root.PersistentFlags().BoolVar(&e.json, "json", false, "print JSON for programs: results on stdout, errors on stderr")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// it may be a flag of a command that is not there
		if typed := cmd.Flags().Args(); cmd.HasSubCommands() && len(typed) > 0 {
			if unknown := knownSubcommand(cmd, typed); unknown != nil {
				return unknown
			}
		}
		return usagef("%s See: %s --help", fullStop(flagFault(cmd, err)), cmd.CommandPath())
	})
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddGroup(
		&cobra.Group{ID: groupService, Title: "The service:"},
		&cobra.Group{ID: groupWebhooks, Title: "Webhooks:"},
		&cobra.Group{ID: groupMore, Title: "More:"},
	)
	add := func(id string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	add(groupService, newServeCmd(e), newOpenCmd(e), newStartCmd(e), newStopCmd(e), newRestartCmd(e), newLogsCmd(e), newServiceCmd(e), newPairCmd(e), newUnpairCmd(e), newConnectCmd(e), newDisconnectCmd(e), newStatusCmd(e))
	add(groupWebhooks, newWebhookCmd(e), newDeadLetterCmd(e), newEventCmd(e), newListenCmd(e))
	add(groupMore, newDemoCmd(e), newMCPCmd(e), newSendCmd(e), newContactCmd(e), newGroupCmd(e), newMediaCmd(e), newConfigCmd(e), newAuditCmd(e), newDoctorCmd(e), newBackupCmd(e), newRestoreCmd(e), newMetricsCmd(e), newHTTPTokenCmd(e), newVersionCmd(e), newCompletionCmd(e), newManCmd(e))
	help := newHelpCmd()
	help.GroupID = groupMore
	root.SetHelpCommand(help)
	root.SetHelpCommandGroupID(groupMore)
	e.completeFlags(root)
	fitHelp(root, e.width)
	return root
}

// flagFault says in words what is wrong with a flag.
func flagFault(cmd *cobra.Command, err error) string {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if unknown.GetSpecifiedShortnames() != "" && strings.Contains(cmd.Use, " ") {
			// it takes arguments
			return err.Error() + ". Where that is no flag, put -- before it"
		}
		return err.Error() + nearFlag(cmd, unknown.GetSpecifiedName())
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Sprintf("--%s needs a value", missing.GetSpecifiedName())
	}
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err.Error()
	}
	want := map[string]string{
		"float64": "a number, like 20 or 0.5", "int": "a whole number", "bool": "true or false", "duration": "a duration, like 10s or 2m",
		"stringSlice": "a list with commas (a value with a comma or a quote stands in double quotes)",
	}[bad.GetFlag().Value.Type()]
	if want == "" {
		return err.Error()
	}
	return fmt.Sprintf("--%s %q is not %s", bad.GetFlag().Name, bad.GetValue(), want)
}

// fullStop ends a sentence, unless it is a question.
func fullStop(s string) string {
	if strings.HasSuffix(s, "?") {
		return s
	}
	return strings.TrimSuffix(s, ".") + "."
}

// nearFlag names the flags that somebody may have meant by one that is not there.
func nearFlag(cmd *cobra.Command, name string) string {
	if name == "secret" && cmd.Flags().Lookup("secret-file") != nil {
		return ". A command line is no place for a secret, every user here can read it: use --secret-file FILE, --secret-stdin or --generate-secret"
	}
	if other := otherFlags()[name]; cmd.Flags().Lookup(other) != nil {
		return ". Did you mean --" + other + "?"
	}
	var longer, known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		known = append(known, "--"+f.Name)
		if strings.HasPrefix(f.Name, name) && len(name) > 2 {
			longer = append(longer, "--"+f.Name)
		}
	})
	if len(longer) > 0 {
		return ". Did you mean " + strings.Join(longer, " or ") + "?"
	}
	return "." + strings.TrimSuffix(term.DidYouMean("--"+name, known), ".")
}

// group makes cmd a group of subcommands: alone it shows its help, and an unknown subcommand is an
// error with a suggestion.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = knownSubcommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// knownSubcommand refuses the word that no subcommand has.
func knownSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	if meant := meantBy(cmd, args[0]); meant != nil {
		for i, line := range meant {
			meant[i] = cmd.Root().Name() + " " + line
		}
		return usagef("unknown command %q for %q. What does that here: %s", args[0], cmd.CommandPath(), strings.Join(meant, ", "))
	}
	if near := term.DidYouMean(args[0], known); near != "" {
		return usagef("unknown command %q for %q.%s", args[0], cmd.CommandPath(), near)
	}
	return usagef("unknown command %q for %q. See: %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
}

// arguments checks the number of arguments; want names them for the sentence.
func arguments(least, most int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least && len(args) == 0:
			return usagef("%s needs %s. See: %s --help", cmd.CommandPath(), want, cmd.CommandPath())
		case len(args) < least:
			return usagef("%s needs %s, and got %d argument(s). See: %s --help", cmd.CommandPath(), want, len(args), cmd.CommandPath())
		case most == 0 && len(args) > 0:
			return usagef("%s takes no arguments, and got %q. See: %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
		case most > 0 && len(args) > most:
			return usagef("%s takes %s, and %q is one too many. See: %s --help", cmd.CommandPath(), want, args[most], cmd.CommandPath())
		}
		return nil
	}
}

// noArguments is the check of commands that take none.
var noArguments = arguments(0, 0, "")

// newHelpCmd is cobra's help with an error, and exit 2, for a command that is not there.
func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:         "help [COMMAND]",
		Short:       "Help about any command",
		Annotations: stateless,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil {
				return usageError(err)
			}
			if len(rest) > 0 && target.HasSubCommands() {
				return knownSubcommand(target, rest)
			}
			return target.Help()
		},
	}
}
