package metrics

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"waoutbox/outbox/api"
)

// Source says how things are now. Status walks no events, whatever the backlog.
type Source struct {
	Status func(ctx context.Context) (api.Status, error)
	// Database returns how many bytes of the file are in use, and how many are free pages.
	Database func() (live, free int64)
}

// statusLimit bounds the reading of one status.
const statusLimit = 10 * time.Second

// present is what is read when somebody asks. It is a prometheus.Collector.
type present struct {
	source Source
}

// shown are the metrics of the present.
func shown() []description {
	return []description{
		linkState, alarms, countsKnown, eventStreams, subscribed, eventsKept, databaseLive, databaseFree, databaseBytes, webhookState, pending, oldestPending, deadLetters, removedDead,
	}
}

func (d description) desc() *prometheus.Desc {
	return prometheus.NewDesc(d.name, d.help, d.labels, nil)
}

// Describe satisfies prometheus.Collector.
func (p *present) Describe(out chan<- *prometheus.Desc) {
	for _, d := range shown() {
		out <- d.desc()
	}
}

// Collect satisfies prometheus.Collector. Without a status it shows that the counts are not known.
func (p *present) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), statusLimit)
	defer cancel()
	show := func(d description, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d.desc(), prometheus.GaugeValue, v, labels...)
	}
	live, free := p.source.Database()
	show(databaseLive, float64(live))
	show(databaseFree, float64(free))
	st, err := p.source.Status(ctx)
	if err != nil {
		show(countsKnown, 0)
		return
	}
	show(databaseBytes, float64(st.Bytes))
	showOne(show, linkState, api.LinkStates(), st.Link.State)
	showAlarms(show, st.Alarms)
	show(eventStreams, float64(st.EventStreams))
	subscriptions := 0
	for _, w := range st.Webhooks {
		if w.Lease != nil {
			subscriptions++
		}
	}
	show(subscribed, float64(subscriptions))
	left := st.Dead
	for _, w := range st.Webhooks {
		showOne(show, webhookState, api.WebhookStatuses(), w.Status, w.ID)
		left -= w.Dead
		if !w.CountsUnknown {
			show(pending, float64(w.Pending), w.ID)
			show(oldestPending, float64(w.OldestPendingSeconds), w.ID)
			show(deadLetters, float64(w.Dead), w.ID)
		}
	}
	if st.CountsUnknown {
		show(countsKnown, 0)
		return
	}
	show(countsKnown, 1)
	show(eventsKept, float64(st.Events))
	show(removedDead, float64(max(0, left)))
}

// showOne shows 1 for one of several states, and 0 for the others.
func showOne[S ~string](show func(description, float64, ...string), d description, all []S, is S, labels ...string) {
	for _, s := range all {
		v := 0.0
		if s == is {
			v = 1
		}
		show(d, v, append(slices.Clone(labels), string(s))...)
	}
}

// showAlarms shows every code, those that are not up with 0.
func showAlarms(show func(description, float64, ...string), up []api.Alarm) {
	count := map[string]float64{other: 0}
	for _, code := range api.AlarmCodes() {
		count[code] = 0
	}
	for _, a := range up {
		code := a.Code
		if _, known := count[code]; !known {
			code = other
		}
		count[code]++
	}
	for code, n := range count {
		show(alarms, n, code)
	}
}
