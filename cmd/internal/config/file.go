package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// fileVersion is the version of config.json. A newer file is refused: its keys may mean something else.
const fileVersion = 1

// versionKey stands beside the settings in the file and is none.
const versionKey = "version"

// maxFileBytes bounds what is read: a settings file is a few hundred bytes.
const maxFileBytes = 1 << 20

// Get answers what the file says about key: its text, and false when it says nothing.
func Get(path, key string) (string, bool, error) {
	if _, ok := find(key); !ok {
		return "", false, unknownKey(key, SourceFlag, "config get")
	}
	stored, err := readFile(path)
	if err != nil {
		return "", false, err
	}
	v, ok := stored[key]
	return v, ok, nil
}

// Set checks value and writes it to the file, durably and atomically: readers see the old file or the new one. The directory is made
// (0700) if it is not there. whatsapp-url and whatsapp-root-key may be set one after the other; Hint tells what is still missing in
// between. Of two calls at the same time the last one wins. A running service uses the value from its next start.
func Set(path, key, value string) error {
	s, ok := find(key)
	if !ok {
		return unknownKey(key, SourceFlag, "config set")
	}
	if value == "" {
		return &Error{Key: key, Source: SourceFlag, Text: fmt.Sprintf("%s: the value is empty. To go back to the default: waoutbox config unset %s", key, key)}
	}
	if err := s.check(value); err != nil {
		return &Error{Key: key, Source: SourceFlag, Text: fmt.Sprintf("%s: %s", key, err)}
	}
	stored, err := readFile(path)
	if err != nil {
		return err
	}
	stored[key] = value
	return writeFile(path, stored)
}

// Unset removes key from the file, so that its default holds again. A key that is not there is no error.
func Unset(path, key string) error {
	if _, ok := find(key); !ok {
		return unknownKey(key, SourceFlag, "config unset")
	}
	stored, err := readFile(path)
	if err != nil {
		return err
	}
	if _, ok := stored[key]; !ok {
		return nil
	}
	delete(stored, key)
	return writeFile(path, stored)
}

// Hint says what the file still lacks before Load accepts it, "" when it is complete. It is what `config set` and `config unset`
// print after they wrote.
func Hint(path string) (string, error) {
	stored, err := readFile(path)
	if err != nil {
		return "", err
	}
	return missingPartner(stored[KeyWhatsAppURL] != "", stored[KeyWhatsAppRootKey] != ""), nil
}

// readFile answers the file's settings as text. Values are not checked here, so that a wrong one can still be mended with Set.
func readFile(path string) (map[string]string, error) {
	stored := map[string]string{}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return stored, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	// Elsewhere modes say nothing: there the directory keeps others out.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o022 != 0 {
		return nil, fmt.Errorf("%s can be written by others (mode %04o), who could choose the settings: look through it, then run: chmod 600 '%s'", path, mode, path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if len(raw) > maxFileBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes and is no settings file. Move it away", path, maxFileBytes)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, fmt.Errorf("%s is not a JSON object of settings (%v). Mend it by hand, or move it away and set the settings again", path, err)
	}
	if err := checkVersion(path, members[versionKey]); err != nil {
		return nil, err
	}
	delete(members, versionKey)
	for key, value := range members {
		if _, ok := find(key); !ok {
			return nil, unknownKey(key, SourceFile, "in "+path)
		}
		text, err := memberText(value)
		if err != nil {
			return nil, &Error{Key: key, Source: SourceFile, Text: fmt.Sprintf("%s in %s: %s. Set it again: waoutbox config set %s VALUE", key, path, err, key)}
		}
		if text != "" {
			stored[key] = text
		}
	}
	return stored, nil
}

func checkVersion(path string, raw json.RawMessage) error {
	if raw == nil {
		return nil // written by hand
	}
	var v int
	if err := json.Unmarshal(raw, &v); err != nil || v < 1 {
		return fmt.Errorf("version in %s is %s, not a number from 1. Write \"version\": %d", path, raw, fileVersion)
	}
	if v > fileVersion {
		return fmt.Errorf("%s was written by a newer waoutbox (version %d, this one knows %d). Update waoutbox, or move the file away", path, v, fileVersion)
	}
	return nil
}

// memberText reads a JSON string or number as the text a flag would hold.
func memberText(raw json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) == nil && raw[0] == '"' {
		return s, nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil || n == "" {
		return "", errors.New("it is neither a text nor a number")
	}
	return n.String(), nil
}

// writeFile replaces the file: temporary file beside it, fsync, rename, fsync of the directory.
func writeFile(path string, stored map[string]string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	f, err := os.CreateTemp(dir, ".config-*.json") // 0600 by contract
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("write settings to %s: %w", path, err)
		}
	}()
	if _, err := f.Write(encode(stored)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// encode writes version first, then the settings in the order of Keys; whole numbers stay numbers.
func encode(stored map[string]string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  %q: %d", versionKey, fileVersion)
	for _, s := range Keys() {
		text, ok := stored[s.Key]
		if !ok {
			continue
		}
		value, _ := json.Marshal(text) // a string always encodes
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && (s.Kind == KindInt || s.Kind == KindBytes) {
			value = strconv.AppendInt(nil, n, 10)
		}
		fmt.Fprintf(&b, ",\n  %q: %s", s.Key, value)
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}
