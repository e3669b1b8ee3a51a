package main

import (
	"io"
	"os"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"waoutbox/cmd/internal/term"
)

// maxCAFile bounds what is read of a file of certificates; the service accepts less.
const maxCAFile = 256 << 10

// caFlags are the flags that set whose certificates a webhook trusts.
type caFlags struct {
	file string
	none bool
}

func (f *caFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.file, "ca-file", "", "trust the certificate authorities in this file (PEM) too, for an endpoint with a certificate of your own")
	fl.BoolVar(&f.none, "no-ca", false, "trust only the system's certificate authorities again")
}

// read returns the certificates that were given: nil for none given, "" for --no-ca. What is in
// them is checked by the service.
func (f *caFlags) read(fl *pflag.FlagSet) (*string, error) {
	given := fl.Changed("ca-file")
	switch {
	case f.none && given:
		return nil, usagef("choose one of --ca-file and --no-ca")
	case f.none:
		return new(string), nil
	case !given:
		return nil, nil
	}
	file, err := os.Open(f.file)
	if err != nil {
		return nil, usagef("the certificates cannot be read: %v", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxCAFile+1))
	switch {
	case err != nil:
		return nil, usagef("the certificates cannot be read: %v", err)
	case len(raw) > maxCAFile:
		return nil, usagef("%s holds more than %d bytes: give the authorities that sign this endpoint's certificate, not a whole bundle", f.file, maxCAFile)
	case len(raw) == 0:
		return nil, usagef("%s is empty. To trust only the system's authorities: --no-ca", f.file)
	case !utf8.Valid(raw): // on its way to the daemon the odd bytes would be replaced
		return nil, usagef("%s is not PEM text. Of a DER file make one with: openssl x509 -inform der -in %s", f.file, term.Quote(f.file))
	}
	text := string(raw)
	return &text, nil
}
