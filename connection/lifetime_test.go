package connection

import (
	"context"
	"testing"
	"testing/synctest"
)

// The library sees the end of a session once no connection is being made, and at once otherwise.
//
// Mutation of lifetime.go: the library sees the end of a session while it connects: what reads
// tells of the end by what is still being set.
func TestLifetime(t *testing.T) {
	for name, end := range map[string]func(l *lifetime, link context.CancelFunc){
		"aborted":  func(l *lifetime, _ context.CancelFunc) { l.abort() },
		"no link":  func(_ *lifetime, link context.CancelFunc) { link() },
		"twice so": func(l *lifetime, link context.CancelFunc) { l.abort(); link() },
	} {
		synctest.Test(t, func(t *testing.T) {
			link, unlink := context.WithCancel(t.Context())
			idle := newLifetime(link)
			end(idle, unlink)
			synctest.Wait()
			if idle.ctx.Err() == nil {
				t.Errorf("%s: the library goes on without a link", name)
			}
			link, unlink = context.WithCancel(t.Context())
			busy := newLifetime(link)
			_ = busy.connect(func() error {
				end(busy, unlink)
				synctest.Wait()
				if busy.wanted.Err() == nil || busy.ctx.Err() != nil {
					t.Errorf("%s: wanted %v, the library's %v", name, busy.wanted.Err(), busy.ctx.Err())
				}
				return nil
			})
			if busy.ctx.Err() == nil {
				t.Errorf("%s: the library goes on after it had connected", name)
			}
			lasting := newLifetime(t.Context())
			_ = lasting.connect(func() error { return nil })
			if lasting.ctx.Err() != nil {
				t.Errorf("%s: a session that lives is over once it has connected", name)
			}
		})
	}
}
