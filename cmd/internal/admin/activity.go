package admin

import (
	"context"
	"fmt"
	"time"

	"waoutbox/dispatcher/recent"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// Recent is what the service remembers of the attempts of each webhook; nil where nothing is
// delivered.
type Recent interface {
	Summary(id outbox.SubID) recent.Summary
	Minutes(id outbox.SubID) []recent.Minute
	Attempts(id outbox.SubID) []recent.Attempt
	Sample(pending map[outbox.SubID]int64)
}

// WebhookActivity returns what happened lately to a webhook in use, by id or URL.
func (s *Service) WebhookActivity(ctx context.Context, ref string) (api.WebhookActivity, error) {
	r, err := s.find(ctx, ref)
	if err != nil {
		return api.WebhookActivity{}, err
	}
	out := api.WebhookActivity{Webhook: string(r.sub.ID), URL: r.cfg.URL, Minutes: []api.ActivityMinute{}, Attempts: []api.RecentAttempt{}}
	if s.o.Recent == nil || s.o.Daemon == nil {
		return out, nil
	}
	out.Since = s.o.Daemon.StartedAt
	sum := s.o.Recent.Summary(r.sub.ID)
	out.LastSuccess, out.LastError = recentAttempt(sum.Success), recentAttempt(sum.Failure)
	for _, m := range s.o.Recent.Minutes(r.sub.ID) {
		minute := api.ActivityMinute{At: m.At, Delivered: m.Delivered, Failed: m.Failed, Dead: m.Dead}
		if m.Known {
			minute.Waiting = &m.Waiting
		}
		out.Minutes = append(out.Minutes, minute)
	}
	for _, a := range s.o.Recent.Attempts(r.sub.ID) {
		one := *recentAttempt(a)
		one.Response = a.Excerpt
		out.Attempts = append(out.Attempts, one)
	}
	return out, nil
}

// recentAttempt returns nil for the zero attempt.
func recentAttempt(a recent.Attempt) *api.RecentAttempt {
	if a.At.IsZero() {
		return nil
	}
	return &api.RecentAttempt{
		At: a.At.UTC(), Ms: a.Took.Milliseconds(), Sequence: uint64(a.Seq), Event: a.Event, Attempt: a.Attempt, Replay: a.Replay,
		Outcome: a.Outcome, Class: string(a.Class), Status: a.Status, Message: a.Message,
	}
}

// addRecent adds what the service remembers of a webhook.
func (s *Service) addRecent(w *api.Webhook) {
	if s.o.Recent == nil {
		return
	}
	sum := s.o.Recent.Summary(outbox.SubID(w.ID))
	w.LastSuccess, w.LastError = recentAttempt(sum.Success), recentAttempt(sum.Failure)
	w.LastHour = &api.LastHour{Delivered: sum.Delivered, Failed: sum.Failed}
}

// risingAlarm tells of dead letters that come without the webhook failing: an endpoint that refuses
// some events, or events that expire. dead is how many there are now, so that a replay or a purge
// ends it, and so does an hour without.
func (s *Service) risingAlarm(id outbox.SubID, failing bool, dead int64) []api.Alarm {
	if s.o.Recent == nil || failing {
		return nil
	}
	rising := s.o.Recent.Summary(id).Rising
	n := min(rising.Count, dead)
	if rising.Since.IsZero() || n < recent.RisingAt {
		return nil
	}
	return []api.Alarm{{Code: "dead_letters_rising", Webhook: string(id), Since: rising.Since.UTC(), Message: fmt.Sprintf(
		"%d deliveries of %s became dead letters within the last hour, though it is not failing. "+
			"See why, mend that, and replay or purge them: %s", n, id, s.command("deadletter --url", string(id)))}}
}

// sampleEvery is how often it is noted how many deliveries wait.
const sampleEvery = time.Minute

// RunSamples notes every minute how many deliveries of each webhook wait, until ctx ends, and
// returns nil then.
func (s *Service) RunSamples(ctx context.Context) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		s.sample(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// sample notes nothing when what waits cannot be counted: status says so.
func (s *Service) sample(ctx context.Context) {
	stats, err := s.o.Engine.Stats(ctx)
	if err != nil || stats.CountsUnknown || s.o.Recent == nil {
		return
	}
	pending := make(map[outbox.SubID]int64, len(stats.Subs))
	for id, sub := range stats.Subs {
		pending[id] = sub.Pending
	}
	s.o.Recent.Sample(pending)
}
