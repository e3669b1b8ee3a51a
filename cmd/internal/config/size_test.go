package config

import (
	"strings"
	"testing"
)

// A file that is much too large is none of settings, and is not read whole.
//
// Mutation of file.go: a settings file of any size is read.
func TestALargeFileIsNoSettings(t *testing.T) {
	path := fileWith(t, `{"max-in-flight":8}`+strings.Repeat(" ", maxFileBytes))
	if _, err := Load(path, nil, func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), "is larger than") {
		t.Errorf("Load: %v", err)
	}
}
