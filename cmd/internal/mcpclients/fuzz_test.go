package mcpclients

import (
	"bytes"
	"testing"

	"github.com/BurntSushi/toml"
)

// FuzzTOML: of whatever file somebody has, either nothing is changed, or it is TOML with the entry
// in it, and once more changes nothing.
func FuzzTOML(f *testing.F) {
	for _, seed := range []string{
		"", "[mcp_servers.waoutbox]\ncommand = \"old\"\nargs = [\n \"x\", # why\n]\nenv = { A = \"b\" }\n", "[mcp_servers]\nwaoutbox = {command='x'}\n",
		"a = '''\n[mcp_servers.waoutbox]\n'''\r\n", "[mcp_servers.\"waoutbox\"]\n", "[[mcp_servers]]\n", "x = 1 # [mcp_servers.waoutbox]", "= 1", "a = \"\\\"[\"\n[mcp_servers.waoutbox.env]\nA=1\n",
	} {
		f.Add([]byte(seed), "/usr/bin/waoutbox")
	}
	f.Fuzz(func(t *testing.T, src []byte, command string) {
		kept := bytes.Clone(src)
		e := Entry{Name: "waoutbox", Command: command, Args: []string{"mcp"}}
		out, err := tomlSet(src, e, "mcp_servers", e.Name)
		if !bytes.Equal(src, kept) {
			t.Fatalf("%q was changed in place", kept)
		}
		if err != nil {
			return
		}
		all := map[string]any{}
		if err := toml.Unmarshal(out, &all); err != nil {
			t.Fatalf("%q became %q: %v", src, out, err)
		}
		if got, err := tomlGet(out, "mcp_servers", e.Name); err != nil || got["command"] != command {
			t.Errorf("%q became %q, which says %v, %v", src, out, got, err)
		}
		if again, err := tomlSet(out, e, "mcp_servers", e.Name); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%q became %q, and once more %q, %v", src, out, again, err)
		}
	})
}
