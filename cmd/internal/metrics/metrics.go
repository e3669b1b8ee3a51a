package metrics

import (
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"waoutbox/dispatcher"
	"waoutbox/outbox"
	"waoutbox/store"
)

// other is the label of what is in none of the fixed sets.
const other = "other"

// Metrics is told what happens: it is an observer of a store.DB, of a boltbox.Box and of a
// dispatcher.Dispatcher. It counts from zero at the start of the process. Safe for concurrent use;
// nothing waits for it longer than for a few atomic additions.
type Metrics struct {
	registry *prometheus.Registry

	appended      map[string]prometheus.Counter // by name of event; complete after New
	appendSeconds prometheus.Histogram
	commitSeconds prometheus.Histogram
	commitWrites  prometheus.Histogram
	commitFails   prometheus.Counter

	attempts       *prometheus.CounterVec
	attemptSeconds *prometheus.HistogramVec
	deliveries     *prometheus.CounterVec
	panics         prometheus.Counter

	mu    sync.RWMutex
	hooks map[outbox.SubID]*hook
}

// hook is what is counted of one webhook. attempts is complete when the hook is made.
type hook struct {
	attempts        map[outbox.Class]prometheus.Counter
	seconds         prometheus.Observer
	delivered, dead prometheus.Counter
}

// Outcomes of a delivery.
const (
	delivered = "delivered"
	dead      = "dead"
)

// New makes Metrics for a catalogue of event names. Without Watch it shows nothing of the present.
func New(version string, events []string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), appended: map[string]prometheus.Counter{}, hooks: map[outbox.SubID]*hook{},
		appendSeconds:  prometheus.NewHistogram(histogram(appendSeconds, secondsOfWrites())),
		commitSeconds:  prometheus.NewHistogram(histogram(commitSeconds, secondsOfWrites())),
		commitWrites:   prometheus.NewHistogram(histogram(commitWrites, prometheus.ExponentialBuckets(1, 2, 11))),
		commitFails:    prometheus.NewCounter(prometheus.CounterOpts(opts(commitFailures))),
		attempts:       prometheus.NewCounterVec(prometheus.CounterOpts(opts(attempts)), attempts.labels),
		attemptSeconds: prometheus.NewHistogramVec(histogram(attemptSeconds, prometheus.DefBuckets), attemptSeconds.labels),
		deliveries:     prometheus.NewCounterVec(prometheus.CounterOpts(opts(deliveries)), deliveries.labels),
		panics:         prometheus.NewCounter(prometheus.CounterOpts(opts(panicked))),
	}
	appended := prometheus.NewCounterVec(prometheus.CounterOpts(opts(eventsAppended)), eventsAppended.labels)
	for _, name := range append([]string{other}, events...) {
		m.appended[name] = appended.WithLabelValues(name)
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts(opts(buildInfo)), buildInfo.labels)
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(appended, m.appendSeconds, m.commitSeconds, m.commitWrites, m.commitFails, m.attempts, m.attemptSeconds, m.deliveries, m.panics, build)
	return m
}

// secondsOfWrites are the buckets of what waits for a disk: 0.25 ms to 4 s.
func secondsOfWrites() []float64 { return prometheus.ExponentialBuckets(0.00025, 2, 15) }

func opts(d description) prometheus.Opts { return prometheus.Opts{Name: d.name, Help: d.help} }

func histogram(d description, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Name: d.name, Help: d.help, Buckets: buckets}
}

// Watch adds the present of s, and the process. Call it once.
func (m *Metrics) Watch(s Source) {
	m.registry.MustRegister(&present{source: s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Committed satisfies store.Observer.
func (m *Metrics) Committed(c store.Commit) {
	if c.Err != nil {
		m.commitFails.Inc()
		return
	}
	m.commitSeconds.Observe(c.Took.Seconds())
	m.commitWrites.Observe(float64(c.Writes))
}

// Appended satisfies boltbox.Observer.
func (m *Metrics) Appended(fresh []outbox.Event, took time.Duration) {
	m.appendSeconds.Observe(took.Seconds())
	for i := range fresh {
		c := m.appended[fresh[i].Name]
		if c == nil {
			c = m.appended[other]
		}
		c.Inc()
	}
}

// Attempted satisfies dispatcher.Observer.
func (m *Metrics) Attempted(e dispatcher.AttemptEnd) {
	h := m.hook(e.Sub)
	c := h.attempts[e.Result.Class]
	if c == nil {
		c = h.attempts[other]
	}
	c.Inc()
	if e.Outcome != dispatcher.OutcomeNotAttempted {
		h.seconds.Observe(e.Took.Seconds())
	}
}

// Ended satisfies dispatcher.Observer.
func (m *Metrics) Ended(e dispatcher.DeliveryEnd) {
	h := m.hook(e.Sub)
	if e.Dead {
		h.dead.Add(float64(e.Count))
		return
	}
	h.delivered.Add(float64(e.Count))
}

// LaneEnded counts nothing of a webhook any more: it was removed, or the service ends.
func (m *Metrics) LaneEnded(id outbox.SubID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.hooks, id)
	webhook := prometheus.Labels{"webhook": string(id)}
	m.attempts.DeletePartialMatch(webhook)
	m.attemptSeconds.DeletePartialMatch(webhook)
	m.deliveries.DeletePartialMatch(webhook)
}

// hook returns what is counted of a webhook, from now on if nothing was. Its counters begin to be
// shown then, those that are zero too.
func (m *Metrics) hook(id outbox.SubID) *hook {
	m.mu.RLock()
	h := m.hooks[id]
	m.mu.RUnlock()
	if h != nil {
		return h
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if h := m.hooks[id]; h != nil {
		return h
	}
	h = &hook{
		attempts: map[outbox.Class]prometheus.Counter{}, seconds: m.attemptSeconds.WithLabelValues(string(id)),
		delivered: m.deliveries.WithLabelValues(string(id), delivered), dead: m.deliveries.WithLabelValues(string(id), dead),
	}
	for _, class := range append(outbox.Classes(), other) {
		h.attempts[class] = m.attempts.WithLabelValues(string(id), string(class))
	}
	m.hooks[id] = h
	return h
}
