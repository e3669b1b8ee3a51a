package mcpclients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
)

// tomlGet returns the table at path, nil when one of the names is not there.
func tomlGet(src []byte, path ...string) (map[string]any, error) {
	all := map[string]any{}
	if err := toml.Unmarshal(src, &all); err != nil {
		return nil, tomlError(err)
	}
	for i, name := range path {
		value, ok := all[name]
		if !ok {
			return nil, nil
		}
		if all, ok = value.(map[string]any); !ok {
			return nil, fmt.Errorf("%q is there and no table", strings.Join(path[:i+1], "."))
		}
	}
	return all, nil
}

// tomlSet returns src with the table at path holding command and args. A table that is there keeps
// its other keys; else one is written at the end. Everything else stays as it is. A file that
// writes the table in another way than under a header of its own is refused.
func tomlSet(src []byte, e Entry, path ...string) ([]byte, error) {
	before, err := tomlGet(src)
	if err != nil {
		return nil, err
	}
	table, err := tomlGet(src, path...)
	if err != nil {
		return nil, err
	}
	newline := "\n"
	if bytes.Contains(src, []byte("\r\n")) {
		newline = "\r\n"
	}
	var out []byte
	if table == nil {
		out = bytes.Clone(bytes.TrimRight(src, "\r\n")) // src is the caller's
		if len(out) > 0 {
			out = append(out, newline+newline...)
		}
		text := strings.ReplaceAll(tomlTable(e, path...), "\n", newline)
		out = append(out, text...)
	} else {
		out = tomlReplace(src, e, path, newline)
	}
	at := before
	for _, name := range path {
		next, ok := at[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
	args := []any{}
	for _, a := range e.Args {
		args = append(args, a)
	}
	at["command"], at["args"] = e.Command, args
	if after, err := tomlGet(out); err != nil || !reflect.DeepEqual(after, before) {
		return nil, errors.New("it is written in a way that cannot be changed here; change it by hand")
	}
	return out, nil
}

// tomlTable writes the table of an entry.
func tomlTable(e Entry, path ...string) string {
	return tomlHeader(path) + "\n" + tomlCommand(e) + "\n" + tomlArgs(e) + "\n"
}

func tomlHeader(path []string) string {
	var names []string
	for _, name := range path {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			name = tomlText(name)
		}
		names = append(names, name)
	}
	return "[" + strings.Join(names, ".") + "]"
}

func tomlCommand(e Entry) string { return "command = " + tomlText(e.Command) }

func tomlArgs(e Entry) string {
	var words []string
	for _, a := range e.Args {
		words = append(words, tomlText(a))
	}
	return "args = [" + strings.Join(words, ", ") + "]"
}

// tomlText writes a string. The escapes of JSON are escapes there, too.
func tomlText(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}

// tomlReplace sets the two keys below the header of path. What it cannot make of src shows when the
// result is compared.
func tomlReplace(src []byte, e Entry, path []string, newline string) []byte {
	want := map[string]string{"command": tomlCommand(e), "args": tomlArgs(e)}
	header := tomlHeader(path)
	inside := false
	var out bytes.Buffer
	finish := func() {
		if !inside {
			return
		}
		rest := bytes.TrimRight(out.Bytes(), "\r\n \t")
		tail := bytes.Clone(out.Bytes()[len(rest):])
		out.Truncate(len(rest))
		for _, key := range []string{"command", "args"} {
			if want[key] != "" {
				out.WriteString(newline + want[key])
			}
		}
		if len(tail) == 0 {
			tail = []byte(newline)
		}
		out.Write(tail)
		inside = false
	}
	for len(src) > 0 {
		statement := src[:tomlStatement(src)]
		src = src[len(statement):]
		text := bytes.TrimSpace(statement)
		key, _, _ := bytes.Cut(text, []byte("="))
		name := string(bytes.TrimSpace(key))
		switch {
		case bytes.HasPrefix(text, []byte("[")):
			finish()
			inside = bytes.HasPrefix(bytes.ReplaceAll(text, []byte(" "), nil), []byte(header))
		case inside && want[name] != "":
			out.WriteString(want[name] + newline)
			delete(want, name)
			continue
		}
		out.Write(statement)
	}
	finish()
	return out.Bytes()
}

// tomlStatement returns the length of the first statement: up to the newline that ends it, which
// those in strings and brackets of a value do not.
func tomlStatement(src []byte) int {
	depth, header := 0, bytes.HasPrefix(bytes.TrimLeft(src, " \t"), []byte("["))
	for i := 0; i < len(src); i++ {
		switch c := src[i]; c {
		case '#':
			end := bytes.IndexByte(src[i:], '\n')
			if end < 0 {
				return len(src)
			}
			i += end - 1
		case '"', '\'':
			quote := src[i : i+1]
			if bytes.HasPrefix(src[i:], bytes.Repeat(quote, 3)) {
				quote = bytes.Repeat(quote, 3)
			}
			for i += len(quote); i < len(src) && !bytes.HasPrefix(src[i:], quote); i++ {
				if c == '"' && src[i] == '\\' {
					i++
				}
			}
			i += len(quote) - 1
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '\n':
			if depth <= 0 || header {
				return i + 1
			}
		}
	}
	return len(src)
}

// tomlError is the parser's error with the line it names.
func tomlError(err error) error {
	if e, ok := errors.AsType[toml.ParseError](err); ok {
		return fmt.Errorf("line %d: %s", e.Position.Line, e.Message)
	}
	return err
}
