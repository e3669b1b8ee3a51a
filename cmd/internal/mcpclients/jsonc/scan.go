// Package jsonc changes single values in JSON files that people write: comments, trailing commas,
// the order of members and the way they are laid out stay as they are.
package jsonc

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxDepth bounds how deep values may lie in one another.
const maxDepth = 200

// scanner walks over a text and takes nothing that is not JSON with comments and trailing commas.
type scanner struct {
	src []byte
	at  int
}

// member is one of an object's: where its value stands.
type member struct {
	key        string
	start, end int
}

// object is where an object's braces stand, and its members.
type object struct {
	open, end int // of the braces; end is that of the closing one
	members   []member
	comma     bool // one stands behind the last member
}

// last returns the member that counts when a key stands there more than once.
func (o object) last(key string) (m member, ok bool) {
	for _, one := range o.members {
		if one.key == key {
			m, ok = one, true
		}
	}
	return m, ok
}

// errorf says what is wrong and in which line.
func (s *scanner) errorf(format string, args ...any) error {
	line := 1 + bytes.Count(s.src[:min(s.at, len(s.src))], []byte("\n"))
	return fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...))
}

// skip passes white space and comments.
func (s *scanner) skip() error {
	for s.at < len(s.src) {
		rest := s.src[s.at:]
		switch {
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '\r':
			s.at++
		case bytes.HasPrefix(rest, []byte("//")):
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			s.at += end
		case bytes.HasPrefix(rest, []byte("/*")):
			end := bytes.Index(rest, []byte("*/"))
			if end < 0 {
				return s.errorf("a comment does not end")
			}
			s.at += end + 2
		default:
			return nil
		}
	}
	return nil
}

// next passes what separates and returns the byte at which something begins, 0 at the end.
func (s *scanner) next() (byte, error) {
	if err := s.skip(); err != nil || s.at >= len(s.src) {
		return 0, err
	}
	return s.src[s.at], nil
}

// value passes one value.
func (s *scanner) value(depth int) error {
	c, err := s.next()
	switch {
	case err != nil:
		return err
	case depth > maxDepth:
		return s.errorf("values lie more than %d deep in one another", maxDepth)
	case c == '{':
		_, err := s.object(depth)
		return err
	case c == '[':
		return s.array(depth)
	case c == '"':
		_, err := s.text()
		return err
	}
	start := s.at
	for s.at < len(s.src) && bytes.IndexByte([]byte(" \t\r\n,]}/"), s.src[s.at]) < 0 {
		s.at++
	}
	if word := s.src[start:s.at]; !json.Valid(word) {
		s.at = start
		return s.errorf("there is no value where one must be")
	}
	return nil
}

// text passes a string and returns what it says.
func (s *scanner) text() (out string, err error) {
	start := s.at
	for i := start + 1; i < len(s.src); i++ {
		switch s.src[i] {
		case '\\':
			i++
		case '"':
			if err := json.Unmarshal(s.src[start:i+1], &out); err != nil {
				return "", s.errorf("a string cannot be read")
			}
			s.at = i + 1
			return out, nil
		}
	}
	return "", s.errorf("a string does not end")
}

func (s *scanner) array(depth int) error {
	s.at++
	for {
		c, err := s.next()
		if err != nil {
			return err
		}
		if c == ']' {
			s.at++
			return nil
		}
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if _, err := s.separator(']'); err != nil {
			return err
		}
	}
}

// separator passes the comma after a member, which may be missing before the closing bracket.
func (s *scanner) separator(closing byte) (comma bool, err error) {
	switch c, err := s.next(); {
	case err != nil:
		return false, err
	case c == ',':
		s.at++
		return true, nil
	case c == closing:
		return false, nil
	}
	return false, s.errorf("a comma or %c is missing", closing)
}

func (s *scanner) object(depth int) (o object, err error) {
	o.open = s.at
	s.at++
	for {
		c, err := s.next()
		switch {
		case err != nil:
			return o, err
		case c == '}':
			o.end = s.at
			s.at++
			return o, nil
		case c != '"':
			return o, s.errorf("a name in double quotes or } is missing")
		}
		var m member
		if m.key, err = s.text(); err != nil {
			return o, err
		}
		if c, err := s.next(); err != nil || c != ':' {
			return o, s.errorf("a colon is missing after %q", m.key)
		}
		s.at++
		if _, err := s.next(); err != nil {
			return o, err
		}
		m.start = s.at
		if err := s.value(depth + 1); err != nil {
			return o, err
		}
		m.end = s.at
		o.members = append(o.members, m)
		if o.comma, err = s.separator('}'); err != nil {
			return o, err
		}
	}
}

// root reads the one object that a text is.
func root(src []byte) (object, error) {
	s := &scanner{src: src}
	c, err := s.next()
	if err != nil {
		return object{}, err
	}
	if c != '{' {
		return object{}, s.errorf("it is no JSON object, which begins with {")
	}
	o, err := s.object(0)
	if err != nil {
		return object{}, err
	}
	if c, err = s.next(); err != nil || c != 0 {
		return object{}, s.errorf("something stands behind the object")
	}
	return o, nil
}

// objectAt reads the object that begins at a place where one was read before.
func objectAt(src []byte, at int) (object, bool) {
	if src[at] != '{' {
		return object{}, false
	}
	s := &scanner{src: src, at: at}
	o, err := s.object(0)
	return o, err == nil
}

// plain returns src as JSON without comments and trailing commas, of the same length; src has been
// read by root before.
func plain(src []byte) []byte {
	out := bytes.Clone(src)
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] != '\n' {
				out[i] = ' '
			}
		}
	}
	s := &scanner{src: src}
	for comma := -1; s.at < len(src); {
		from := s.at
		if s.skip() != nil {
			return out
		}
		blank(from, s.at)
		if s.at >= len(src) {
			break
		}
		switch src[s.at] {
		case '"':
			if _, err := s.text(); err != nil {
				return out
			}
			comma = -1
			continue
		case ',':
			comma = s.at
		case ']', '}':
			if comma >= 0 {
				blank(comma, comma+1)
			}
			comma = -1
		default:
			comma = -1
		}
		s.at++
	}
	return out
}
