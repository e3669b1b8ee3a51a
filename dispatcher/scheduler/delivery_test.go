package scheduler

import (
	"os"
	"regexp"
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

// TestDiagramHasEveryMove: docs/STATES.md draws the moves of a delivery in its lane, all of them
// and no other.
func TestDiagramHasEveryMove(t *testing.T) {
	doc, err := os.ReadFile("../../docs/STATES.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "## A delivery in its lane")
	section, _, _ = strings.Cut(section, "\n## ")
	drawn := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^    (\w+) --> (\w+): (give up|[a-z]+?)d?\b`).FindAllStringSubmatch(section, -1) {
		drawn[m[1]+" "+m[3]+" "+m[2]] = true
	}
	for s := waiting; s <= gone; s++ {
		for m := moveStart; m <= moveSkip; m++ {
			next, legal := s.after(m)
			move := s.String() + " " + m.String() + " " + next.String()
			if want := legal && next != s; drawn[move] != want {
				t.Errorf("%s: drawn %v, want %v", move, drawn[move], want)
			}
			delete(drawn, move)
		}
	}
	for move := range drawn {
		t.Errorf("%s is drawn and no move", move)
	}
}
