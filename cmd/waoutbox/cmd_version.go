package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// versionInfo is `version --json`.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a tree with changes
	// of the revision
	Time time.Time `json:"time,omitzero"`
	// of the WhatsApp library in it
	LibraryTime time.Time `json:"library_time,omitzero"`
	Go          string    `json:"go"`
	OS          string    `json:"os"`
	Arch        string    `json:"arch"`
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
	for _, m := range info.Deps {
		if m.Path == libraryModule {
			v.LibraryTime = revisionTime(m.Version)
		}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time, _ = time.Parse(time.RFC3339, s.Value) // none: its age is not known
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// libraryModule is the WhatsApp library. How old it is decides for how long WhatsApp lets the
// program in, and unlike the program's own revision it is known in every build.
const libraryModule = "go.mau.fi/whatsmeow"

// revisionTime is when the revision was made that a version without a release names, the zero time
// for any other: v0.0.0-20260921121126-35ae40906e74.
func revisionTime(version string) time.Time {
	for part := range strings.SplitSeq(version, "-") {
		if t, err := time.Parse("20060102150405", part); err == nil {
			return t
		}
	}
	return time.Time{}
}
