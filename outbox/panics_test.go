package outbox

import (
	"errors"
	"testing"
)

// TestPanicText: the runtime's words are told, and of what somebody else says only its type.
//
// Mutation of panics.go: a log quotes what a panic was raised with.
func TestPanicText(t *testing.T) {
	caught := func(f func()) (text string) {
		defer func() { text = PanicText(recover()) }()
		f()
		return ""
	}
	for _, c := range []struct {
		f    func()
		want string
	}{
		{func() { panic("Alice wrote: hello") }, "string"},
		{func() { panic(errors.New("Alice wrote: hello")) }, "*errors.errorString"},
		{func() { var none []int; _ = none[len(none)] }, "runtime error: index out of range [0] with length 0"},
	} {
		if got := caught(c.f); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
