package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox/api"
	"waoutbox/store"
	"waoutbox/store/private"
)

// agentFiles are the files of the state directory by which secrets pass between the user and the
// webhooks that agents register: no agent sees them, or names a path.
type agentFiles struct{ stateDir string }

// headers returns the headers of the given names from the file that the user wrote.
func (f agentFiles) headers(names []string) (map[string]string, error) {
	if f.stateDir == "" { // which the call of the service will say
		return nil, api.Errorf(api.CodeServiceUnavail, "There is no state directory, so no headers are set aside.")
	}
	for _, name := range names { // before anybody is asked to write down a value for it
		if err := webhook.CheckHeader(name, "x"); err != nil {
			return nil, api.Errorf(api.CodeInvalidArguments, "%v", err).In("headers")
		}
	}
	path := filepath.Join(f.stateDir, store.HeadersFile)
	all, err := f.readHeaders(path)
	if err != nil {
		return nil, err
	}
	chosen := map[string]string{}
	for _, name := range names {
		i := slices.IndexFunc(slices.Sorted(maps.Keys(all)), func(known string) bool { return strings.EqualFold(known, name) })
		if i < 0 {
			return nil, absentHeader(name, path)
		}
		known := slices.Sorted(maps.Keys(all))[i]
		chosen[known] = all[known]
	}
	return chosen, nil
}

// absentHeader asks for a header that the file does not have.
func absentHeader(name, path string) error {
	return api.Errorf(api.CodeInvalidArguments, "The header %q has no value yet: the user writes it into %s as a line \"%s: VALUE\", and makes the file readable for nobody else (chmod 600). Then call again.", name, path, name)
}

// readHeaders reads the file. An absent one has none.
func (f agentFiles) readHeaders(path string) (map[string]string, error) {
	file, err := private.Look(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, private.ErrIrregular):
		return nil, api.Errorf(api.CodeInvalidArguments, "%v: the user writes the headers there, one a line, \"Name: value\".", err)
	case err != nil:
		return nil, api.Errorf(api.CodeInvalidArguments, "The headers cannot be read: %v. The user can mend it.", err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, api.Errorf(api.CodeInvalidArguments, "The headers cannot be read: %v. The user can mend it.", err)
	case private.CheckFile(path, info) != nil && info.Mode().Perm()&0o077 == 0:
		return nil, api.Errorf(api.CodeInvalidArguments, "%v, so it is not used. The user can mend it.", private.CheckFile(path, info))
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0: // the mode means nothing there
		return nil, api.Errorf(api.CodeInvalidArguments, "%s may be read by others, so it is not used. The user runs: chmod 600 %s", path, path)
	}
	text, err := readHeaderText(file, path)
	if err != nil {
		return nil, api.Errorf(api.CodeInvalidArguments, "%v", err)
	}
	all := map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := addHeader(all, line, fmt.Sprintf("line %d of %s", i+1, path)); err != nil {
			return nil, api.Errorf(api.CodeInvalidArguments, "%v", err)
		}
	}
	return all, nil
}

// keepSecret writes the generated secret of a webhook for the user alone, in the place of one
// before.
func (f agentFiles) keepSecret(webhook, secret string) (string, error) {
	dir := filepath.Join(f.stateDir, store.SecretsDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	tmp, err := os.CreateTemp(dir, "new-*") // 0600
	if err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	_, err = tmp.WriteString(secret + "\n")
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	path := filepath.Join(dir, filepath.Base(webhook)+".secret")
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name()) // the first error says more
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return path, nil
}
