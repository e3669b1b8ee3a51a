package term

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"waoutbox/store"
)

// Quote returns s as one word of a command line: as it is where no shell changes it, else quoted
// for a POSIX shell.
func Quote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Command returns the command line that runs waoutbox with args on the state in stateDir, for
// sentences that name the next step: with --state-dir, unless stateDir is empty or the place where
// this process looks by itself. args are joined as they are; a word from outside goes through Quote
// first.
func Command(stateDir string, args ...string) string {
	return CommandFor(os.Getenv, stateDir, args...)
}

// CommandFor is Command for a process with the environment getenv.
func CommandFor(getenv func(string) string, stateDir string, args ...string) string {
	words := []string{"waoutbox"}
	if stateDir != "" && !isDefaultDir(getenv, stateDir) {
		words = append(words, "--state-dir", QuotePath(stateDir))
	}
	return strings.Join(append(words, args...), " ")
}

func isDefaultDir(getenv func(string) string, stateDir string) bool {
	usual, err := store.DefaultDir(runtime.GOOS, getenv)
	return err == nil && filepath.Clean(usual) == filepath.Clean(stateDir)
}

// QuotePath is Quote in the way of the shells of this system: those of Windows know no single
// quotes, take a backslash as it is, and a path holds no double quote there.
func QuotePath(path string) string {
	if runtime.GOOS != "windows" {
		return Quote(path)
	}
	if quoted := Quote(strings.ReplaceAll(path, `\`, "/")); quoted[0] != '\'' {
		return path
	}
	return `"` + path + `"`
}

// Show returns the command line that prints a file.
func Show(path string) string {
	if runtime.GOOS == "windows" {
		return "type " + QuotePath(path)
	}
	return "cat " + QuotePath(path)
}
