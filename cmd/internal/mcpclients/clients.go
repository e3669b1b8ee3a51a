// Package mcpclients knows the programs that use MCP servers: where each keeps its servers, what
// waoutbox's entry looks like there, and how it is put into a file that people write in.
package mcpclients

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// System is the machine a client runs on: its kind, as runtime.GOOS has it, and its environment.
type System struct {
	GOOS   string
	Getenv func(string) string
	// List returns the names in a directory, none when it is not there. Nil is a machine that has
	// no files yet.
	List func(dir string) []string
}

// ThisSystem is the machine this process runs on, for its user.
func ThisSystem(getenv func(string) string) System {
	return System{GOOS: runtime.GOOS, Getenv: getenv, List: func(dir string) (names []string) {
		entries, _ := os.ReadDir(dir) // what cannot be read holds nothing for this user
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}}
}

// Entry is what a client is told: the name it shows, and the command it starts.
type Entry struct {
	Name    string
	Command string // absolute
	Args    []string
}

// format is how a client's file is written.
type format int

const (
	formatNone format = iota // it has no file
	formatJSON
	formatTOML
)

// Client is one program.
type Client struct {
	Name  string // on the command line
	Title string // as its makers write it
	After string // what its user does for it to take up a change

	format  format
	servers string                           // the member of its file that holds the servers
	typed   bool                             // an entry names its transport
	file    func(System) []string            // the parts of the file's path
	command func(e Entry) (string, []string) // its own command to add a server, nil for none
}

// ErrNoFile is the error for a client whose servers are in no file.
var ErrNoFile = errors.New("it keeps its servers in no file")

// All returns every client, the most used first.
func All() []Client {
	return []Client{
		{
			Name: "claude-code", Title: "Claude Code", After: "start claude again; /mcp lists it",
			format: formatJSON, servers: "mcpServers", typed: true, file: claudeCodeFile,
			command: func(e Entry) (string, []string) {
				return "claude", append([]string{"mcp", "add", "--scope", "user", e.Name, "--", e.Command}, e.Args...)
			},
		},
		{
			Name: "claude-desktop", Title: "Claude Desktop", After: "quit Claude Desktop, its icon in the tray too, and open it again",
			format: formatJSON, servers: "mcpServers", file: claudeDesktopFile,
		},
		{
			Name: "cursor", Title: "Cursor", After: "open Cursor's settings, Tools & MCP, and switch it on there",
			format: formatJSON, servers: "mcpServers", file: func(s System) []string { return []string{s.home(), ".cursor", "mcp.json"} },
		},
		{
			Name: "vscode", Title: "VS Code", After: "run \"MCP: List Servers\" from the command palette of VS Code and start it there",
			format: formatJSON, servers: "servers", typed: true, file: func(s System) []string { return append(s.appData(), "Code", "User", "mcp.json") },
		},
		{
			Name: "gemini", Title: "Gemini CLI", After: "start gemini again; /mcp lists it",
			format: formatJSON, servers: "mcpServers", file: func(s System) []string { return []string{s.home(), ".gemini", "settings.json"} },
		},
		{
			Name: "codex", Title: "Codex", After: "start codex again; /mcp lists it",
			format: formatTOML, servers: "mcp_servers", file: codexFile,
			command: func(e Entry) (string, []string) {
				return "codex", append([]string{"mcp", "add", e.Name, "--", e.Command}, e.Args...)
			},
		},
		{Name: "n8n", Title: "n8n"},
	}
}

// Find returns the client of that name.
func Find(name string) (Client, bool) {
	for _, c := range All() {
		if c.Name == name {
			return c, true
		}
	}
	return Client{}, false
}

// File returns the file in which the client keeps its user's servers, whether it is there or not.
func (c Client) File(s System) (string, error) {
	if c.format == formatNone {
		return "", ErrNoFile
	}
	parts := c.file(s)
	if parts[0] == "" {
		return "", fmt.Errorf("where %s keeps its servers cannot be told: %s is not set", c.Title, s.homeName())
	}
	return s.join(parts...), nil
}

// Command returns the words of the client's own command that adds the entry, nil when it has none.
func (c Client) Command(e Entry) []string {
	if c.command == nil {
		return nil
	}
	name, args := c.command(e)
	return append([]string{name}, args...)
}

func (s System) join(parts ...string) string {
	if s.GOOS == "windows" {
		return strings.Join(parts, `\`)
	}
	return strings.Join(parts, "/")
}

func (s System) homeName() string {
	if s.GOOS == "windows" {
		return "USERPROFILE"
	}
	return "HOME"
}

func (s System) home() string { return strings.TrimRight(s.Getenv(s.homeName()), `/\`) }

// appData returns where programs with windows keep their settings. Its first part is "" when that
// cannot be told.
func (s System) appData() []string {
	switch s.GOOS {
	case "windows":
		if dir := s.Getenv("APPDATA"); dir != "" {
			return []string{dir}
		}
		return []string{s.home(), "AppData", "Roaming"}
	case "darwin":
		return []string{s.home(), "Library", "Application Support"}
	}
	if dir := s.Getenv("XDG_CONFIG_HOME"); strings.HasPrefix(dir, "/") {
		return []string{strings.TrimRight(dir, "/")}
	}
	return []string{s.home(), ".config"}
}

const claudeDesktopConfig = "claude_desktop_config.json"

// claudeDesktopFile returns the usual place, or on Windows that of the packaged program: what such
// a one reads and writes in the usual place is redirected into its package.
func claudeDesktopFile(s System) []string {
	usual := append(s.appData(), "Claude", claudeDesktopConfig)
	local := s.Getenv("LOCALAPPDATA")
	if s.GOOS != "windows" || s.List == nil || local == "" {
		return usual
	}
	var packaged []string
	for _, name := range s.List(s.join(local, "Packages")) {
		if !strings.HasPrefix(name, "Claude_") {
			continue
		}
		dir := []string{local, "Packages", name, "LocalCache", "Roaming", "Claude"}
		used := slices.Contains(s.List(s.join(dir...)), claudeDesktopConfig)
		if packaged == nil || used {
			packaged = append(dir, claudeDesktopConfig)
		}
		if used {
			break
		}
	}
	if packaged != nil {
		return packaged
	}
	return usual
}

func claudeCodeFile(s System) []string {
	if dir := s.Getenv("CLAUDE_CONFIG_DIR"); dir != "" {
		return []string{dir, ".claude.json"}
	}
	return []string{s.home(), ".claude.json"}
}

func codexFile(s System) []string {
	if dir := s.Getenv("CODEX_HOME"); dir != "" {
		return []string{dir, "config.toml"}
	}
	return []string{s.home(), ".codex", "config.toml"}
}
