package main

import (
	"context"
	"errors"
	"time"

	"waoutbox/cmd/internal/config"
	"waoutbox/cmd/internal/term"
	"waoutbox/connection/wire"
	"waoutbox/outbox"
	"waoutbox/outbox/api"
	"waoutbox/store"
)

// reachLimit is how long `doctor` waits for one address, and reachAtOnce how many it calls at once.
const (
	reachLimit  = 10 * time.Second
	reachAtOnce = 8
)

// examiner returns what looks, for `doctor`, at what only the process sees that owns the state.
func (a *app) examiner(cfg config.Config, route wire.Route) func(context.Context, api.Examine) (api.Examination, error) {
	return func(ctx context.Context, in api.Examine) (api.Examination, error) {
		var out api.Examination
		out.Bytes, out.MaxBytes, out.MinFree = a.db.Stats().LiveBytes, cfg.MaxSize, uint64(cfg.MinFreeBytes)
		out.FreeBytes, _ = store.FreeBytes(a.state.Dir())
		var err error
		out.Records, out.Damaged, err = a.box.Check(ctx)
		switch {
		case errors.Is(err, store.Damaged):
			out.Damage = err.Error()
		case errors.Is(err, store.Closed):
			out.Closed = err.Error()
		case err != nil:
			return out, err
		}
		out.NewestEventAheadMs = a.aheadOfNewest(ctx).Milliseconds()
		if in.Network {
			a.reach(ctx, route, &out)
		}
		return out, nil
	}
}

// reach calls WhatsApp and every webhook.
func (a *app) reach(ctx context.Context, route wire.Route, out *api.Examination) {
	where := api.Reached{Where: route.Where()}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, reachLimit)
	date, here, err := route.Reach(limited)
	cancel()
	where.Ms = time.Since(began).Milliseconds()
	switch {
	case err != nil:
		where.Error = term.Clean(term.Short(err.Error(), 200))
	case !date.IsZero():
		// its seconds are whole ones
		ahead := here.Sub(date.Add(500 * time.Millisecond)).Milliseconds()
		where.ClockAheadMs = &ahead
	}
	out.WhatsApp = &where
	subs, err := a.box.Subs(ctx)
	if err != nil {
		return
	}
	out.Webhooks = make([]api.Reached, len(subs))
	slots := make(chan struct{}, reachAtOnce)
	for i, sub := range subs {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			out.Webhooks[i] = api.Reached{ID: string(sub.ID)}
			if err := contained(a.log, "doctor", func() error { out.Webhooks[i] = a.reachWebhook(ctx, sub); return nil }); err != nil {
				out.Webhooks[i].Error = err.Error()
			}
		}()
	}
	for range reachAtOnce {
		slots <- struct{}{}
	}
}

func (a *app) reachWebhook(ctx context.Context, sub outbox.Subscription) api.Reached {
	r := api.Reached{ID: string(sub.ID)}
	w, err := outbox.DecodeWebhook(sub.Config)
	if err == nil {
		r.Where = shownURL(w.URL)
		ctx, cancel := context.WithTimeout(ctx, reachLimit)
		defer cancel()
		began := time.Now()
		err = a.sender.Reach(ctx, w)
		r.Ms = time.Since(began).Milliseconds()
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}
