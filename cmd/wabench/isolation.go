package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// isolation measures promise P6: what healthy endpoints notice of a bad one beside them.
type isolation struct {
	endpoints int // the last one is the bad one
	rate      int // events/s while latencies are taken
	// the same with two endpoints: one healthy endpoint alone gives few samples
	pairRate int
	warm     time.Duration // before that, not counted
	paced    time.Duration
	burst    int // events appended at once to take the rate of delivery
	inFlight int
	bad      []string // responses of the bad one
}

// settleLimit bounds each wait for the healthy endpoints.
const settleLimit = 60 * time.Second

func isolationFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x isolation
	var bad string
	fs.IntVar(&x.endpoints, "endpoints", 10, "endpoints, the bad one among them")
	fs.IntVar(&x.rate, "rate", 50, "events per second while latencies are taken")
	fs.IntVar(&x.pairRate, "pair-rate", 200, "the same for the run with two endpoints")
	fs.DurationVar(&x.warm, "warm", time.Second, "time at that rate before anything is counted")
	fs.DurationVar(&x.paced, "for", 4*time.Second, "how long latencies are taken in each run")
	fs.IntVar(&x.burst, "burst", 2000, "events appended at once to take the healthy endpoints' rate")
	fs.IntVar(&x.inFlight, "max-in-flight", 16, "attempts at once for each webhook")
	all := append([]string{answerHang, answer503, answerRefuse}, hostileResponses()...)
	fs.StringVar(&bad, "bad", strings.Join(all, ","), "what the bad endpoint does")
	return func(ctx context.Context, b *bench) (report, error) {
		x.bad = strings.Split(bad, ",")
		if x.endpoints < 2 || min(x.rate, x.pairRate) < 1 || x.burst < 2 || slices.ContainsFunc(x.bad, func(a string) bool { return a == answerOK || !isResponse(a) }) {
			return report{}, fmt.Errorf("isolation needs 2 endpoints, a rate, a burst and bad answers: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

// healthy is what the healthy endpoints saw in one run.
type healthy struct {
	latencies
	rate    float64 // deliveries/s, all of them together
	commits float64 // a second, while latencies are taken
	cpu     float64 // ms a second of the service, meanwhile
}

// measure runs A B A B …: all healthy, one bad, and takes every ratio within its pair.
func (x isolation) measure(ctx context.Context, b *bench) (report, error) {
	r := report{Settings: map[string]any{
		"endpoints": x.endpoints, "events_per_second": x.rate, "events_per_second_of_two": x.pairRate, "seconds": x.paced.Seconds(), "burst": x.burst, "max_in_flight": x.inFlight,
	}}
	for _, bad := range x.bad {
		rows, err := x.against(ctx, b, x.endpoints, bad, "7")
		if err != nil {
			return report{}, err
		}
		r.Rows = append(r.Rows, rows...)
	}
	pair := x
	pair.rate = x.pairRate
	rows, err := pair.against(ctx, b, 2, answerHang, "7a")
	if err != nil {
		return report{}, err
	}
	for i := range rows { // here only the p99 has a bound
		if !strings.HasSuffix(rows[i].Name, "p99") {
			rows[i].Floor, rows[i].Aim = 0, 0
		} else {
			rows[i].Floor, rows[i].Aim = 2, 2
		}
	}
	r.Rows = append(r.Rows, rows...)
	r.Notes = []string{
		"latency: from before the append to the POST's arrival, of the healthy endpoints only, at the given rate of events",
		"rate: deliveries/s of the healthy endpoints together while a burst appended at once is delivered",
		"limit: the run with all endpoints healthy right before or after it (they take turns in going first)",
		"commits and processor time of the service: while latencies are taken, its warming up included; all POSTs to the bad endpoint among them",
	}
	return r, nil
}

func (x isolation) against(ctx context.Context, b *bench, endpoints int, bad, design string) ([]row, error) {
	var p50, p99, rate, commits, cpu [2]series // of all healthy, of one bad
	for round := range b.rounds {
		runs := []string{answerOK, bad}
		if round%2 == 1 {
			slices.Reverse(runs)
		}
		for _, last := range runs {
			h, err := x.once(ctx, b, endpoints, last)
			if err != nil {
				return nil, fmt.Errorf("%d endpoints, one %s: %w", endpoints, last, err)
			}
			b.progress("round %d, %d endpoints, the last one: %-6s  p50 %s ms  p99 %s ms  %s deliveries/s", round+1, endpoints, last,
				number(h.p50), number(h.p99), number(h.rate))
			i := 0
			if last == bad {
				i = 1
			}
			p50[i], p99[i], rate[i] = append(p50[i], h.p50), append(p99[i], h.p99), append(rate[i], h.rate)
			commits[i], cpu[i] = append(commits[i], h.commits), append(cpu[i], h.cpu)
		}
	}
	name := fmt.Sprintf("1 of %d: %s, the others' ", endpoints, bad)
	return []row{
		ratio(design, name+"p50", "ms", p50[1], p50[0], 1.5, 1.1, true),
		ratio(design, name+"p99", "ms", p99[1], p99[0], 2, 1.2, true),
		ratio(design, name+"rate", "deliveries/s", rate[1], rate[0], 0.9, 1, false),
		ratio("", fmt.Sprintf("1 of %d: %s, commits", endpoints, bad), "/s", commits[1], commits[0], 0, 0, true),
		ratio("", fmt.Sprintf("1 of %d: %s, processor time", endpoints, bad), "ms/s", cpu[1], cpu[0], 0, 0, true),
	}, nil
}

// once is one run on a fresh outbox: warm up, take latencies at a steady rate, then deliver a
// burst.
func (x isolation) once(ctx context.Context, b *bench, endpoints int, last string) (h healthy, err error) {
	answers := slices.Repeat([]string{answerOK}, endpoints)
	answers[endpoints-1] = last
	good := endpoints - 1
	urls, err := b.receivers.open(answers...)
	if err != nil {
		return h, err
	}
	var commits atomic.Int64
	counting := func(commit func() error) error { commits.Add(1); return commit() }
	s, err := openServiceWith(ctx, b.newDir(), x.inFlight, around{commit: counting})
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, s.discard()) }()
	if err := s.subscribe(ctx, urls...); err != nil {
		return h, err
	}
	s.run(ctx)
	began, cpu := time.Now(), cpuTime()
	commits.Store(0)
	if h.latencies, err = x.latencies(ctx, b, s, good); err != nil {
		return h, err
	}
	took := time.Since(began).Seconds()
	h.commits, h.cpu = float64(commits.Load())/took, float64((cpuTime()-cpu).Microseconds())/1000/took
	h.rate, err = x.burstRate(ctx, b, s, good)
	return h, err
}

func (x isolation) latencies(ctx context.Context, b *bench, s *service, good int) (latencies, error) {
	for _, d := range []time.Duration{x.warm, x.paced} {
		if err := b.receivers.reset(); err != nil {
			return latencies{}, err
		}
		n := max(1, int(d.Seconds()*float64(x.rate)))
		if err := s.appendPaced(ctx, x.rate, n, chatsPaced); err != nil {
			return latencies{}, err
		}
		if err := b.receivers.wait(good, n, settleLimit); err != nil {
			return latencies{}, err
		}
	}
	counted, err := b.receivers.take(true)
	if err != nil {
		return latencies{}, err
	}
	var all []time.Duration
	for _, t := range counted[:good] {
		all = append(all, t.Latencies...)
	}
	return latenciesOf(all), nil
}

func (x isolation) burstRate(ctx context.Context, b *bench, s *service, good int) (float64, error) {
	if err := b.receivers.reset(); err != nil {
		return 0, err
	}
	if err := s.appendAll(ctx, x.burst, chatsBurst); err != nil {
		return 0, err
	}
	if err := b.receivers.wait(good, x.burst, settleLimit); err != nil {
		return 0, err
	}
	counted, err := b.receivers.take(false)
	if err != nil {
		return 0, err
	}
	return deliveryRate(counted[:good]), nil
}

const (
	chatsPaced = 200
	chatsBurst = 1000
)
