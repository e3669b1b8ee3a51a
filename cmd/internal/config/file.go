package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"waoutbox/cmd/internal/explain"
	"waoutbox/cmd/internal/term"
	"waoutbox/store"
	"waoutbox/store/private"
)

// fileVersion is the version of config.json. A newer file is refused: its keys may mean something
// else.
const fileVersion = 1

// versionKey stands beside the settings in the file and is none.
const versionKey = "version"

// maxFileBytes bounds what is read: a settings file is a few hundred bytes.
const maxFileBytes = 1 << 20

// Get returns what the file says about key: its text, and false when it says nothing.
func Get(path, key string) (string, bool, error) {
	if _, ok := find(key); !ok {
		return "", false, unknownKey(key, "config get")
	}
	stored, err := readFile(path)
	if err != nil {
		return "", false, err
	}
	v, ok := stored[key]
	return v, ok, nil
}

// Set checks value and writes it to the file, durably and atomically: readers see the old file or
// the new one. The directory is made (0700) if it is not there. whatsapp-url and whatsapp-root-key
// may be set one after the other; Hint tells what is still missing in between. Of two calls at the
// same time the last one wins. A running service uses the value from its next start.
func Set(path, key, value string) error {
	members, err := membersWith(path, key, value)
	if err != nil {
		return err
	}
	return writeFile(path, members)
}

// Change is what Set, or Unset, would do: what stands in the file before and after it, without what
// is secret; "" where nothing does. An error says why it would fail.
func Change(path, key, value string, unset bool) (was, is string, err error) {
	members, err := readMembers(path)
	if err != nil {
		return "", "", err
	}
	if !unset {
		_, err = membersWith(path, key, value)
	} else if _, there := members[key]; !there {
		if _, known := find(key); !known {
			err = unknownKey(key, "config unset")
		}
	}
	if err != nil {
		return "", "", err
	}
	if raw, there := members[key]; there {
		if was, err = memberText(raw); err != nil { // Set makes of it what it should be
			was = "(unreadable)"
		}
	}
	s, _ := find(key)
	return s.shown(was), s.shown(value), nil
}

// Secret reports whether a setting is never shown.
func Secret(key string) bool {
	s, _ := find(key)
	return s.Secret
}

// membersWith returns what the file holds once a setting has a value.
func membersWith(path, key, value string) (map[string]json.RawMessage, error) {
	s, ok := find(key)
	if !ok {
		return nil, unknownKey(key, "config set")
	}
	if value == "" {
		return nil, &Error{Key: key, Source: SourceFlag, Text: fmt.Sprintf("%s: the value is empty. To go back to the default: %s", key, command(path, "config unset "+key))}
	}
	if err := s.check(value); err != nil {
		return nil, &Error{Key: key, Source: SourceFlag, Text: fmt.Sprintf("%s: %s", key, err)}
	}
	members, err := readMembers(path)
	if err != nil {
		return nil, err
	}
	members[key] = encodeValue(s, value)
	// the value replaced may have been the wrong one; the others must be right
	if _, err := settingsOf(path, members); err != nil {
		return nil, err
	}
	return members, nil
}

// Unset removes key from the file, so that its default holds again. A setting that is not there is
// no error; of keys that are no settings only one that stands in the file can be removed. What else
// is there stays as it is.
func Unset(path, key string) error {
	_, known := find(key)
	members, err := readMembers(path)
	if err != nil {
		return err
	}
	if _, ok := members[key]; !ok {
		if !known {
			return unknownKey(key, "config unset")
		}
		return nil
	}
	delete(members, key)
	return writeFile(path, members)
}

// Hint says what the file still lacks before Load accepts it, "" when it is complete. It is what
// `config set` and `config unset` print after they wrote.
func Hint(path string) (string, error) {
	stored, err := readFile(path)
	if err != nil {
		return "", err
	}
	return missingPartner(path, stored[KeyWhatsAppURL] != "", stored[KeyWhatsAppRootKey] != ""), nil
}

// readFile returns the file's settings as text. Values are not checked here, so that a wrong one
// can still be mended with Set.
func readFile(path string) (map[string]string, error) {
	members, err := readMembers(path)
	if err != nil {
		return nil, err
	}
	return settingsOf(path, members)
}

