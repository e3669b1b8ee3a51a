package main

import (
	"testing"
	"time"

	"waoutbox/cmd/internal/demo"
)

// The times of the story never go back: what a receiver got is told after what happened meanwhile.
// Before, a clock that went on to the next second between the two was seen to go back.
func TestDemoTimesDoNotGoBack(t *testing.T) {
	began := time.Now()
	last := demoTime(demo.Line{At: began}, time.Time{})
	if got := demoTime(demo.Line{At: began.Add(-time.Second)}, last); !got.Equal(began) {
		t.Errorf("told as %v, want %v", got, began)
	}
	if got := demoTime(demo.Line{At: began.Add(time.Second)}, last); !got.Equal(began.Add(time.Second)) {
		t.Errorf("later: %v", got)
	}
	if got := demoTime(demo.Line{}, last); got.Before(last) {
		t.Errorf("now: %v", got)
	}
}
