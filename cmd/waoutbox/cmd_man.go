package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newManCmd prints the manual page, which packages install. It is not listed: who has the program
// has its help.
func newManCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:         "man",
		Short:       "Print the manual page",
		Hidden:      true,
		Args:        noArguments,
		Annotations: stateless,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if e.json {
				return usagef("the manual page is for people, and no JSON: leave --json out")
			}
			e.printf("%s", manualPage(cmd.Root()))
			return nil
		},
	}
}

// roff writes text as it is: a line that begins with a dot or a quote is no request, and a
// backslash and a hyphen are those.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(text)
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			line = `\&` + line
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// manualPage is waoutbox(1): the whole command tree.
func manualPage(root *cobra.Command) string {
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(strings.Join(parts, "") + "\n") }
	line(`.TH WAOUTBOX 1 "" "waoutbox `, version, `" "User Commands"`)
	line(".SH NAME\nwaoutbox ", `\- `, roff(root.Short))
	line(".SH SYNOPSIS\n.B waoutbox\n[", roff("--state-dir DIR"), "] [", roff("--json"), "] COMMAND ...")
	line(".SH DESCRIPTION\n", roff(root.Long))
	manualExamples(line, root)
	line(".SH COMMANDS")
	manualCommands(line, root)
	line(".SH ENVIRONMENT\n.TP\n.B WAOUTBOX_STATE_DIR\nThe state directory, where ", roff("--state-dir"), " does not name one.")
	line(".TP\n.B STATE_DIRECTORY\nThe same, of a unit of systemd.\n.TP\n.B WAOUTBOX_...\nSettings of the service: ", roff("waoutbox config list"), " has their names.\n.TP\n.B NO_COLOR\nNo colours.")
	line(".SH FILES\n.TP\n.I ~/.local/state/waoutbox\nThe state: settings (config.json), the outbox, the link, the key, the log.")
	return b.String()
}

func manualCommands(line func(...string), parent *cobra.Command) {
	for _, cmd := range parent.Commands() {
		if !cmd.IsAvailableCommand() || cmd.Name() == "help" {
			continue
		}
		line(".SS ", roff(strings.TrimPrefix(cmd.UseLine(), "waoutbox ")))
		if line(roff(cmd.Short), "."); cmd.Long != "" {
			line(".PP\n", roff(cmd.Long))
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			name, usage := pflag.UnquoteUsage(f)
			line(".TP\n.B ", roff("--"+f.Name), " ", roff(name), "\n", roff(usage))
		})
		manualExamples(line, cmd)
		manualCommands(line, cmd)
	}
}

func manualExamples(line func(...string), cmd *cobra.Command) {
	if cmd.Example != "" {
		line(".PP\n.nf\n", roff(cmd.Example), "\n.fi")
	}
}
