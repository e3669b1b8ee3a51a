package synced

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
)

// script is a Link whose fetches return what the test wants; it writes down what happens.
type script struct {
	results []error
	log     string
	fetch   func() // called in each fetch, nil for nothing

	version    uint64
	unreadable error
}

func (s *script) Fetch(_ context.Context, _ appstate.WAPatchName, whole bool) error {
	s.log += map[bool]string{true: "whole ", false: "new "}[whole]
	if s.fetch != nil {
		s.fetch()
	}
	if len(s.results) == 0 {
		return nil
	}
	err := s.results[0]
	s.results = s.results[1:]
	return err
}

func (s *script) Version(context.Context, appstate.WAPatchName) (uint64, error) {
	return s.version, s.unreadable
}

func (s *script) Failed(appstate.WAPatchName, error)  { s.log += "failed " }
func (s *script) Renewed(appstate.WAPatchName, error) { s.log += "renewed " }
func (s *script) AllWell()                            { s.log += "well " }

func minutely() backoff.BackOff { return backoff.NewConstantBackOff(time.Minute) }

// Mutation of mend.go: a collection of settings that is damaged stays so.
func TestMend(t *testing.T) {
	full := errors.New("the disk is full")
	damaged := fmt.Errorf("decode: %w", appstate.ErrMismatchingLTHash)
	for name, tt := range map[string]struct {
		results []error
		want    string
		minutes int
	}{
		"a store that failed":      {[]error{full, full}, "new failed new failed new well ", 3},
		"a damaged collection":     {[]error{damaged}, "new whole renewed well ", 1},
		"damaged, and cut off":     {[]error{damaged, whatsmeow.ErrIQDisconnected}, "new whole whole renewed well ", 2},
		"damaged, and full":        {[]error{damaged, full}, "new whole failed whole renewed well ", 2},
		"not connected":            {[]error{whatsmeow.ErrNotConnected}, "new new well ", 2},
		"all of it is damaged too": {[]error{damaged, damaged, damaged}, "new whole failed whole failed whole renewed well ", 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				link, began := &script{results: tt.results}, time.Now()
				NewMender(link, minutely).Mend(t.Context(), collection)
				if took := time.Since(began); link.log != tt.want || took != time.Duration(tt.minutes)*time.Minute {
					t.Errorf("%s in %v, want %s in %d min", link.log, took, tt.want, tt.minutes)
				}
			})
		})
	}
}

// TestMendAgain: what fails while a fetch is under way is fetched after it, by the same call; the
// end of one collection's trouble is none of another's; a stop ends it.
func TestMendAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := &script{}
		m := NewMender(link, minutely)
		link.fetch = func() {
			link.fetch = nil
			m.Mend(t.Context(), collection) // returns at once
		}
		m.Mend(t.Context(), collection)
		if link.log != "new well new well " {
			t.Errorf("asked for while it is fetched: %s", link.log)
		}

		ctx, cancel := context.WithCancel(t.Context())
		link.log, link.results = "", []error{errors.New("full")}
		go m.Mend(ctx, "regular")
		<-time.After(90 * time.Second) // it has failed once
		m.setFailed("regular_low")
		<-time.After(time.Minute)
		cancel()
		synctest.Wait()
		if link.log != "new failed new " {
			t.Errorf("beside another: %s", link.log)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		m.Mend(ended, collection)
		if link.log != "new failed new " || len(m.asked) != 0 {
			t.Errorf("after the end: %s, still under way: %v", link.log, m.asked)
		}
	})
}

// TestExpect: only a version that is not stored in time is fetched.
func TestExpect(t *testing.T) {
	for _, tt := range []struct {
		version    uint64
		unreadable error
		want       string
	}{
		{version: 6}, {version: 7}, {version: 5, want: "new well "}, {unreadable: errors.New("full"), want: "new well "},
	} {
		synctest.Test(t, func(t *testing.T) {
			link := &script{version: tt.version, unreadable: tt.unreadable}
			NewMender(link, minutely).Expect(t.Context(), collection, 6, time.Second)
			if link.log != tt.want {
				t.Errorf("version %d, %v: %s, want %s", tt.version, tt.unreadable, link.log, tt.want)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			NewMender(link, minutely).Expect(ended, collection, 9, time.Second)
			if link.log != tt.want {
				t.Error("it goes on after its end")
			}
		})
	}
}
