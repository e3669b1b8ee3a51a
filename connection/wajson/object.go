package wajson

import (
	"fmt"
	"slices"
	"strconv"
)

// Object builds one JSON object. Members stand in the order of the calls, each
// call returns the object itself, and the zero value is an empty object:
//
//	new(wajson.Object).Str("status", "connected").Str("connection", "open")
//
// A key used twice, an array-index key and "__proto__" panic: JavaScript would
// give the object back changed. An Object is for one goroutine.
type Object struct {
	buf  []byte
	keys []string
}

// initialObject is enough for most objects of an event envelope.
const initialObject = 192

func (o *Object) key(k string) {
	if isIndex(k) || k == "__proto__" {
		panic(fmt.Sprintf("wajson: the key %q does not keep its place in JavaScript", k))
	}
	if slices.Contains(o.keys, k) {
		panic(fmt.Sprintf("wajson: the key %q is used twice in one object", k))
	}
	if o.buf == nil {
		o.buf = make([]byte, 0, initialObject)
	}
	if len(o.keys) == 0 {
		o.buf = append(o.buf, '{')
	} else {
		o.buf = append(o.buf, ',')
	}
	o.keys = append(o.keys, k)
	o.buf = AppendString(o.buf, k)
	o.buf = append(o.buf, ':')
}

// isIndex says whether JavaScript treats k as an array index and would move it
// to the front: 0 … 4294967294 without leading zeros.
func isIndex(k string) bool {
	if k == "" || k[0] < '0' || k[0] > '9' || len(k) > 10 || (k[0] == '0' && len(k) > 1) {
		return false
	}
	n, err := strconv.ParseUint(k, 10, 64)
	return err == nil && n <= 4294967294
}

// Str adds a string.
func (o *Object) Str(key, v string) *Object {
	o.key(key)
	o.buf = AppendString(o.buf, v)
	return o
}

// OptStr adds a string unless it is empty: absent values are omitted, never null.
func (o *Object) OptStr(key, v string) *Object {
	if v == "" {
		return o
	}
	return o.Str(key, v)
}

// Int adds an integer within ±MaxSafeInteger.
func (o *Object) Int(key string, v int64) *Object {
	o.key(key)
	o.buf = AppendInt(o.buf, v)
	return o
}

// Float adds a finite number.
func (o *Object) Float(key string, v float64) *Object {
	o.key(key)
	o.buf = AppendFloat(o.buf, v)
	return o
}

// Bool adds true or false.
func (o *Object) Bool(key string, v bool) *Object {
	o.key(key)
	o.buf = strconv.AppendBool(o.buf, v)
	return o
}

// Null adds null.
func (o *Object) Null(key string) *Object {
	o.key(key)
	o.buf = append(o.buf, "null"...)
	return o
}

// Obj adds an object.
func (o *Object) Obj(key string, v *Object) *Object { return o.Raw(key, v.JSON()) }

// Arr adds an array.
func (o *Object) Arr(key string, v *Array) *Object { return o.Raw(key, v.JSON()) }

// Raw adds a value this package has finished before.
func (o *Object) Raw(key string, v JSON) *Object {
	o.key(key)
	o.buf = append(o.buf, v...)
	return o
}

// JSON gives the object as it stands; it may be extended afterwards.
func (o *Object) JSON() JSON {
	if len(o.keys) == 0 {
		return JSON("{}")
	}
	return finish(o.buf, '}')
}

// Array builds one JSON array; the zero value is an empty array.
type Array struct {
	buf []byte
}

func (a *Array) next() {
	if len(a.buf) == 0 {
		a.buf = append(a.buf, '[')
	} else {
		a.buf = append(a.buf, ',')
	}
}

// Strings gives an array of strings.
func Strings(vs ...string) *Array {
	a := new(Array)
	for _, v := range vs {
		a.Str(v)
	}
	return a
}

// Objects gives an array of objects.
func Objects(vs ...*Object) *Array {
	a := new(Array)
	for _, v := range vs {
		a.Raw(v.JSON())
	}
	return a
}

// Str adds a string.
func (a *Array) Str(v string) *Array {
	a.next()
	a.buf = AppendString(a.buf, v)
	return a
}

// Int adds an integer within ±MaxSafeInteger.
func (a *Array) Int(v int64) *Array {
	a.next()
	a.buf = AppendInt(a.buf, v)
	return a
}

// Float adds a finite number.
func (a *Array) Float(v float64) *Array {
	a.next()
	a.buf = AppendFloat(a.buf, v)
	return a
}

// Bool adds true or false.
func (a *Array) Bool(v bool) *Array {
	a.next()
	a.buf = strconv.AppendBool(a.buf, v)
	return a
}

// Null adds null.
func (a *Array) Null() *Array {
	a.next()
	a.buf = append(a.buf, "null"...)
	return a
}

// Obj adds an object.
func (a *Array) Obj(v *Object) *Array { return a.Raw(v.JSON()) }

// Arr adds an array.
func (a *Array) Arr(v *Array) *Array { return a.Raw(v.JSON()) }

// Raw adds a value this package has finished before.
func (a *Array) Raw(v JSON) *Array {
	a.next()
	a.buf = append(a.buf, v...)
	return a
}

// JSON gives the array as it stands; it may be extended afterwards.
func (a *Array) JSON() JSON {
	if len(a.buf) == 0 {
		return JSON("[]")
	}
	return finish(a.buf, ']')
}

// finish copies, so that a builder extended later does not write into the
// value it gave out.
func finish(buf []byte, end byte) JSON {
	out := make([]byte, len(buf)+1)
	copy(out, buf)
	out[len(buf)] = end
	return out
}
