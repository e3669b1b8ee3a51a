package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"waoutbox/cmd/internal/term"
)

// maxSecretFile bounds what is read of a secret; the service accepts less.
const maxSecretFile = 4 << 10

// secretFlags are the flags that say where a secret comes from.
type secretFlags struct {
	file            string
	stdin, generate bool
	none            bool // --no-secret, where a webhook may become unsigned
}

func (f *secretFlags) add(fl *pflag.FlagSet, mayStop bool) {
	fl.StringVar(&f.file, "secret-file", "", "sign with the secret in this file (one line)")
	fl.BoolVar(&f.stdin, "secret-stdin", false, "sign with the secret read from stdin (hidden on a terminal)")
	fl.BoolVar(&f.generate, "generate-secret", false, "sign with a new secret, shown once")
	if mayStop {
		fl.BoolVar(&f.none, "no-secret", false, "stop signing")
	}
}

// read returns the secret that was given: nil for none, "" for --no-secret. A generated one is the
// service's to make.
func (f *secretFlags) read(e *env, fl *pflag.FlagSet) (*string, error) {
	var given, all []string
	for _, name := range []string{"secret-file", "secret-stdin", "generate-secret", "no-secret"} {
		if fl.Lookup(name) == nil {
			continue
		}
		all = append(all, "--"+name)
		if fl.Changed(name) {
			given = append(given, name)
		}
	}
	if len(given) > 1 {
		return nil, usagef("choose one of %s and %s", strings.Join(all[:len(all)-1], ", "), all[len(all)-1])
	}
	switch {
	case fl.Changed("secret-file"):
		return secretFromFile(f.file)
	case f.stdin:
		return e.secretFromStdin()
	case f.none:
		return new(string), nil
	}
	return nil, nil
}

func secretFromFile(path string) (*string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usagef("the secret cannot be read: %v", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if err != nil {
		return nil, usagef("the secret cannot be read: %v", err)
	}
	return checkSecret(raw, path)
}

func (e *env) secretFromStdin() (*string, error) {
	var raw []byte
	var err error
	if term.IsTerminal(e.stdin) {
		fmt.Fprint(e.stderr, "Secret (not shown): ")
		raw, err = term.ReadSecret(e.stdin)
		fmt.Fprintln(e.stderr)
	} else {
		raw, err = io.ReadAll(io.LimitReader(e.stdin, maxSecretFile+1))
	}
	if err != nil {
		return nil, fmt.Errorf("the secret cannot be read from stdin: %w", err)
	}
	return checkSecret(raw, "stdin")
}

// checkSecret takes the line end off. An empty secret would mean unsigned, which nobody asked for
// by naming a source.
func checkSecret(raw []byte, source string) (*string, error) {
	if len(raw) > maxSecretFile {
		return nil, usagef("%s holds more than %d bytes and is no secret", source, maxSecretFile)
	}
	// on its way to the daemon the odd bytes would be replaced, and every signature would be wrong
	if !utf8.Valid(raw) {
		return nil, usagef("%s holds bytes that are not valid UTF-8: use printable text, for example openssl rand -hex 32", source)
	}
	// editors on Windows put a byte order mark there
	s := strings.TrimRight(strings.TrimPrefix(string(raw), "\ufeff"), "\r\n")
	if s == "" {
		return nil, usagef("%s holds no secret. To stop signing: --no-secret", source)
	}
	return &s, nil
}
