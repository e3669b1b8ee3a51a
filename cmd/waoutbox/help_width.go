package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/term"
)

// widestHelp is the width of a help text on a terminal that is wider.
const widestHelp = 120

// fitHelp wraps the help of root and of all its commands for a terminal of that width; 0 leaves it
// as it is written.
func fitHelp(root *cobra.Command, width int) {
	if width == 0 {
		return
	}
	width = min(width, widestHelp)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", width)))
	var fit func(cmd *cobra.Command)
	fit = func(cmd *cobra.Command) {
		cmd.Long = wrapText(cmd.Long, width)
		for _, c := range cmd.Commands() {
			fit(c)
		}
	}
	fit(root)
}

// wrapText breaks the lines of each paragraph anew, so that they take at most width columns. A
// paragraph with a line that is set in stays as it is.
func wrapText(text string, width int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if strings.HasPrefix(p, " ") || strings.Contains(p, "\n ") {
			continue
		}
		paragraphs[i] = term.Wrap(strings.Join(strings.Fields(p), " "), width, 0)
	}
	return strings.Join(paragraphs, "\n\n")
}
