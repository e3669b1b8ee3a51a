package admin

import (
	"errors"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

// What is wrong with a call is said in words that fit the command line, HTTP and tools alike: no
// flags of a command, and the field of the request.
func TestRefusalsNameNoFlags(t *testing.T) {
	r := newRig(t)
	r.serving()
	id := r.put("http://localhost/hook").Webhook.ID
	purge := func(f api.DeadLetterFilter, all bool) error {
		_, err := r.Purge(t.Context(), api.PurgeRequest{DeadLetterFilter: f, All: all})
		return err
	}
	events := func(in api.ReplayEvents) error {
		_, err := r.ReplayEvents(t.Context(), in)
		return err
	}
	_, begun := r.StartReplay(t.Context(), api.StartReplay{})
	for _, c := range []struct {
		err         error
		field, says string
	}{
		{purge(api.DeadLetterFilter{}, false), "all", "name ids, a webhook, a time, another filter, or all"},
		{purge(api.DeadLetterFilter{IDs: []string{"dl_" + id + "_1"}}, true), "all", "ids or all"},
		{begun, "all", "name ids, a webhook"},
		{events(api.ReplayEvents{}), "webhook", "no webhook given"},
		{events(api.ReplayEvents{Webhook: id}), "ids", "name ids, or the time"},
	} {
		e, ok := errors.AsType[*api.Error](c.err)
		if !ok || e.Field != c.field || !strings.Contains(e.Message, c.says) || strings.Contains(e.Message, "--") {
			t.Errorf("%+v, want field %s and %q", c.err, c.field, c.says)
		}
	}
	_, err := r.RotateSecret(t.Context(), api.RotateSecret{Webhook: id})
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Field != "webhook" || e.Code != api.CodeInvalidArguments {
		t.Errorf("rotation of an unsigned webhook: %+v", err)
	}
}
