// Package fault makes chosen stanzas of a connection go wrong: lost, late, doubled, damaged, or the
// last thing that passes before the connection is cut. It only decides which and how; the
// connection does it.
package fault

import (
	"fmt"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// Side is who sends a stanza.
type Side string

// The two ends of a connection.
const (
	Server    Side = "server"
	Companion Side = "companion"
)

// Effect is what becomes of a stanza.
type Effect string

const (
	// CutBefore cuts the connection in place of the stanza: it is neither sent nor handled.
	CutBefore Effect = "cut-before"
	// CutAfter cuts the connection once the stanza was sent, or handled and replied to.
	CutAfter Effect = "cut-after"
	// Lose drops the stanza and nothing else.
	Lose Effect = "lose"
	// Twice sends or handles the stanza twice.
	Twice Effect = "twice"
	// Delay sends the stanza later by For, behind those that follow it; one of the companion is
	// handled later, and so are those behind it.
	Delay Effect = "delay"
	// Garble sends the stanza cut short, in a sound frame. The server's stanzas only.
	Garble Effect = "garble"
	// Damage breaks the seal of the stanza's frame. The server's stanzas only.
	Damage Effect = "damage"
	// Refuse has the server answer a question or a message with the error 429 in place of handling
	// it. The companion's <iq> and <message> only; others are lost.
	Refuse Effect = "refuse"
)

// Always as Times lets a fault happen until Clear.
const Always = -1

// Fault is one thing that goes wrong. Stanzas it applies to have everything that it names.
type Fault struct {
	From   Side              `json:"from"`
	Tag    string            `json:"tag,omitempty"`
	Attrs  map[string]string `json:"attrs,omitempty"` // JIDs as text
	Child  string            `json:"child,omitempty"` // tag of any child
	Skip   int               `json:"skip,omitempty"`  // how many such stanzas pass first
	Times  int               `json:"times,omitempty"` // how many it happens to then; 0 is one
	Effect Effect            `json:"effect"`
	For    time.Duration     `json:"-"`
}

func (f Fault) check() error {
	if f.From != Server && f.From != Companion {
		return fmt.Errorf("from %q is not server or companion", f.From)
	}
	switch f.Effect {
	case CutBefore, CutAfter, Lose, Twice:
	case Delay:
		if f.For <= 0 {
			return fmt.Errorf("a delay needs a positive duration, not %v", f.For)
		}
	case Garble, Damage:
		if f.From != Server {
			return fmt.Errorf("effect %q is for stanzas of the server", f.Effect)
		}
	case Refuse:
		if f.From != Companion {
			return fmt.Errorf("effect %q is for stanzas of the companion", f.Effect)
		}
	default:
		return fmt.Errorf("effect %q is none of cut-before, cut-after, lose, twice, delay, garble, damage, refuse", f.Effect)
	}
	if f.Skip < 0 || f.Times < Always {
		return fmt.Errorf("skip %d must not be negative, nor times %d be below %d", f.Skip, f.Times, Always)
	}
	return nil
}

// Plan holds the faults to come. The zero value is empty; methods are safe for concurrent use.
type Plan struct {
	mu     sync.Mutex
	faults []*Fault
}

// Add appends a fault. When several apply to one stanza, the one added first happens.
func (p *Plan) Add(f Fault) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	if f.Times == 0 {
		f.Times = 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &f)
	return nil
}

// Clear removes every fault.
func (p *Plan) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Left is how many faults have not happened as often as they should; those of Always count.
func (p *Plan) Left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.faults)
}

// Take returns what happens to a stanza, and counts it as passed. Stanzas must be given once each.
func (p *Plan) Take(from Side, n *waBinary.Node) (Fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.faults {
		if !f.matches(from, n) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				p.faults = append(p.faults[:i:i], p.faults[i+1:]...)
			}
		}
		return *f, true
	}
	return Fault{}, false
}

func (f *Fault) matches(from Side, n *waBinary.Node) bool {
	if f.From != from || (f.Tag != "" && f.Tag != n.Tag) {
		return false
	}
	for name, want := range f.Attrs {
		if v, ok := n.Attrs[name]; !ok || fmt.Sprint(v) != want {
			return false
		}
	}
	if f.Child == "" {
		return true
	}
	_, ok := n.GetOptionalChildByTag(f.Child)
	return ok
}
