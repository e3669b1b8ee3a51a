package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/mcpclients"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// usualEntry is the name under which clients show the tools.
const usualEntry = "whatsapp"

// codeClientFile: the file of a client cannot be changed as it is.
const codeClientFile api.Code = "client_file_unusable"

// entryName is what every client takes for a name.
var entryName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// clientNames returns the names of the clients that mcp config knows.
func clientNames() (names []string) {
	for _, c := range mcpclients.All() {
		names = append(names, c.Name)
	}
	return names
}

func newMCPConfigCmd(e *env) *cobra.Command {
	o := configOptions{name: usualEntry}
	names := clientNames()
	cmd := &cobra.Command{
		Use:   "config " + strings.Join(names, "|"),
		Short: "Print what a client of MCP needs to start the tools, or write it",
		Long: `Prints what tells a client of MCP about waoutbox, with the path of this program, and where it belongs.
With --write it is put there: what the file holds stays, comments included, and a copy of it is kept
beside it. A file that cannot be read as the client would is left alone.`,
		Example: `  waoutbox mcp config claude-desktop --write
  waoutbox mcp config cursor --read-only`,
		Args:      arguments(1, 1, "the name of one client: "+strings.Join(names, ", ")),
		ValidArgs: names,
		RunE:      func(cmd *cobra.Command, args []string) error { return e.mcpConfig(cmd.Context(), args[0], o) },
	}
	cmd.Flags().BoolVar(&o.write, "write", false, "put it into the client's file")
	cmd.Flags().BoolVar(&o.readOnly, "read-only", false, "offer only the tools that change nothing")
	cmd.Flags().StringVar(&o.name, "name", o.name, "the name under which the client shows the tools")
	return cmd
}

// configOptions are the flags of mcp config.
type configOptions struct {
	write, readOnly bool
	name            string
}

// clientConfig is what mcp config prints for programs.
type clientConfig struct {
	Client string `json:"client"`
	Path   string `json:"path"`
	// the file's text if it is JSON, else a string that holds it
	Snippet json.RawMessage `json:"snippet"`
	Command []string        `json:"command,omitempty"` // the client's own, that adds it
	Written bool            `json:"written"`
	Backup  string          `json:"backup,omitempty"`

	Warnings []string `json:"warnings,omitempty"`
}

func (e *env) mcpConfig(ctx context.Context, name string, o configOptions) error {
	c, ok := mcpclients.Find(name)
	if !ok {
		if near := term.DidYouMean(name, clientNames()); near != "" {
			return usagef("unknown client %q.%s", name, near)
		}
		return usagef("unknown client %q. Known: %s", name, strings.Join(clientNames(), ", "))
	}
	if !entryName.MatchString(o.name) {
		return usagef("--name %q is no name for every client: use up to 40 letters, digits, - and _", o.name)
	}
	path, err := c.File(mcpclients.ThisSystem(e.getenv))
	if errors.Is(err, mcpclients.ErrNoFile) {
		return e.mcpConfigHTTP(ctx, c, o)
	}
	if err != nil {
		return usageError(err)
	}
	entry, err := e.clientEntry(o)
	if err != nil {
		return err
	}
	snippet, err := c.Snippet(entry)
	if err != nil {
		return err
	}
	out := clientConfig{Client: c.Name, Path: path, Command: c.Command(entry), Snippet: json.RawMessage(snippet)}
	if !json.Valid(out.Snippet) {
		if out.Snippet, err = json.Marshal(snippet); err != nil {
			return err
		}
	}
	if o.write {
		return e.writeClient(c, entry, out)
	}
	if e.json {
		out.Warnings = e.remarks
		e.printJSON(out)
		return nil
	}
	e.printf("%s reads %s. This belongs there:\n\n%s\n", c.Title, e.home(path), snippet)
	if out.Command != nil {
		e.printf("Its own command does the same:\n  %s\n", commandLine(out.Command))
	}
	e.next("waoutbox mcp config %s%s --write   (puts it there; then %s)", c.Name, flagsAgain(o), c.After)
	return nil
}

// flagsAgain names the flags that have to be given again with --write.
func flagsAgain(o configOptions) string {
	var flags []string
	if o.readOnly {
		flags = append(flags, "--read-only")
	}
	if o.name != usualEntry {
		flags = append(flags, "--name "+o.name)
	}
	if flags == nil {
		return ""
	}
	return " " + strings.Join(flags, " ")
}

func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = term.Quote(w)
	}
	return strings.Join(quoted, " ")
}

// writeClient puts the entry into the client's file.
func (e *env) writeClient(c mcpclients.Client, entry mcpclients.Entry, out clientConfig) error {
	_, statErr := os.Stat(filepath.Dir(out.Path))
	w, err := mcpclients.Write(out.Path, func(old []byte) ([]byte, error) {
		text, err := c.Merge(old, entry)
		if err != nil {
			err = api.Errorf(codeClientFile, "%s was left as it is: %v. What belongs there: %s", out.Path, err, e.command("mcp config %s", c.Name))
		}
		return text, err
	})
	if err != nil {
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			return explain.Unusable(err, out.Path+" cannot be written")
		}
		return err
	}
	out.Written, out.Backup, out.Path = w.Changed, w.Backup, w.Path
	if errors.Is(statErr, fs.ErrNotExist) {
		e.note("note: %s was not there; is %s installed for this user?", filepath.Dir(out.Path), c.Title)
	}
	switch {
	case e.json:
		out.Warnings = e.remarks
		e.printJSON(out)
		return nil
	case !w.Changed:
		e.printf("%s already has %q as it should be.\n", e.home(w.Path), entry.Name)
	case w.Created:
		e.printf("Made %s with %q in it.\n", e.home(w.Path), entry.Name)
	default:
		e.printf("%q is in %s. What it was before: %s\n", entry.Name, e.home(w.Path), e.home(w.Backup))
	}
	e.next("%s", c.After)
	return nil
}

// clientEntry is what a client is told to start.
func (e *env) clientEntry(o configOptions) (mcpclients.Entry, error) {
	path, err := programPath()
	if err != nil {
		return mcpclients.Entry{}, fmt.Errorf("the path of this program cannot be told: %w", err)
	}
	if strings.Contains(path, "go-build") {
		e.note("warning: %s is a build that will be gone; install the program first: go install ./cmd/waoutbox", path)
	}
	var args []string
	if !e.foundWithoutUs() {
		args = append(args, "--state-dir", e.stateDir)
	}
	args = append(args, "mcp")
	if o.readOnly {
		args = append(args, "--read-only")
	}
	return mcpclients.Entry{Name: o.name, Command: path, Args: args}, nil
}

// foundWithoutUs reports whether a client finds the state directory by itself. It has the user's
// environment, but not what a shell or an agent has set in its own.
func (e *env) foundWithoutUs() bool {
	usual, err := store.DefaultDir(runtime.GOOS, func(name string) string {
		if name == "WAOUTBOX_STATE_DIR" || name == "XDG_STATE_HOME" {
			return ""
		}
		return e.getenv(name)
	})
	return err == nil && filepath.Clean(usual) == filepath.Clean(e.stateDir)
}

// programPath returns this program's path: the one it is found by, which stays when an update puts
// another file behind it, else that of the file.
func programPath() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	found, err := exec.LookPath(filepath.Base(path))
	if err != nil || !filepath.IsAbs(found) {
		return path, nil
	}
	ours, err := os.Stat(path)
	if err != nil {
		return path, nil // nothing to compare with
	}
	if theirs, err := os.Stat(found); err == nil && os.SameFile(ours, theirs) {
		return found, nil
	}
	return path, nil
}
