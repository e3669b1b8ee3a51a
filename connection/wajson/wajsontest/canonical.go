// Package wajsontest checks canonical JSON from outside: by re-encoding it in
// Go, and by node's own JSON where node is installed. For tests only.
package wajsontest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"waoutbox/connection/wajson"
)

// Canonical parses b with encoding/json, writes it again through wajson and
// says where the two differ; nil means that b is canonical.
func Canonical(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var root wajson.Array // holds the one value, so that every value is an element
	if err := element(dec, &root); err != nil {
		return err
	}
	got := root.JSON()
	got = got[1 : len(got)-1]
	if bytes.Equal(got, b) {
		return nil
	}
	at := 0
	for at < len(got) && at < len(b) && got[at] == b[at] {
		at++
	}
	return fmt.Errorf("not canonical from byte %d: %q, canonical is %q", at, clip(b, at), clip(got, at))
}

func clip(b []byte, at int) []byte {
	return b[max(0, at-20):min(len(b), at+40)]
}

func element(dec *json.Decoder, into *wajson.Array) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	switch v := tok.(type) {
	case json.Delim:
		if v == '{' {
			o, err := object(dec)
			if err != nil {
				return err
			}
			into.Obj(o)
			return nil
		}
		a := new(wajson.Array)
		for dec.More() {
			if err := element(dec, a); err != nil {
				return err
			}
		}
		into.Arr(a)
		_, err := dec.Token()
		return err
	case string:
		into.Str(v)
	case bool:
		into.Bool(v)
	case nil:
		into.Null()
	case json.Number:
		if n, err := v.Int64(); err == nil && n <= wajson.MaxSafeInteger && n >= -wajson.MaxSafeInteger {
			into.Int(n)
			return nil
		}
		f, err := strconv.ParseFloat(v.String(), 64)
		if err != nil {
			return err
		}
		into.Float(f)
	}
	return nil
}

// object reads the members after '{' and the closing '}'.
func object(dec *json.Decoder) (o *wajson.Object, err error) {
	defer func() {
		if p := recover(); p != nil { // a key the encoder refuses
			err = fmt.Errorf("not canonical: %v", p)
		}
	}()
	o = new(wajson.Object)
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		one := new(wajson.Array)
		if err := element(dec, one); err != nil {
			return nil, err
		}
		v := one.JSON()
		o.Raw(strings.Clone(key.(string)), v[1:len(v)-1])
	}
	_, err = dec.Token()
	return o, err
}
