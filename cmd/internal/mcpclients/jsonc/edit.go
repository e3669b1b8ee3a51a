package jsonc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// byteOrderMark begins files that some editors of Windows write.
var byteOrderMark = []byte("\xef\xbb\xbf")

// Member is one member of an object that is set.
type Member struct {
	Key   string
	Value any
}

// Get returns the object at path below the root, nil when one of the names is not there. A file
// that is empty is an empty object. An error says in which line src is not JSON, or which name on
// the path stands for something else than an object.
func Get(src []byte, path ...string) (map[string]any, error) {
	all, err := decode(src)
	for i, name := range path {
		if err != nil || all == nil {
			return nil, err
		}
		value, ok := all[name]
		if !ok {
			return nil, nil
		}
		if all, ok = value.(map[string]any); !ok {
			return nil, notAnObject(path[:i+1])
		}
	}
	return all, err
}

// Set returns src with the members set in the object at path below the root. Objects that are not
// there are made, members of other names stay, and so does everything else in src, comments
// included. The errors are Get's.
func Set(src []byte, members []Member, path ...string) ([]byte, error) {
	before, err := decode(src)
	if err != nil {
		return nil, err
	}
	body, marked := bytes.CutPrefix(src, byteOrderMark)
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}\n")
	}
	out, err := edit(body, members, path)
	if err != nil {
		return nil, err
	}
	if marked {
		out = append(bytes.Clone(byteOrderMark), out...)
	}
	// The text is worth a second look: it is somebody's file.
	after, err := decode(out)
	if err != nil {
		return nil, fmt.Errorf("the change would break the file: %w", err)
	}
	if want, err := setIn(before, members, path); err != nil || !reflect.DeepEqual(after, want) {
		return nil, errors.New("the change would break the file: its layout is not understood")
	}
	return out, nil
}

// decode returns what src says.
func decode(src []byte) (map[string]any, error) {
	body := bytes.TrimPrefix(src, byteOrderMark)
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	if _, err := root(body); err != nil {
		return nil, err
	}
	var out map[string]any
	dec := json.NewDecoder(bytes.NewReader(plain(body)))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		return nil, err
	}
	return out, nil
}

// setIn is what Set shall say, as values.
func setIn(all map[string]any, members []Member, path []string) (map[string]any, error) {
	at := all
	for _, name := range path {
		next, ok := at[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[name] = next
		}
		at = next
	}
	for _, m := range members {
		text, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		var value any
		if err := json.Unmarshal(text, &value); err != nil {
			return nil, err
		}
		at[m.Key] = value
	}
	return all, nil
}

func notAnObject(path []string) error {
	return fmt.Errorf("%q is there and no object", strings.Join(path, "."))
}

// edit sets the members in a text that is an object.
func edit(src []byte, members []Member, path []string) ([]byte, error) {
	l := layoutOf(src)
	at, err := root(src)
	if err != nil {
		return nil, err
	}
	for i, name := range path {
		m, ok := at.last(name)
		if !ok {
			return l.insert(src, at, i, name, nested(path[i+1:], members))
		}
		if at, ok = objectAt(src, m.start); !ok {
			return nil, notAnObject(path[:i+1])
		}
	}
	for _, set := range members {
		if m, ok := at.last(set.Key); ok {
			text, err := l.render(set.Value, l.depthOf(src, at, len(path)))
			if err != nil {
				return nil, err
			}
			if !sameValue(src[m.start:m.end], text) {
				src = bytes.Join([][]byte{src[:m.start], text, src[m.end:]}, nil)
			}
		} else if src, err = l.insert(src, at, len(path), set.Key, set.Value); err != nil {
			return nil, err
		}
		at, _ = objectAt(src, at.open) // it has moved on
	}
	return src, nil
}

// sameValue reports whether two texts say the same, so that one that is laid out otherwise stays.
func sameValue(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(plain(a), &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// ordered is an object whose members keep their order.
type ordered []Member

func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, v := range []any{m.Key, m.Value} {
			if j > 0 {
				b.WriteByte(':')
			}
			text, err := marshal(v)
			if err != nil {
				return nil, err
			}
			b.Write(text)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal is json.Marshal, but <, > and & stay as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// nested is the object with members, inside objects of the names.
func nested(names []string, members []Member) any {
	if len(names) == 0 {
		return ordered(members)
	}
	return ordered{{names[0], nested(names[1:], members)}}
}
