//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"waoutbox/outbox/api"
)

// TestTheBrowserIsToldByAFile: the link stands in no process's arguments, which all users of the
// machine can read, but in a file of its owner alone.
func TestTheBrowserIsToldByAFile(t *testing.T) {
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	script := "#!/bin/sh\necho \"$@\" >" + told + "\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	e := newEnv(nil, func(key string) string { return map[string]string{"DISPLAY": ":0"}[key] }, strings.NewReader(""), &out, &out)
	e.stateDir, e.interactive = dir, true
	link := api.PageLink{URL: "http://127.0.0.1:1/page/open?k=a&amp\"<", ExpiresAt: time.Now().Add(time.Minute)}
	if err := e.showPage(link, false); err != nil {
		t.Fatal(err)
	}
	args, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	file := strings.TrimSpace(string(args))
	if strings.Contains(file, "k=") || filepath.Dir(file) != dir {
		t.Errorf("the browser is started with %q", file)
	}
	page, err := os.ReadFile(file)
	info, statErr := os.Stat(file)
	if err != nil || statErr != nil || info.Mode().Perm() != 0o600 || strings.Count(string(page), "http://127.0.0.1:1/page/open?k=a&amp;amp&#34;&lt;") != 2 {
		t.Errorf("the file: %s, %v, %v", page, info.Mode(), err)
	}
	if err := os.Remove(told); err != nil {
		t.Fatal(err)
	}
	for _, onlyPrint := range []bool{true, false} {
		e.interactive = onlyPrint // with a terminal and --print, or without one
		if err := e.showPage(link, onlyPrint); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(told); err == nil {
		t.Error("a browser is started unasked")
	}
}
