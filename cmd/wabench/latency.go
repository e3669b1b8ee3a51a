package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"time"
)

// latency measures what the outbox adds between an event and its POST, against fdatasync.
type latency struct {
	rate  int
	each  time.Duration
	chats int
}

func latencyFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	x := latency{chats: chatsPaced}
	fs.IntVar(&x.rate, "rate", 100, "events per second")
	fs.DurationVar(&x.each, "for", 5*time.Second, "how long each run takes")
	return func(ctx context.Context, b *bench) (report, error) {
		if x.rate < 1 || x.each <= 0 {
			return report{}, fmt.Errorf("latency needs a rate and some time: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

func (x latency) measure(ctx context.Context, b *bench) (_ report, err error) {
	f, err := newSyncFile(b.dir)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	var bare, ours, disk struct{ p50, p99 series }
	for round := range b.rounds {
		steps := []func() error{
			func() error {
				l, err := x.bare(ctx, b)
				bare.p50, bare.p99 = append(bare.p50, l.p50), append(bare.p99, l.p99)
				return err
			},
			func() error {
				l, err := x.ours(ctx, b)
				ours.p50, ours.p99 = append(ours.p50, l.p50), append(ours.p99, l.p99)
				return err
			},
			func() error {
				took, err := f.paced(ctx, x.rate, x.count())
				l := latenciesOf(took)
				disk.p50, disk.p99 = append(disk.p50, l.p50), append(disk.p99, l.p99)
				return err
			},
		}
		if round%2 == 1 {
			slices.Reverse(steps)
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return report{}, err
			}
		}
		b.progress("round %d: p50/p99 in ms: bare POST %s/%s, event to POST %s/%s, fdatasync %s/%s", round+1,
			number(bare.p50[round]), number(bare.p99[round]), number(ours.p50[round]), number(ours.p99[round]),
			number(disk.p50[round]), number(disk.p99[round]))
	}
	return report{
		Settings: map[string]any{"events_per_second": x.rate, "seconds": x.each.Seconds()},
		Rows: []row{
			ratio("3", "added event→POST p50", "ms", minus(ours.p50, bare.p50), disk.p50, 4, 2.5, true),
			ratio("3", "added event→POST p99", "ms", minus(ours.p99, bare.p99), disk.p99, 12, 5, true),
			ratio("", "event→POST p50 (limit: bare POST)", "ms", ours.p50, bare.p50, 0, 0, true),
			ratio("", "event→POST p99 (limit: bare POST)", "ms", ours.p99, bare.p99, 0, 0, true),
		},
		Notes: []string{
			"event→POST: from before the append to the POST's arrival, 1 webhook; a bare POST: from before it is made to its arrival",
			"added: the difference of the two in the same round; limit: fdatasync of 4 KiB at the same pace",
		},
	}, nil
}

func (x latency) count() int { return max(1, int(x.each.Seconds()*float64(x.rate))) }

// warmUp is how many events go first, not counted: connections are open after it.
const warmUp = 20

func (x latency) bare(ctx context.Context, b *bench) (latencies, error) {
	urls, err := b.receivers.open(answerOK)
	if err != nil {
		return latencies{}, err
	}
	c := newRawClient(rawConnections)
	defer c.close()
	for _, n := range []int{warmUp, x.count()} {
		if err := b.receivers.reset(); err != nil {
			return latencies{}, err
		}
		var mu sync.Mutex
		var failed error
		var wg sync.WaitGroup
		err := paced(ctx, x.rate, n, func(i int) {
			wg.Go(func() {
				if err := c.post(ctx, urls[0], i, body(time.Now())); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			})
		})
		wg.Wait()
		if err := errors.Join(err, failed); err != nil {
			return latencies{}, err
		}
	}
	return x.taken(b)
}

func (x latency) ours(ctx context.Context, b *bench) (l latencies, err error) {
	urls, err := b.receivers.open(answerOK)
	if err != nil {
		return l, err
	}
	s, err := openService(ctx, b.newDir(), 16)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, s.discard()) }()
	if err := s.subscribe(ctx, urls...); err != nil {
		return l, err
	}
	s.run(ctx)
	for _, n := range []int{warmUp, x.count()} {
		if err := b.receivers.reset(); err != nil {
			return l, err
		}
		if err := s.appendPaced(ctx, x.rate, n, x.chats); err != nil {
			return l, err
		}
		if err := b.receivers.wait(1, n, settleLimit); err != nil {
			return l, err
		}
	}
	return x.taken(b)
}

func (x latency) taken(b *bench) (latencies, error) {
	counted, err := b.receivers.take(true)
	if err != nil {
		return latencies{}, err
	}
	return latenciesOf(counted[0].Latencies), nil
}
