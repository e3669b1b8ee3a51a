package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"waoutbox/cmd/internal/term"
)

// passphraseFlags say where the passphrase of a backup comes from.
type passphraseFlags struct {
	file string
	ask  bool
}

func (f *passphraseFlags) add(fl *pflag.FlagSet, use string) {
	fl.StringVar(&f.file, "passphrase-file", "", use+" the passphrase in this file (one line)")
	fl.BoolVar(&f.ask, "passphrase", false, use+" a passphrase that is typed, or read from stdin")
}

// read returns the passphrase, "" when none was asked for. One that is new is typed twice.
func (f *passphraseFlags) read(e *env, fl *pflag.FlagSet, isNew bool) (string, error) {
	switch {
	case f.ask && fl.Changed("passphrase-file"):
		return "", usagef("choose one of --passphrase and --passphrase-file")
	case fl.Changed("passphrase-file"):
		p, err := secretFromFile(f.file)
		if err != nil {
			return "", err
		}
		return *p, nil
	case f.ask:
		return e.typedPassphrase(isNew)
	}
	return "", nil
}

func (e *env) typedPassphrase(isNew bool) (string, error) {
	if !term.IsTerminal(e.stdin) {
		line, err := readLine(e.stdin)
		if err == nil && line == "" {
			err = usagef("stdin holds no passphrase")
		}
		return line, err
	}
	ask := func(what string) (string, error) {
		fmt.Fprintf(e.stderr, "%s (not shown): ", what)
		raw, err := term.ReadSecret(e.stdin)
		fmt.Fprintln(e.stderr)
		return string(raw), err
	}
	first, err := ask("Passphrase")
	if err == nil && first == "" {
		err = errors.New("nothing was typed")
	}
	if err != nil || !isNew {
		return first, err
	}
	again, err := ask("Once more")
	if err == nil && again != first {
		err = errors.New("these were two different passphrases: nothing was written")
	}
	return first, err
}
