package jsonc

import (
	"bytes"
	"encoding/json"
)

// layout is how a file is written.
type layout struct {
	indent  string // of one level
	newline string
}

// layoutOf finds out how src is laid out: as its first member is, else by two spaces.
func layoutOf(src []byte) layout {
	l := layout{indent: "  ", newline: "\n"}
	if bytes.Contains(src, []byte("\r\n")) {
		l.newline = "\r\n"
	}
	if o, err := root(src); err == nil && len(o.members) > 0 {
		if lead := lead(src, firstQuote(src, o)); lead != "" {
			l.indent = lead
		}
	}
	return l
}

// firstQuote returns where the first member of an object begins.
func firstQuote(src []byte, o object) int {
	s := &scanner{src: src, at: o.open + 1}
	_, _ = s.next() // it was read before
	return s.at
}

// lead returns the white space that the line of at begins with, "" when more than that stands
// before at.
func lead(src []byte, at int) string {
	start := bytes.LastIndexByte(src[:at], '\n') + 1
	if before := src[start:at]; start > 0 && len(bytes.TrimLeft(before, " \t")) == 0 {
		return string(before)
	}
	return ""
}

// depthOf returns the white space before the members of an object at a depth: as it is there, else
// as many levels as the depth is.
func (l layout) depthOf(src []byte, o object, depth int) string {
	if len(o.members) > 0 {
		if found := lead(src, firstQuote(src, o)); found != "" {
			return found
		}
	}
	if closing := lead(src, o.end); closing != "" || depth == 0 {
		return closing + l.indent
	}
	return string(bytes.Repeat([]byte(l.indent), depth+1))
}

// render writes a value whose lines but the first begin with prefix.
func (l layout) render(v any, prefix string) ([]byte, error) {
	text, err := marshal(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, prefix, l.indent); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte(l.newline)), nil
}

// insert adds a member behind the last one of an object at a depth.
func (l layout) insert(src []byte, o object, depth int, key string, value any) ([]byte, error) {
	prefix := l.depthOf(src, o, depth)
	name, err := marshal(key)
	if err != nil {
		return nil, err
	}
	text, err := l.render(value, prefix)
	if err != nil {
		return nil, err
	}
	// Before the closing brace, behind whatever stands there: a comment belongs to what is above.
	place := len(bytes.TrimRight(src[:o.end], " \t\r\n"))
	closing := src[place:o.end]
	if bytes.IndexByte(closing, '\n') < 0 { // all on one line
		outer := []byte(prefix)
		outer = bytes.TrimSuffix(outer, []byte(l.indent))
		closing = append([]byte(l.newline), outer...)
	}
	var b bytes.Buffer
	if n := len(o.members); n > 0 && !o.comma {
		end := o.members[n-1].end
		b.Write(src[:end])
		b.WriteByte(',')
		b.Write(src[end:place])
	} else {
		b.Write(src[:place])
	}
	b.WriteString(l.newline + prefix)
	b.Write(name)
	b.WriteString(": ")
	b.Write(text)
	b.Write(closing)
	b.Write(src[o.end:])
	return b.Bytes(), nil
}
