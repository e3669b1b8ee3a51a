package mcpclients

import (
	"fmt"
	"path"
	"strings"

	"waoutbox/cmd/internal/mcpclients/jsonc"
)

// Snippet returns the text that stands for the entry in a file of the client that holds nothing
// else, "" for one without a file.
func (c Client) Snippet(e Entry) (string, error) {
	if c.format == formatNone {
		return "", nil
	}
	text, err := c.Merge(nil, e)
	return string(text), err
}

// Merge returns the text of the client's file with the entry in it: added, or with the command and
// the arguments of one of that name brought up to date. Everything else stays as it is, comments
// included. An error says why the file cannot be changed: what is wrong in which line, or that the
// name is another server's.
func (c Client) Merge(old []byte, e Entry) ([]byte, error) {
	get, set := c.methods()
	if get == nil {
		return nil, ErrNoFile
	}
	there, err := get(old, c.servers, e.Name)
	if err != nil {
		return nil, err
	}
	if there != nil && !ours(there, e) {
		return nil, fmt.Errorf("%s.%s is another server; give this one another name with --name", c.servers, e.Name)
	}
	return set(old, e)
}

func (c Client) methods() (get func([]byte, ...string) (map[string]any, error), set func([]byte, Entry) ([]byte, error)) {
	switch c.format {
	case formatJSON:
		return jsonc.Get, func(old []byte, e Entry) ([]byte, error) {
			members := []jsonc.Member{{Key: "command", Value: e.Command}, {Key: "args", Value: e.Args}}
			if c.typed {
				members = append([]jsonc.Member{{Key: "type", Value: "stdio"}}, members...)
			}
			return jsonc.Set(old, members, c.servers, e.Name)
		}
	case formatTOML:
		return tomlGet, func(old []byte, e Entry) ([]byte, error) { return tomlSet(old, e, c.servers, e.Name) }
	}
	return nil, nil
}

// ours reports whether an entry starts the program of e: an older one, one elsewhere, or one that
// was written by hand.
func ours(entry map[string]any, e Entry) bool {
	command, _ := entry["command"].(string)
	if len(entry) == 0 || command == e.Command {
		return true
	}
	base := path.Base(strings.ReplaceAll(command, `\`, "/"))
	return strings.HasPrefix(strings.ToLower(base), "waoutbox")
}