// readMembers returns what the file holds, its version checked and left out.
func readMembers(path string) (map[string]json.RawMessage, error) {
	if path == "" {
		return map[string]json.RawMessage{}, nil
	}
	raw, err := private.Read(path, maxFileBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return map[string]json.RawMessage{}, nil
	case errors.Is(err, private.ErrTooLarge):
		return nil, explain.Refuse("%s is larger than %d bytes and is no settings file. Move it away", path, maxFileBytes)
	case err != nil:
		return nil, unreadable(path, err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, explain.Refuse("%s is not a JSON object of settings (%v). Mend it by hand, or move it away and set the settings again", path, err)
	}
	if err := checkVersion(path, members[versionKey]); err != nil {
		return nil, err
	}
	delete(members, versionKey)
	return members, nil
}

// settingsOf reads members as settings. Of several faults the first by name is told.
func settingsOf(path string, members map[string]json.RawMessage) (map[string]string, error) {
	stored := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if _, ok := find(key); !ok {
			return nil, unknownMember(path, key)
		}
		text, err := memberText(members[key])
		if err != nil {
			return nil, &Error{Key: key, Source: SourceFile, Text: fmt.Sprintf("%s in %s: %s. Set it again: %s", key, path, err, command(path, "config set "+key+" VALUE"))}
		}
		if text != "" {
			stored[key] = text
		}
	}
	return stored, nil
}

// unreadable is a file that cannot be read, or is not believed: whoever writes it chooses with whom
// this program speaks.
func unreadable(path string, err error) error {
	e, ok := errors.AsType[*private.Error](err)
	switch {
	case !ok:
	case e.Path != path:
		return explain.Directory(err)
	case errors.Is(err, private.ErrIrregular):
		return explain.Refuse("%v: move it away, and set the settings again", err)
	default:
		return explain.Refuse("%v, so somebody else could choose the settings: look through it, then make it yours and run: chmod 600 %s", err, term.Quote(path))
	}
	return explain.Unusable(err, fmt.Sprintf("settings %s cannot be read", path))
}

func checkVersion(path string, raw json.RawMessage) error {
	if raw == nil {
		return nil // written by hand
	}
	var v int
	if err := json.Unmarshal(raw, &v); err != nil || v < 1 {
		return explain.Refuse("version in %s is %s, not a number from 1. Write \"version\": %d", path, raw, fileVersion)
	}
	if v > fileVersion {
		return explain.Refuse("%s was written by a newer waoutbox (version %d, this one knows %d). Update waoutbox, or move the file away", path, v, fileVersion)
	}
	return nil
}

// memberText reads a JSON string, number or boolean as the text a flag would hold.
func memberText(raw json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) == nil && raw[0] == '"' {
		return s, nil
	}
	if text := string(raw); text == "true" || text == "false" {
		return text, nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil || n == "" {
		return "", errors.New("it is neither a text nor a number")
	}
	return n.String(), nil
}

// writeFile replaces the file, and makes its directory if there is none.
func writeFile(path string, members map[string]json.RawMessage) error {
	if err := store.MakeDir(filepath.Dir(path)); err != nil {
		return explain.State(err)
	}
	if err := store.WriteFile(path, encode(members)); err != nil {
		return explain.Unusable(err, fmt.Sprintf("settings %s cannot be written", path))
	}
	return nil
}

// encode writes version first, then the settings in the order of Keys, then what is none.
func encode(members map[string]json.RawMessage) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  %q: %d", versionKey, fileVersion)
	write := func(key string) {
		name, _ := json.Marshal(key) // a string always encodes
		fmt.Fprintf(&b, ",\n  %s: %s", name, members[key])
	}
	for _, s := range Keys() {
		if _, ok := members[s.Key]; ok {
			write(s.Key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if _, ok := find(key); !ok {
			write(key)
		}
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

// encodeValue is a setting's text as it stands in the file; whole numbers stay numbers.
func encodeValue(s Setting, text string) json.RawMessage {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && (s.Kind == KindInt || s.Kind == KindBytes) {
		return strconv.AppendInt(nil, n, 10)
	}
	value, _ := json.Marshal(text) // a string always encodes
	return value
}
