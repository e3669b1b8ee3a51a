package translate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fieldRow   = regexp.MustCompile("^\\| `([^`]+)` \\|([^|]*)\\|([^|]*)\\|([^|]*)\\|$")
	contentRow = regexp.MustCompile("^\\| `([^`]+)` \\| [^|]+ \\| (\\[[^|]*) \\|$")
	keyField   = regexp.MustCompile(`^(?:.*\.)?(?:key|[a-zA-Z]+Key)\.(.+)$`)
)

// keySection is where the fields of every key stand, whatever event it is in.
const keySection = "A key"

// field is one field of the samples of an event.
type field struct {
	types map[string]bool
	seen  int // in how many of the objects that may have it
	of    int
}

func (f *field) typ() string {
	return strings.Join(slices.Sorted(maps.Keys(f.types)), " or ")
}

func (f *field) presence() string {
	if f.seen == f.of {
		return "always"
	}
	return "sometimes"
}

// sampleFields are the fields of all samples, by the heading under which the document has them.
type sampleFields map[string]map[string]*field

// walk notes the fields of an object, and of what it holds. What a message holds has its own table.
func (s sampleFields) walk(section, at string, v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			s.walk(section, at+"[]", e)
		}
	case map[string]any:
		for name, e := range v {
			path := strings.TrimPrefix(at+"."+name, ".")
			if at == "presences" {
				path = "presences.*"
			}
			in, field := place(section, path)
			s.note(in, field, e)
			if name != "message" {
				s.walk(section, path, e)
			}
		}
	}
}

// place is the section that has the field at a path, and its name there.
func place(section, path string) (in, field string) {
	if m := keyField.FindStringSubmatch(path); m != nil {
		return keySection, m[1]
	}
	return section, path
}

func (s sampleFields) note(section, path string, v any) {
	if s[section] == nil {
		s[section] = map[string]*field{}
	}
	f := s[section][path]
	if f == nil {
		f = &field{types: map[string]bool{}}
		s[section][path] = f
	}
	f.seen++
	f.types[jsonType(v)] = true
}

func jsonType(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "list"
	}
	return "object"
}

// count notes in how many objects each field could stand: in those at the path before its name.
func (s sampleFields) count(section, at string, v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			s.count(section, at+"[]", e)
		}
	case map[string]any:
		in, _ := place(section, at+".x")
		prefix := at + "."
		if at == "" {
			prefix = ""
		}
		if in == keySection {
			prefix = ""
		}
		for path, f := range s[in] {
			if rest, ok := strings.CutPrefix(path, prefix); ok && !strings.Contains(rest, ".") {
				f.of++
			}
		}
		for name, e := range v {
			if name == "message" {
				continue
			}
			path := strings.TrimPrefix(at+"."+name, ".")
			if at == "presences" {
				path = "presences.*"
			}
			s.count(section, path, e)
		}
	}
}

// goldenSamples are the bodies by the names of their files.
func goldenSamples(t *testing.T) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(paths) < 60 {
		t.Fatalf("%d bodies, %v", len(paths), err)
	}
	bodies := map[string][]byte{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bodies[strings.TrimSuffix(filepath.Base(path), ".json")] = b
	}
	return bodies
}

// TestDocumentHasEveryField: docs/EVENTS.md has a row for every field of every sample, with its
// type and whether it is always there, and no other rows but those it calls rare; and it shows the
// samples as they are. Of a new field -update adds no row: write it, and what it means.
func TestDocumentHasEveryField(t *testing.T) {
	bodies := goldenSamples(t)
	fields, contents := sampleFields{}, map[string][]string{}
	var all []struct {
		Event string
		Data  any
	}
	for _, name := range slices.Sorted(maps.Keys(bodies)) {
		var b struct {
			Event string
			Data  any
		}
		if err := json.Unmarshal(bodies[name], &b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fields.walk(b.Event, "", b.Data)
		all = append(all, b)
		for _, kind := range sampleContents(b.Data) {
			contents[kind] = append(contents[kind], name)
		}
	}
	for _, b := range all {
		fields.count(b.Event, "", b.Data)
	}

	raw, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	var out strings.Builder
	section, skip := "", false
	described := map[string]bool{} // section and field
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.Trim(heading, "`")
		}
		switch {
		case line == "<!-- /sample -->":
			skip = false
		case skip:
			continue
		case strings.HasPrefix(line, "<!-- sample: "):
			name := strings.TrimSuffix(strings.TrimPrefix(line, "<!-- sample: "), " -->")
			body, ok := bodies[name]
			if !ok || !strings.HasPrefix(name, section+"-") {
				t.Errorf("the sample %s under %s", name, section)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, body, "", "  "); err != nil {
				t.Fatal(err)
			}
			described["sample "+section] = true
			line, skip = line+"\n```json\n"+pretty.String()+"\n```", true
		case section == "What a message holds" && contentRow.MatchString(line):
			m := contentRow.FindStringSubmatch(line)
			described["content "+m[1]] = true
			for _, link := range regexp.MustCompile(`events/(\S+?)\.json`).FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(contents[m[1]], link[1]) {
					t.Errorf("%s: %s has no %s", document, link[1], m[1])
				}
			}
		case fields[section] != nil && fieldRow.MatchString(line):
			m := fieldRow.FindStringSubmatch(line)
			described[section+" "+m[1]] = true
			typ, there := m[2], "rarely"
			if f := fields[section][m[1]]; f != nil {
				typ, there = f.typ(), f.presence()
			}
			if strings.TrimSpace(typ) == "" {
				t.Errorf("%s: %s of %s is in no sample: give its type", document, m[1], section)
			}
			line = fmt.Sprintf("| `%s` | %s | %s | %s |", m[1], strings.TrimSpace(typ), there, strings.TrimSpace(m[4]))
		}
		out.WriteString(line + "\n")
	}
	for section, of := range fields {
		for path := range of {
			if !described[section+" "+path] && path != "presences.*" {
				t.Errorf("%s does not describe %s of %s", document, path, section)
			}
		}
		if section != keySection && !described["sample "+section] {
			t.Errorf("%s has no sample of %s", document, section)
		}
	}
	for kind := range contents {
		if !described["content "+kind] {
			t.Errorf("%s does not say what the content %s is", document, kind)
		}
	}
	switch {
	case out.String() == text:
	case *update:
		if err := os.WriteFile(document, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is stale; run: go test ./connection/translate -run TestDocument -update", document)
	}
}

// TestREADMEHasASample: the body that README.md shows is the one that is sent.
func TestREADMEHasASample(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```json\n(\\{\n  \"event\".*?)\n```").FindSubmatch(readme)
	if shown == nil {
		t.Fatal("README.md shows no body")
	}
	var body bytes.Buffer
	if err := json.Compact(&body, shown[1]); err != nil {
		t.Fatal(err)
	}
	if want := goldenSamples(t)["message.received-text"]; !bytes.Equal(body.Bytes(), want) {
		t.Errorf("README.md shows\n%s\nand message.received-text.json is\n%s", body.Bytes(), want)
	}
}

// sampleContents are the kinds of content of an event's messages.
func sampleContents(data any) (kinds []string) {
	m, _ := data.(map[string]any)
	messages, _ := m["messages"].([]any)
	for _, e := range messages {
		content, _ := e.(map[string]any)["message"].(map[string]any)
		for kind := range content {
			if kind != "messageContextInfo" {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}
