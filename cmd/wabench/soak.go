package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"waoutbox/store"
)

// soak runs the service for a long time beside endpoints of every kind and watches what it holds.
type soak struct {
	length time.Duration
	every  time.Duration // between two samples
	rate   int           // messages/s
	chats  int
}

// soakSettles is after how long what the service holds is expected to stand still; of a shorter
// soak a fifth.
const soakSettles = 2 * time.Minute

func soakFlags(fs *flag.FlagSet) func(context.Context, *bench) (report, error) {
	var x soak
	fs.DurationVar(&x.length, "for", 10*time.Minute, "how long events come")
	fs.DurationVar(&x.every, "every", 15*time.Second, "time between two samples")
	fs.IntVar(&x.rate, "rate", 40, "messages a second")
	fs.IntVar(&x.chats, "chats", 100, "chats they are of")
	return func(ctx context.Context, b *bench) (report, error) {
		if min(x.rate, x.chats) < 1 || x.every < 10*time.Millisecond || x.length < 5*x.every {
			return report{}, fmt.Errorf("soak needs messages, chats and five samples: %w", errUsage)
		}
		return x.measure(ctx, b)
	}
}

// sample is what the service holds at one moment.
type sample struct {
	Seconds     float64 `json:"seconds"`
	Memory      float64 `json:"anonymous_mib"`
	Heap        float64 `json:"heap_mib"`
	Descriptors int     `json:"descriptors"`
	Goroutines  int     `json:"goroutines"`
	File        float64 `json:"file_mib"`
	Appended    int     `json:"appended"`
	Pending     []int64 `json:"pending"` // of each webhook
	Dead        []int64 `json:"dead"`
}

// soakEndpoints is what the four endpoints do.
func soakEndpoints() []string { return []string{answerOK, answerRefuse, answerThrottle, answerHang} }

func (x soak) measure(ctx context.Context, b *bench) (_ report, err error) {
	urls, err := b.receivers.open(soakEndpoints()...)
	if err != nil {
		return report{}, err
	}
	s, err := openService(ctx, b.newDir(), 16)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, s.discard()) }()
	if err := s.subscribe(ctx, urls...); err != nil {
		return report{}, err
	}
	s.run(ctx)
	n := int(x.length.Seconds() * float64(x.rate))
	fed := make(chan error, 1)
	go func() { fed <- s.appendPaced(ctx, x.rate, n, x.chats) }()
	series, err := x.watch(ctx, b, s, fed)
	if err != nil {
		return report{}, err
	}
	if err := b.receivers.wait(1, n, settleLimit); err != nil {
		return report{}, err
	}
	counted, err := b.receivers.take(true)
	if err != nil {
		return report{}, err
	}
	return x.report(series, counted, n), nil
}

// watch takes samples until the events are appended.
func (x soak) watch(ctx context.Context, b *bench, s *service, fed <-chan error) (series []sample, err error) {
	began := time.Now()
	tick := time.NewTicker(x.every)
	defer tick.Stop()
	for {
		select {
		case err := <-fed:
			return series, err
		case <-ctx.Done():
			return series, ctx.Err()
		case <-tick.C:
		}
		now, err := x.sample(ctx, s)
		if err != nil {
			return series, err
		}
		now.Seconds = time.Since(began).Seconds()
		series = append(series, now)
		b.progress("%s", now)
	}
}

