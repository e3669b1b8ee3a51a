package liveness

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func look(wall, mono time.Duration, addrs ...string) Look {
	return Look{Wall: noon.Add(wall), Mono: mono, Addrs: addrs}
}

func TestCompare(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		after Look
		want  string
	}{
		"nothing":                           {look(5*s, 5*s, "a"), ""},
		"a loaded machine":                  {look(9*s, 9*s, "a"), ""},
		"the clock was corrected":           {look(7*s, 5*s, "a"), ""},
		"the clock was put back":            {look(-3600*s, 5*s, "a"), ""},
		"asleep, the clock stood still":     {look(3600*s, 5*s, "a"), "this machine was asleep"},
		"asleep, the clock ran on":          {look(3600*s, 3600*s, "a"), "this machine was asleep"},
		"another address":                   {look(5*s, 5*s, "b"), "the network changed"},
		"one more address":                  {look(5*s, 5*s, "a", "b"), "the network changed"},
		"no address":                        {Look{Wall: noon.Add(5 * s), Mono: 5 * s, Addrs: []string{}}, "the network changed"},
		"the addresses could not be read":   {look(5*s, 5*s), ""},
		"asleep and elsewhere: told as one": {look(3600*s, 5*s, "b"), "this machine was asleep"},
	} {
		got, ok := Compare(look(0, 0, "a"), c.after)
		if got.Reason != c.want || ok != (c.want != "") || ok && got.Since != noon {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

// A change is told once, within one interval, and a failed look hides none.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start, n := time.Now(), 0
		var told []Suspicion
		go Run(ctx, func() Look {
			n++
			addrs := []string{"a"}
			switch {
			case n == 3:
				addrs = nil
			case n > 3:
				addrs = []string{"b"}
			}
			return Look{Wall: time.Now(), Mono: time.Since(start), Addrs: addrs}
		}, func(s Suspicion) { told = append(told, s) })
		<-time.After(10 * Interval)
		cancel()
		synctest.Wait()
		if len(told) != 1 || told[0].Reason != "the network changed" {
			t.Errorf("told %+v", told)
		}
	})
}

// This machine looks the same twice.
func TestTaker(t *testing.T) {
	take := Taker()
	if s, ok := Compare(take(), take()); ok {
		t.Errorf("suspicious: %+v", s)
	}
}
