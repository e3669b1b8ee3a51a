package scheduler

import (
	"strings"
	"testing"
	"time"

	"waoutbox/outbox"
)

// The whole matrix of stage × move, written out a second time: a move that is added or lost shows.
func TestStagesAndMoves(t *testing.T) {
	stages := []stage{waiting, attempting, failed, delivered, dead, gone}
	moves := []move{moveStart, moveRelease, moveDeliver, moveFail, moveGiveUp, moveStore, moveSkip}
	want := map[stage]map[move]stage{
		waiting:    {moveStart: attempting, moveStore: waiting, moveSkip: gone},
		attempting: {moveRelease: waiting, moveDeliver: delivered, moveFail: failed, moveGiveUp: dead, moveStore: attempting},
		failed:     {moveStore: waiting},
		delivered:  {moveStore: gone},
		dead:       {moveStore: gone},
		gone:       {},
	}
	for _, s := range stages {
		for _, m := range moves {
			next, legal := s.after(m)
			if to, ok := want[s][m]; ok != legal || ok && to != next {
				t.Errorf("%v, %v: got %v, %v; want %v, %v", s, m, next, legal, to, ok)
			}
			if !legal && next != s {
				t.Errorf("%v, %v: refused, and yet it becomes %v", s, m, next)
			}
		}
	}
}

func TestAnIllegalMoveEndsTheLane(t *testing.T) {
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, "delivery 7: deliver while waiting") {
			t.Errorf("panic %q", p)
		}
	}()
	(&Delivery{Seq: 7}).move(moveDeliver)
	t.Error("a delivery that was not attempted was delivered")
}

func TestWhatARecordSaysInEachStage(t *testing.T) {
	for s, want := range map[stage]outbox.State{
		waiting: outbox.Pending, attempting: outbox.Pending, failed: outbox.Pending, delivered: outbox.Done, dead: outbox.Dead, gone: outbox.Done,
	} {
		if got := New(1, time.Now()).record(&Delivery{stage: s}, time.Now()).State; got != want {
			t.Errorf("%v: %v, want %v", s, got, want)
		}
	}
}
