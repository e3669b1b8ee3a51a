package main

import (
	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/config"
	"waoutbox/connection/translate"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

func newCompletionCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a completion script for your shell",
		Long: `Prints a script that has the shell complete commands, flags, settings, and the ids of webhooks and
dead letters. The first line of the examples belongs into ~/.bashrc, to have it in every shell.

bash needs version 4.1 or newer (that of macOS is older) and the package bash-completion, loaded before:
apt install bash-completion, dnf install bash-completion, or brew install bash-completion@2. Without it
bash says "_get_comp_words_by_ref: command not found". zsh needs compinit: autoload -U compinit && compinit
in ~/.zshrc. fish and PowerShell need nothing.`,
		Example: `  source <(waoutbox completion bash)
  waoutbox completion zsh  > "${fpath[1]}/_waoutbox"
  waoutbox completion fish > ~/.config/fish/completions/waoutbox.fish`,
		Args:        arguments(1, 1, "the name of a shell: bash, zsh, fish or powershell"),
		ValidArgs:   []string{"bash", "zsh", "fish", "powershell"},
		Annotations: stateless,
		RunE: func(cmd *cobra.Command, args []string) error {
			if e.json {
				return usagef("what completes commands is a script for a shell, and no JSON: leave --json out")
			}
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(&e.written, true)
			case "zsh":
				return cmd.Root().GenZshCompletion(&e.written)
			case "fish":
				return cmd.Root().GenFishCompletion(&e.written, true)
			case "powershell":
				return cmd.Root().GenPowerShellCompletionWithDesc(&e.written)
			}
			return usagef("unknown shell %q. Known: bash, zsh, fish, powershell", args[0])
		},
	}
}

// Completion asks a running daemon only: pressing a key must neither start one nor lock the state.

// completeWebhooks offers the ids of the webhooks, for commands that take one.
func (e *env) completeWebhooks(cmd *cobra.Command, args []string, _ string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	// no daemon, no offers
	_ = e.withService(cmd.Context(), modeDaemon, func(svc api.Service) error {
		hooks, err := svc.Webhooks(cmd.Context())
		for _, w := range hooks {
			out = append(out, cobra.CompletionWithDesc(w.ID, shownURL(w.URL)))
		}
		return err
	})
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeDeadLetters offers the ids of the oldest dead letters.
func (e *env) completeDeadLetters(cmd *cobra.Command, _ []string, _ string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
	_ = e.withService(cmd.Context(), modeDaemon, func(svc api.Service) error {
		page, err := svc.DeadLetters(cmd.Context(), api.DeadLetterQuery{Limit: listShown})
		for _, l := range page.Items {
			out = append(out, cobra.CompletionWithDesc(l.ID, nameOr(l.Event, "expired")+"  "+lastErrorText(l.LastError)))
		}
		return err
	})
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeSettings offers the names of the settings, and the values of one that has few.
func completeSettings(_ *cobra.Command, args []string, _ string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
	for _, s := range config.Keys() {
		if len(args) == 0 {
			out = append(out, cobra.CompletionWithDesc(s.Key, s.Help))
		} else if len(args) == 1 && s.Key == args[0] {
			out = append(out, s.Values...)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeFlags gives the flags of the whole tree their offers.
func (e *env) completeFlags(cmd *cobra.Command) {
	offers := map[string]cobra.CompletionFunc{
		"event": func(cmd *cobra.Command, _ []string, _ string) (out []cobra.Completion, _ cobra.ShellCompDirective) {
			for _, ev := range translate.Catalog() {
				out = append(out, cobra.CompletionWithDesc(ev.Name, ev.Description))
			}
			// a webhook's filter; listings of every event are those without one
			if cmd.Flags().Lookup("not-chat") != nil {
				out = append(out, cobra.CompletionWithDesc(outbox.Any, "every event"))
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
		"kind":   cobra.FixedCompletions(outbox.ChatKinds(), cobra.ShellCompDirectiveNoFileComp),
		"state":  cobra.FixedCompletions(typingStates(), cobra.ShellCompDirectiveNoFileComp),
		"verify": cobra.FixedCompletions([]cobra.Completion{"node", "python", "go"}, cobra.ShellCompDirectiveNoFileComp),
		"url": func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return e.completeWebhooks(cmd, nil, typed)
		},
	}
	for name, offer := range offers {
		if cmd.Flags().Lookup(name) != nil {
			// fails only for a flag that is not there
			_ = cmd.RegisterFlagCompletionFunc(name, offer)
		}
	}
	if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, c := range cmd.Commands() {
		e.completeFlags(c)
	}
}
