package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"waoutbox/cmd/internal/admin/replay"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// matchingEvents returns what of the log a filter selects, oldest first.
func (f *fakeService) matchingEvents(q api.EventFilter) (out []api.Event) {
	for _, ev := range f.events {
		if (q.Event == "" || q.Event == ev.Event.Event) && (q.Chat == "" || q.Chat == ev.Chat) && !ev.Time.Before(q.Since) && (q.Until.IsZero() || ev.Time.Before(q.Until)) {
			out = append(out, ev.Event)
		}
	}
	return out
}

func (f *fakeService) Events(ctx context.Context, q api.EventQuery) (api.EventPage, error) {
	done, err := f.begin("Events")
	page := api.EventPage{Items: []api.Event{}}
	for _, ev := range f.matchingEvents(q.EventFilter) {
		if q.From == 0 || q.Backward && ev.Sequence <= q.From || !q.Backward && ev.Sequence >= q.From {
			page.Items = append(page.Items, ev)
		}
	}
	if len(f.events) > 0 {
		page.Last = f.events[len(f.events)-1].Sequence
	}
	done()
	if q.Backward {
		slices.Reverse(page.Items)
	}
	if !q.Bodies {
		for i := range page.Items {
			page.Items[i].Body, page.Items[i].Bytes = "", 0
		}
	}
	if limit := cmp.Or(q.Limit, 50); len(page.Items) > limit {
		page.More, page.Next = true, page.Items[limit].Sequence
		page.Items = page.Items[:limit]
	} else if !q.Backward {
		page.Next = page.Last + 1
	}
	if len(page.Items) == 0 && q.WaitSeconds > 0 && err == nil {
		select {
		case <-ctx.Done():
			return page, ctx.Err()
		case <-time.After(time.Second): // what came meanwhile is of the next call
		}
	}
	return page, err
}

func (f *fakeService) Event(_ context.Context, ref string) (api.EventDetail, error) {
	done, err := f.begin("Event")
	defer done()
	for _, ev := range f.events {
		if ev.ID == ref || fmt.Sprint(ev.Sequence) == ref {
			return ev, err
		}
	}
	return api.EventDetail{}, api.Errorf(api.CodeNotFound, "no event %s: it is older than events are kept, or was never there. See: waoutbox event list", ref)
}

func (f *fakeService) ReplayEvents(_ context.Context, in api.ReplayEvents) (api.StartReplayResult, error) {
	done, err := f.begin("ReplayEvents")
	defer done()
	res := api.StartReplayResult{Runs: []api.ReplayRun{}, Missing: []string{}}
	n := int64(len(f.matchingEvents(in.EventFilter)))
	for _, id := range in.IDs {
		if !slices.ContainsFunc(f.events, func(ev api.EventDetail) bool { return ev.ID == id }) {
			res.Missing = append(res.Missing, id)
		}
	}
	if len(in.IDs) > 0 {
		n = int64(len(in.IDs) - len(res.Missing))
	}
	hook := f.hooks[1]
	run := api.ReplayRun{ID: "rp_1", Webhook: hook.ID, URL: hook.URL, Kind: api.ReplayPastEvents, Total: n, Left: n, Rate: *in.Rate}
	switch {
	case err != nil || n == 0:
		return res, err
	case f.status.Daemon == nil && !in.DryRun:
		res.Queued = min(n, 256)
	case !in.DryRun:
		left := n
		run, err = f.runs.Start(replay.Job{
			Webhook: outbox.SubID(hook.ID), URL: hook.URL, Kind: api.ReplayPastEvents, Total: n, Rate: *in.Rate,
			Next: func(context.Context) (items []replay.Item, _ int64, _ error) {
				for ; left > 0 && len(items) < outbox.MaxBatch; left-- {
					items = append(items, replay.Item{Seq: outbox.Seq(n - left + 1)})
				}
				return items, 0, nil
			},
			Move: func(context.Context, []outbox.Seq) ([]outbox.Seq, error) { return nil, nil },
			Fate: func(context.Context, replay.Item, bool) (replay.Fate, api.LastError, error) {
				return replay.Delivered, api.LastError{}, nil
			},
			Outstanding: func(context.Context) (int, error) { return 0, nil },
			Blocked:     func() string { return "" },
			Judge:       func(err error) (string, bool) { return err.Error(), true },
			Ended:       func() {},
		})
	}
	res.Runs = append(res.Runs, run)
	return res, err
}

func (f *fakeService) Occurrences(context.Context, api.OccurrenceQuery) (api.OccurrencePage, error) {
	done, err := f.begin("Occurrences")
	defer done()
	return api.OccurrencePage{}, err
}

func (f *fakeService) StreamOccurrences(context.Context, api.OccurrenceQuery, func(api.OccurrencePage) error) error {
	done, err := f.begin("StreamOccurrences")
	defer done()
	return err
}

func (f *fakeService) SubscriptionOffer(context.Context) (api.SubscriptionOffer, error) {
	done, err := f.begin("SubscriptionOffer")
	defer done()
	return api.SubscriptionOffer{}, err
}

func (f *fakeService) Subscribe(context.Context, api.Subscribe) (api.Subscribed, error) {
	done, err := f.begin("Subscribe")
	defer done()
	return api.Subscribed{}, err
}

func (f *fakeService) Unsubscribe(context.Context, api.Unsubscribe) (api.Unsubscribed, error) {
	done, err := f.begin("Unsubscribe")
	defer done()
	return api.Unsubscribed{}, err
}

func (f *fakeService) RefuseSubscription(context.Context, api.RefuseSubscription) (api.RefusedSubscription, error) {
	done, err := f.begin("RefuseSubscription")
	done()
	return api.RefusedSubscription{}, err
}