func (x soak) sample(ctx context.Context, s *service) (now sample, err error) {
	stats, err := s.box.Stats(ctx)
	if err != nil {
		return now, err
	}
	now.Appended = int(stats.Last)
	for i := range soakEndpoints() {
		now.Pending = append(now.Pending, stats.Subs[subID(i)].Pending)
		now.Dead = append(now.Dead, stats.Subs[subID(i)].Dead)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	anon, _ := anonBytes()
	now.Memory, now.Heap = mebibytes(anon), mebibytes(int64(m.HeapInuse))
	now.Descriptors, now.Goroutines = openFiles(), runtime.NumGoroutine()
	if info, err := os.Stat(s.state.Path(store.OutboxFile)); err == nil {
		now.File = mebibytes(info.Size())
	}
	return now, nil
}

func (s sample) String() string {
	return fmt.Sprintf("%5.0f s  memory %s MiB  heap %s MiB  %d descriptors  %d goroutines  file %s MiB  %d appended  pending %d  dead %d",
		s.Seconds, number(s.Memory), number(s.Heap), s.Descriptors, s.Goroutines, number(s.File), s.Appended, s.Pending, s.Dead)
}

// report gives the slopes after the service has settled, a minute.
func (x soak) report(samples []sample, counted []postCounts, n int) report {
	from := min(soakSettles, x.length/5)
	slopeFrom := func(from time.Duration, of func(sample) float64) series {
		var at, value series
		for _, s := range samples {
			if s.Seconds >= from.Seconds() {
				at, value = append(at, s.Seconds/60), append(value, of(s))
			}
		}
		return series{slopeOf(at, value)}
	}
	slope := func(of func(sample) float64) series { return slopeFrom(from, of) }
	highest := series{}
	for _, s := range samples {
		highest = append(highest, s.Memory)
	}
	healthy := latenciesOf(counted[0].Latencies)
	r := report{
		Settings: map[string]any{"minutes": x.length.Minutes(), "messages_per_second": x.rate, "chats": x.chats, "settled_after_seconds": from.Seconds()},
		Rows: []row{
			{Name: "anonymous memory, most", Unit: "MiB", Value: series{highest.max()}, Lower: true},
			{Name: "anonymous memory, a minute", Unit: "MiB", Value: slope(func(s sample) float64 { return s.Memory }), Lower: true},
			{Name: "anonymous memory, second half, a minute", Unit: "MiB", Value: slopeFrom(x.length/2, func(s sample) float64 { return s.Memory }), Lower: true},
			{Name: "heap in use, a minute", Unit: "MiB", Value: slope(func(s sample) float64 { return s.Heap }), Lower: true},
			{Name: "descriptors, a minute", Unit: "", Value: slope(func(s sample) float64 { return float64(s.Descriptors) }), Lower: true},
			{Name: "goroutines, a minute", Unit: "", Value: slope(func(s sample) float64 { return float64(s.Goroutines) }), Lower: true},
			{Name: "file, a minute", Unit: "MiB", Value: slope(func(s sample) float64 { return s.File }), Lower: true},
			{Name: "events appended, a minute", Unit: "MiB", Value: series{mebibytes(int64(x.rate) * 60 * bodySize)}},
			{Name: "the healthy endpoint's p50", Unit: "ms", Value: series{healthy.p50}, Lower: true},
			{Name: "the healthy endpoint's p99", Unit: "ms", Value: series{healthy.p99}, Lower: true},
		},
		Notes: []string{
			fmt.Sprintf("%d messages a second of %d chats to four webhooks: healthy, refusing, throttled (%d/s, then 429), hanging", x.rate, x.chats, throttleRate),
			fmt.Sprintf("a minute: the slope of a straight line through the samples from second %.0f on", from.Seconds()),
			fmt.Sprintf("distinct events that arrived: %d of %d at the healthy one, %d at the throttled one", counted[0].Distinct, n, counted[2].Distinct),
			"the file grows by what the endpoints that are down have not got: it waits there",
		},
	}
	r.Series = append(r.Series, samples...)
	return r
}

// slopeOf is the slope of the line of least squares.
func slopeOf(x, y series) float64 {
	var mx, my, xy, xx float64
	for i := range x {
		mx, my = mx+x[i]/float64(len(x)), my+y[i]/float64(len(y))
	}
	for i := range x {
		xy, xx = xy+(x[i]-mx)*(y[i]-my), xx+(x[i]-mx)*(x[i]-mx)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}
