package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// deliver measures sustained deliveries/s of a backlog against raw signed POSTs over 64
// connections.
type deliver struct {
	count    int // deliveries, and raw POSTs, in each run
	chats    int
	inFlight int
	subs     []int
}

// rawConnections is the limit's number of connections, whatever the number of webhooks.
const rawConnections = 64

func deliverFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x deliver
	subs := "1,10"
	fs.StringVar(&subs, "subs", subs, "numbers of webhooks to measure with")
	fs.IntVar(&x.count, "count", 40_000, "deliveries in each run")
	fs.IntVar(&x.chats, "chats", 1000, "chats the events belong to")
	fs.IntVar(&x.inFlight, "max-in-flight", 64, "attempts at once for each webhook")
	return func(ctx context.Context, b *bench) (report, error) {
		for text := range strings.SplitSeq(subs, ",") {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return report{}, fmt.Errorf("--subs %q: numbers of webhooks, like 1,10: %w", subs, errUsage)
			}
			x.subs = append(x.subs, n)
		}
		if x.count < 100 || x.chats < 1 {
			return report{}, fmt.Errorf("deliver needs 100 deliveries and a chat: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

func (x deliver) measure(ctx context.Context, b *bench) (report, error) {
	r := report{
		Settings: map[string]any{"deliveries": x.count, "chats": x.chats, "max_in_flight": x.inFlight},
		Notes: []string{
			"measured: a backlog on disk is delivered, from the first arrival to the last; settling it is part of it",
			fmt.Sprintf("limit: raw net/http POSTs with one HMAC over %d connections, right before or after (they take turns in going first)", rawConnections),
			"CPU a delivery: user and system time of this process; it hardly depends on what else runs on the machine",
			"while appending: the same with one writer appending at the same time, for comparison",
		},
	}
	rates := map[int][2]float64{1: {0.75, 0.90}, 10: {0.75, 0.95}}
	costs := map[int][2]float64{1: {1.4, 1.15}, 10: {1.5, 1.15}}
	for _, subs := range x.subs {
		var raw, ours, busy cost
		for round := range b.rounds {
			steps := []func() error{
				func() error { return raw.add(func() (oneRun, error) { return x.raw(ctx, b, subs) }) },
				func() error { return ours.add(func() (oneRun, error) { return x.ours(ctx, b, subs, false) }) },
				func() error { return busy.add(func() (oneRun, error) { return x.ours(ctx, b, subs, true) }) },
			}
			if round%2 == 1 {
				slices.Reverse(steps)
			}
			for _, step := range steps {
				if err := step(); err != nil {
					return report{}, fmt.Errorf("%d subscriptions: %w", subs, err)
				}
			}
			b.progress("round %d, %d subscriptions: raw %s/s, delivered %s/s, while appending %s/s", round+1, subs,
				number(raw.rate[round]), number(ours.rate[round]), number(busy.rate[round]))
		}
		rate, spent := rates[subs], costs[subs]
		of := fmt.Sprintf(", %d subscription(s)", subs)
		r.Rows = append(r.Rows,
			ratio("1", "deliveries"+of, "/s", ours.rate, raw.rate, rate[0], rate[1], false),
			ratio("", "while appending"+of, "/s", busy.rate, raw.rate, 0, 0, false))
		if raw.cpu.median() > 0 { // the system reports it
			r.Rows = append(r.Rows, ratio("1", "CPU a delivery"+of, "µs", ours.cpu, raw.cpu, spent[0], spent[1], true))
		}
	}
	return r, nil
}

// cost is what deliveries took, a round each.
type cost struct {
	rate series // deliveries/s
	cpu  series // µs of this process a delivery
}

// add runs deliver, which returns deliveries/s and how many there were.
func (c *cost) add(deliver func() (oneRun, error)) error {
	r, err := deliver()
	if err == nil {
		c.rate = append(c.rate, r.rate)
		c.cpu = append(c.cpu, float64(r.cpu.Microseconds())/float64(r.n))
	}
	return err
}

// oneRun is one run: its rate, and the processor time of this process for n deliveries.
type oneRun struct {
	rate float64
	cpu  time.Duration
	n    int
}

func (x deliver) open(b *bench, subs int) ([]string, error) {
	return b.receivers.open(slices.Repeat([]string{answerOK}, subs)...)
}

// raw is the limit, in POSTs/s.
func (x deliver) raw(ctx context.Context, b *bench, subs int) (oneRun, error) {
	urls, err := x.open(b, subs)
	if err != nil {
		return oneRun{}, err
	}
	c := newRawClient(rawConnections)
	defer c.close()
	before := cpuTime()
	if err := c.postMany(ctx, urls, x.count, rawConnections); err != nil {
		return oneRun{}, err
	}
	counted, err := b.receivers.take(false)
	if err != nil {
		return oneRun{}, err
	}
	return measuredRun(counted, cpuTime()-before), nil
}

// ours delivers a backlog of the same number of deliveries, in deliveries/s; with appending while
// one writer adds events.
func (x deliver) ours(ctx context.Context, b *bench, subs int, appending bool) (out oneRun, err error) {
	urls, err := x.open(b, subs)
	if err != nil {
		return oneRun{}, err
	}
	s, err := openService(ctx, b.newDir(), x.inFlight)
	if err != nil {
		return oneRun{}, err
	}
	defer func() { err = errors.Join(err, s.discard()) }()
	if err := s.subscribe(ctx, urls...); err != nil {
		return oneRun{}, err
	}
	events := x.count / subs
	if err := s.appendAll(ctx, events, x.chats); err != nil {
		return oneRun{}, err
	}
	writing, stop := context.WithCancel(ctx)
	wrote := make(chan error, 1)
	go func() { wrote <- s.appendUntil(writing, appending, x.chats) }()
	before := cpuTime()
	s.run(ctx)
	err = b.receivers.wait(subs, events, settleLimit)
	var counted []postCounts
	if err == nil {
		counted, err = b.receivers.take(false)
	}
	stop()
	if err = errors.Join(err, <-wrote); err != nil {
		return oneRun{}, err
	}
	return measuredRun(counted, cpuTime()-before), nil
}

// appendUntil appends event after event until ctx ends, when on is set.
func (s *service) appendUntil(ctx context.Context, on bool, chats int) error {
	for i := 0; on && ctx.Err() == nil; i++ {
		if _, err := s.box.Append(ctx, event(i, chats)); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// measuredRun sums up what arrived.
func measuredRun(counted []postCounts, cpu time.Duration) oneRun {
	r := oneRun{rate: deliveryRate(counted), cpu: cpu}
	for _, t := range counted {
		r.n += t.Distinct
	}
	return r
}

// deliveryRate is how many distinct deliveries a second arrived, from the first arrival to the
// last.
func deliveryRate(counted []postCounts) float64 {
	n := 0
	first, last := counted[0].First, counted[0].Last
	for _, t := range counted {
		n += t.Distinct
		first, last = min(first, t.First), max(last, t.Last)
	}
	return float64(n-1) / time.Duration(last-first).Seconds()
}
