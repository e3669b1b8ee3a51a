package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// maxHeaderFile bounds what is read of a file of headers; the service accepts less.
const maxHeaderFile = 64 << 10

// headerFlags are the flags that set a webhook's custom headers. What they hold is secret: no error
// repeats it.
type headerFlags struct {
	lines []string // --header
	// --header-file; nil: not given (an empty one is an unset variable, not a wish for none)
	file *string
	none bool // --no-headers
}

// read returns the headers that were given: nil for none given, empty for --no-headers. Names and
// values are checked by the service.
func (f headerFlags) read() (*map[string]string, error) {
	given := len(f.lines) > 0 || f.file != nil
	switch {
	case f.none && given:
		return nil, usagef("choose one of --no-headers, and --header or --header-file")
	case f.none:
		return &map[string]string{}, nil
	case !given:
		return nil, nil
	}
	all := map[string]string{}
	for i, line := range f.lines {
		if err := addHeader(all, line, fmt.Sprintf("--header number %d", i+1)); err != nil {
			return nil, err
		}
	}
	if f.file == nil {
		return &all, nil
	}
	text, err := readHeaderFile(*f.file)
	if err != nil {
		return nil, err
	}
	before := len(all)
	for i, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := addHeader(all, line, fmt.Sprintf("line %d of %s", i+1, *f.file)); err != nil {
			return nil, err
		}
	}
	if len(all) == before {
		return nil, usagef("%s holds no header. To remove all headers: --no-headers", *f.file)
	}
	return &all, nil
}

func readHeaderFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", usagef("the headers cannot be read: %v", err)
	}
	defer file.Close()
	return readHeaderText(file, path)
}

// readHeaderText reads the file of headers that lies at path.
func readHeaderText(file io.Reader, path string) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(file, maxHeaderFile+1))
	switch {
	case err != nil:
		return "", usagef("the headers cannot be read: %v", err)
	case len(raw) > maxHeaderFile:
		return "", usagef("%s holds more than %d bytes and is no list of headers", path, maxHeaderFile)
	}
	// editors on Windows put a byte order mark there
	return strings.TrimPrefix(string(raw), "\ufeff"), nil
}

// addHeader reads one `Name: value` from a source that errors name instead of the text.
func addHeader(all map[string]string, line, source string) error {
	name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
	if !ok {
		return usagef("%s is no header: write it as 'Name: value'", source)
	}
	if !utf8.ValidString(line) { // on its way to the daemon the odd bytes would be replaced
		return usagef("%s holds bytes that are not valid UTF-8: use printable text", source)
	}
	for other := range all {
		if strings.EqualFold(other, name) {
			return usagef("%s names a header that was given before; case does not count in names. Give it once", source)
		}
	}
	all[name] = strings.TrimSpace(value)
	return nil
}
