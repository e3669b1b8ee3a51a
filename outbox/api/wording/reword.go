package wording

import (
	"errors"
	"reflect"

	"waoutbox/outbox/api"
)

// Tag marks the fields of a struct, strings and lists of strings, that are sentences of this
// program: `sentence:"true"`. What somebody else wrote has no such mark and is never changed.
const Tag = "sentence"

// Of returns v with say applied to each of its sentences. v itself, and what it points to, stay as
// they are.
func Of[T any](v T, say func(string) string) T {
	out := reflect.New(reflect.TypeFor[T]()).Elem()
	out.Set(reflect.ValueOf(&v).Elem())
	reword(out, say)
	return out.Interface().(T) //nolint:forcetypeassert // it was made of a T
}

// Result is Of for what a call returned: the sentences of out, and of err where that is an
// api.Error, which it is alone then.
func Result[T any](out T, err error, say func(string) string) (T, error) {
	if e, ok := errors.AsType[*api.Error](err); ok {
		err = Of(e, say)
	}
	return Of(out, say), err
}

// reword changes what is in v, which nobody else has; what lies behind a pointer or in a slice is
// copied first.
func reword(v reflect.Value, say func(string) string) {
	if !mayHold(v.Type(), nil) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(v.Elem())
		reword(c.Elem(), say)
		v.Set(c)
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		c := reflect.New(v.Elem().Type()).Elem()
		c.Set(v.Elem())
		reword(c, say)
		v.Set(c)
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(c, v)
		for i := range c.Len() {
			reword(c.Index(i), say)
		}
		v.Set(c)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch {
			case !f.IsExported():
			case f.Tag.Get(Tag) != "true":
				reword(v.Field(i), say)
			case f.Type.Kind() == reflect.String:
				v.Field(i).SetString(say(v.Field(i).String()))
			default:
				v.Field(i).Set(said(v.Field(i), say))
			}
		}
	}
}

// said is a list of sentences.
func said(list reflect.Value, say func(string) string) reflect.Value {
	if list.IsNil() {
		return list
	}
	c := reflect.MakeSlice(list.Type(), list.Len(), list.Len())
	for i := range list.Len() {
		c.Index(i).SetString(say(list.Index(i).String()))
	}
	return c
}

// mayHold reports whether a sentence may be in a value of a type.
func mayHold(t reflect.Type, within []reflect.Type) bool {
	for _, outer := range within {
		if outer == t {
			return false
		}
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice:
		return mayHold(t.Elem(), within)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && (f.Tag.Get(Tag) == "true" || mayHold(f.Type, within)) {
				return true
			}
		}
	}
	return false
}
