// Command mcpb prepares what the script beside it packs and publishes. The manifest, with the tools
// and the version of a built program; one program of macOS out of those for its processors; and
// server.json for the registry, with the bundle's hash:
//
//	go run ./.ci/mcpb stage DIR PROGRAM
//	go run ./.ci/mcpb universal OUT IN…
//	go run ./.ci/mcpb server DIR BUNDLE OUT
package main

import (
	"bytes"
	"crypto/sha256"
	"debug/macho"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// source is where the templates are, seen from the root of the tree.
const source = ".ci/mcpb"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "stage":
		return stage(args[1], args[2])
	case len(args) > 2 && args[0] == "universal":
		return universal(args[1], args[2:])
	case len(args) == 4 && args[0] == "server":
		return server(args[1], args[2], args[3])
	}
	return errors.New("run it as the script beside it does")
}

// template reads a JSON file of this directory.
func template(name string) (map[string]any, error) {
	text, err := os.ReadFile(filepath.Join(source, name))
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	return out, json.Unmarshal(text, &out)
}

func write(path string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// stage writes the manifest to dir.
func stage(dir, program string) error {
	manifest, err := template("manifest.json")
	if err != nil {
		return err
	}
	if manifest["version"], err = versionOf(program); err != nil {
		return err
	}
	if manifest["tools"], err = toolsOf(program); err != nil {
		return err
	}
	if err := conforms(manifest, "manifest-0.3.json"); err != nil {
		return err
	}
	return write(filepath.Join(dir, "manifest.json"), manifest)
}

// conforms checks a document against a schema that others published.
func conforms(document any, name string) error {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(source, "schemas", name))
	if err != nil {
		return err
	}
	text, err := json.Marshal(document) // its Go types are none of the checker's
	if err != nil {
		return err
	}
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(plain)
}

// versionOf asks a program for its version.
func versionOf(program string) (string, error) {
	out, err := exec.Command(program, "version", "--json").Output()
	if err != nil {
		return "", fmt.Errorf("%s version: %w", program, err)
	}
	var v struct{ Version string }
	if err := json.Unmarshal(out, &v); err != nil || v.Version == "" {
		return "", fmt.Errorf("%s version printed %q", program, out)
	}
	return v.Version, nil
}

// listedTool is a tool as the manifest names it.
type listedTool struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// toolsOf asks a program for its tools, which starts no service.
func toolsOf(program string) ([]listedTool, error) {
	cmd := exec.Command(program, "mcp", "--no-spawn")
	cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"mcpb","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/list"}
`)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s mcp: %w", program, err)
	}
	for line := range bytes.Lines(out) {
		var m struct {
			ID     int
			Result struct{ Tools []listedTool }
		}
		if err := json.Unmarshal(line, &m); err != nil {
			return nil, fmt.Errorf("%s mcp: %w", program, err)
		}
		if m.ID == 2 && len(m.Result.Tools) > 0 {
			return m.Result.Tools, nil
		}
	}
	return nil, fmt.Errorf("%s mcp lists no tools: %s", program, out)
}

const (
	fatMagic = 0xcafebabe
	fatAlign = 14 // as a power of two: a page of Apple's processors
)

// fatArch is one entry of the head of a universal program, in the order of its bytes.
type fatArch struct{ CPU, SubCPU, Offset, Size, Align uint32 }

// universal writes the programs one behind the other, under a head that says where each is.
func universal(out string, programs []string) error {
	const page = 1 << fatAlign
	body := make([]byte, page)
	head := new(bytes.Buffer)
	put := func(v any) { _ = binary.Write(head, binary.BigEndian, v) } // into memory
	put(uint32(fatMagic))
	put(uint32(len(programs)))
	for _, path := range programs {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := macho.NewFile(bytes.NewReader(text))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		put(fatArch{uint32(f.Cpu), f.SubCpu, uint32(len(body)), uint32(len(text)), fatAlign})
		body = append(body, text...)
		body = append(body, make([]byte, (page-len(body)%page)%page)...)
	}
	copy(body, head.Bytes())
	return os.WriteFile(out, body, 0o755)
}

var (
	hash       = regexp.MustCompile(`^[a-f0-9]{64}$`)
	serverName = regexp.MustCompile(`^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$`)
)

// server writes server.json for a bundle that was packed from dir.
func server(dir, bundle, out string) error {
	entry, err := template("server.json")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return err
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		return err
	}
	packed, err := os.ReadFile(bundle)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(packed)
	entry["version"] = manifest.Version
	packages, _ := entry["packages"].([]any)
	if len(packages) != 1 {
		return errors.New("server.json has not one package")
	}
	p, _ := packages[0].(map[string]any)
	identifier, _ := p["identifier"].(string)
	p["identifier"] = strings.ReplaceAll(identifier, "{version}", manifest.Version)
	p["fileSha256"] = hex.EncodeToString(sum[:])
	if err := check(entry, p); err != nil {
		return err
	}
	return write(out, entry)
}

// check holds server.json against the registry's schema, and what that does not ask.
func check(entry, p map[string]any) error {
	name, _ := entry["name"].(string)
	description, _ := entry["description"].(string)
	version, _ := entry["version"].(string)
	identifier, _ := p["identifier"].(string)
	sum, _ := p["fileSha256"].(string)
	if err := conforms(entry, "server-2025-12-11.json"); err != nil {
		return fmt.Errorf("server.json: %w", err)
	}
	switch {
	case !serverName.MatchString(name):
		return fmt.Errorf("server.json: the name %q is none", name)
	case description == "":
		return errors.New("server.json: it has no description")
	case version == "" || strings.ContainsAny(version, "^~<>=*x ") || version == "latest":
		return fmt.Errorf("server.json: %q is not one version", version)
	case !strings.HasPrefix(identifier, "https://") || !strings.HasSuffix(identifier, ".mcpb") || strings.Contains(identifier, "{"):
		return fmt.Errorf("server.json: the identifier %q is no bundle's address", identifier)
	case !hash.MatchString(sum):
		return fmt.Errorf("server.json: %q is no hash", sum)
	}
	return nil
}
