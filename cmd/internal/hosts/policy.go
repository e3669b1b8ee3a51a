package hosts

import (
	"net/url"
	"slices"
	"sync"

	"waoutbox/dispatcher/webhook"
	"waoutbox/outbox/api"
)

// Keep stores a change of the list: change makes the new one of what is stored. It returns what is
// stored then, or a warning where that is not what holds at the next start.
type Keep func(change func(List) List) (stored List, warning string, err error)

// Read returns what is stored now: the mode and the list, and a warning where something else wins.
type Read func() (mode string, list List, warning string, err error)

// Policy is the policy in force. Safe for concurrent use.
type Policy struct {
	keep Keep
	read Read

	mu   sync.Mutex
	mode string
	list List
}

// New returns a policy of that mode (api.PolicyAsk …) with its list. keep stores changes.
func New(mode string, list List, keep Keep) *Policy {
	return &Policy{mode: mode, list: slices.Clone(list), keep: keep}
}

// Reading makes Reread read by that, and returns p.
func (p *Policy) Reading(read Read) *Policy {
	p.read = read
	return p
}

// Reread takes over what is stored now; Reading was called before. changed is false when that is in
// force already.
func (p *Policy) Reread() (changed bool, warning string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mode, list, warning, err := p.read()
	if err != nil || mode == p.mode && slices.Equal(list, p.list) {
		return false, warning, err
	}
	p.mode, p.list = mode, list
	return true, warning, nil
}

// Mode returns what is done about hosts that are not allowed.
func (p *Policy) Mode() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode
}

// List returns the hosts that are allowed.
func (p *Policy) List() List {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}

// Allows reports whether a URL that webhook.CheckURL returned may be registered without the user's
// consent: its host is this machine, or listed, or every host is allowed.
func (p *Policy) Allows(normalised string) (e webhook.Endpoint, ok bool) {
	e, err := webhook.EndpointOf(normalised)
	if err != nil {
		return e, false
	}
	return e, p.Mode() == api.PolicyOpen || e.Loopback() || p.Lists(normalised)
}

// Lists reports whether the list allows a URL that webhook.CheckURL returned, whatever the mode is
// and wherever its host is.
func (p *Policy) Lists(normalised string) bool {
	e, err := webhook.EndpointOf(normalised)
	if err != nil {
		return false
	}
	u, err := url.Parse(normalised)
	return err == nil && p.List().Has(e, u.EscapedPath())
}

// Change allows a pattern that Normalise returned, or takes that back. It holds at once, and from
// the next start on unless warning says otherwise. changed is false when it was so already.
func (p *Policy) Change(pattern string, disallow bool) (changed bool, warning string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change := func(l List) List {
		l = slices.DeleteFunc(slices.Clone(l), func(have string) bool { return have == pattern })
		if !disallow {
			l = append(l, pattern)
		}
		slices.Sort(l)
		return l
	}
	now := change(p.list)
	if changed = !slices.Equal(now, p.list); !changed {
		return false, "", nil
	}
	stored, warning, err := p.keep(change)
	if err != nil {
		return false, "", err
	}
	if warning == "" {
		now = stored // others may have changed it meanwhile
	}
	p.list = now
	return true, warning, nil
}
