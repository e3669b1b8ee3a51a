package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionInfo is `version --json`.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a tree with changes
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func newVersionCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:         "version",
		Short:       "Print the version and what it was built from",
		Args:        noArguments,
		Annotations: stateless,
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			if e.json {
				e.printJSON(v)
				return nil
			}
			e.printf("waoutbox %s", v.Version)
			if v.Revision != "" {
				e.printf(" (%.12s", v.Revision)
				if v.Modified {
					e.printf(", modified")
				}
				e.printf(")")
			}
			e.printf("  %s %s/%s\n", v.Go, v.OS, v.Arch)
			return nil
		},
	}
}

func buildVersion() versionInfo {
	v := versionInfo{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func newCompletionCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a completion script for your shell",
		Example: `  source <(waoutbox completion bash)
  waoutbox completion zsh  > "${fpath[1]}/_waoutbox"
  waoutbox completion fish > ~/.config/fish/completions/waoutbox.fish`,
		Args:        arguments(1, 1, "the name of a shell: bash, zsh, fish or powershell"),
		ValidArgs:   []string{"bash", "zsh", "fish", "powershell"},
		Annotations: stateless,
		RunE: func(cmd *cobra.Command, args []string) error {
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
