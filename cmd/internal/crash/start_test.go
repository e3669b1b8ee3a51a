package crash

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// starts is how often the service is started and stopped.
const starts = 100

// Started and stopped in an orderly way again and again, at any moment and in one process, the
// service loses nothing, sends nothing twice and leaves nothing behind (TestMain looks for
// goroutines).
func TestStartsAndStops(t *testing.T) {
	e := newEpisode(t, newReceiver(t), newSummary())
	for range starts {
		e.inProcess(lifeBusy, time.Duration(rand.IntN(40))*time.Millisecond)
	}
	e.inProcess(lifeFinish, time.Minute)
	e.check()
	for kind, list := range e.sum.repeats {
		for _, n := range list {
			if n > 0 {
				t.Errorf("after an orderly stop of a %s life %d deliveries were repeated", kind, n)
			}
		}
	}
	if e.sum.delivered < starts {
		t.Errorf("only %d deliveries", e.sum.delivered)
	}
}

// inProcess lives a life in this process, and stops it after a while that begins when it is ready.
func (e *episode) inProcess(kind string, length time.Duration) {
	e.t.Helper()
	e.number++
	e.l.begins(e.number)
	in, out := io.Pipe()
	ctx, stop := context.WithCancel(e.t.Context())
	defer stop()
	var timer *time.Timer
	var wg sync.WaitGroup
	wg.Go(func() {
		for scan := bufio.NewScanner(in); scan.Scan(); {
			switch line := scan.Text(); line {
			case "ready":
				timer = time.AfterFunc(length, stop)
			case "finished":
			default:
				e.heard(line)
			}
		}
	})
	p := &process{
		life: life{Number: e.number, Kind: kind, State: filepath.Join(e.dir, "state"), Base: e.r.url, Again: e.writeAgain(), Cursors: e.l.cursors()},
		out:  out, rnd: rand.New(rand.NewPCG(1, uint64(e.number))),
	}
	// A stop may come before the lanes have started.
	if err := p.live(ctx); err != nil && !errors.Is(err, context.Canceled) {
		e.t.Errorf("life %d: %v", e.number, err)
	}
	out.Close()
	wg.Wait()
	if timer != nil {
		timer.Stop()
	}
	e.sum.repeated(e.before, e.l.died(time.Now()))
	e.before = kind
	e.report()
	if e.t.Failed() {
		e.t.FailNow()
	}
}
