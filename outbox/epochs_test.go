package outbox

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func from(seqs ...Seq) []Epoch {
	var out []Epoch
	for i, s := range seqs {
		out = append(out, Epoch{From: s, Filter: Filter{Chats: []string{string(rune('a' + i))}}})
	}
	return out
}

func froms(epochs []Epoch) []Seq {
	var out []Seq
	for _, e := range epochs {
		out = append(out, e.From)
	}
	return out
}

func TestResolveEpochs(t *testing.T) {
	for _, c := range []struct{ in, want []Seq }{
		{[]Seq{0}, []Seq{10}},
		{[]Seq{3, 0}, []Seq{3, 10}},
		{[]Seq{3, 7}, []Seq{3, 7}},
		{[]Seq{3, 0, 0}, []Seq{3, 10}},
		{[]Seq{3, 10, 0}, []Seq{3, 10}},
		{[]Seq{11}, nil},
		{[]Seq{7, 3}, nil},
		{[]Seq{0, 3}, nil},
	} {
		s := Subscription{ID: "a", Epochs: from(c.in...)}
		got, err := ResolveEpochs(s, 10)
		if (err == nil) != (c.want != nil) || !reflect.DeepEqual(froms(got.Epochs), c.want) {
			t.Errorf("epochs %v at 10 become %v, %v; want %v", c.in, froms(got.Epochs), err, c.want)
		}
		if !reflect.DeepEqual(froms(s.Epochs), c.in) {
			t.Errorf("epochs %v were changed in place", c.in)
		}
		if n := len(got.Epochs); n > 0 && !reflect.DeepEqual(got.Epochs[n-1].Filter, s.Epochs[len(s.Epochs)-1].Filter) {
			t.Errorf("epochs %v: the last filter does not hold at the end", c.in)
		}
	}
}

func TestPruneEpochs(t *testing.T) {
	for _, c := range []struct {
		below Seq
		want  []Seq
	}{{1, []Seq{1, 5, 9}}, {4, []Seq{1, 5, 9}}, {5, []Seq{5, 9}}, {8, []Seq{5, 9}}, {9, []Seq{9}}, {100, []Seq{9}}} {
		if got := froms(PruneEpochs(Subscription{Epochs: from(1, 5, 9)}, c.below)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("epochs 1, 5, 9 below %d: %v, want %v", c.below, got, c.want)
		}
	}
	if got := PruneEpochs(Subscription{}, 5); len(got) != 0 {
		t.Errorf("no epochs become %v", got)
	}
}

// What an epoch in force said about a sequence at or above the limit, it says after pruning.
func TestPruneKeepsWhatIsOwed(t *testing.T) {
	s := Subscription{ID: "a"}
	for i, f := range from(2, 4, 7) {
		f.Filter.Events = []string{Any}
		if i == 1 {
			f.Filter = Filter{}
		}
		s.Epochs = append(s.Epochs, f)
	}
	for below := Seq(1); below < 10; below++ {
		p := s
		p.Epochs = PruneEpochs(s, below)
		for seq := below; seq < 12; seq++ {
			for _, chat := range []string{"a", "b", "c"} {
				if s.Owes(seq, EventHead{Name: "n", Chat: chat}) != p.Owes(seq, EventHead{Name: "n", Chat: chat}) {
					t.Errorf("pruned below %d, %d in chat %s is owed: %v, before %v", below, seq, chat, p.Owes(seq, EventHead{Name: "n", Chat: chat}), s.Owes(seq, EventHead{Name: "n", Chat: chat}))
				}
			}
		}
	}
}

func TestChecks(t *testing.T) {
	big := make([]byte, MaxBody+1)
	for what, err := range map[string]error{
		"events a call":   CheckEvents(make([]Event, MaxBatch+1)),
		"body":            CheckEvents([]Event{{Key: "k", Body: big}}),
		"chat":            CheckEvents([]Event{{Key: "k", Chat: string(big)}}),
		"records a call":  CheckChange(Change{Set: make([]Record, MaxChange+1)}),
		"lane":            CheckChange(Change{Lane: big}),
		"record log":      CheckChange(Change{Set: []Record{{Seq: 1, Log: big}}}),
		"configuration":   CheckSubscription(Subscription{ID: "a", Config: big, Epochs: from(0)}),
		"content":         CheckSend(Send{MessageID: "a", Content: big}),
		"idempotency key": CheckSend(Send{MessageID: "a", IdempotencyKey: string(big)}),
	} {
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("too large a %s gives %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"event without key":       CheckEvents([]Event{{}}),
		"record without sequence": CheckChange(Change{Set: []Record{{}}}),
		"empty run":               CheckChange(Change{Set: []Record{{Seq: 5, Last: 5, State: Dead}}}),
		"pending run":             CheckChange(Change{Set: []Record{{Seq: 5, Last: 6, Count: 2, State: Pending}}}),
		"run without count":       CheckChange(Change{Set: []Record{{Seq: 5, Last: 6, State: Dead}}}),
		"unknown state":           CheckChange(Change{Set: []Record{{Seq: 5, State: 3}}}),
		"subscription without id": CheckSubscription(Subscription{Epochs: from(0)}),
		"zero byte in id":         CheckSubscription(Subscription{ID: "a\x00", Epochs: from(0)}),
		"no epoch":                CheckSubscription(Subscription{ID: "a"}),
		"send without id":         CheckSend(Send{}),
		"unknown send state":      CheckSend(Send{MessageID: "a", State: 9, SettledAt: time.Unix(1, 0)}),
		"settled without time":    CheckSend(Send{MessageID: "a", State: SendSent}),
		"prepared with end":       CheckSend(Send{MessageID: "a", SettledAt: time.Unix(1, 0)}),
	} {
		if err == nil || errors.Is(err, ErrTooLarge) {
			t.Errorf("%s gives %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"events":       CheckEvents([]Event{{Key: "k", Body: big[:MaxBody]}}),
		"change":       CheckChange(Change{Set: []Record{{Seq: 5, State: Done}, {Seq: 5, Last: 6, State: Done}, {Seq: 5, Last: 6, Count: 2, State: Dead}}}),
		"subscription": CheckSubscription(Subscription{ID: "a", Epochs: from(0)}),
		"send":         CheckSend(Send{MessageID: "a", State: SendFailed, SettledAt: time.Unix(1, 0)}),
	} {
		if err != nil {
			t.Errorf("good %s: %v", what, err)
		}
	}
}

// Of a removed subscription the filter it had is kept, so that a revival finds it. Before, nothing
// was left but the epoch that matches nothing: revived ones wanted everything.
func TestPruneKeepsTheFilterOfARemovedOne(t *testing.T) {
	want := Filter{Events: []string{"message.received"}, Chats: []string{"a@lid"}}
	s := Subscription{ID: "a", Removed: true, Epochs: []Epoch{{From: 1, Filter: Filter{Events: []string{Any}}},
		{From: 5, Filter: want}, {From: 9}, {From: 12}}}
	s.Epochs = PruneEpochs(s, 100)
	if got := s.LastFilter(); !reflect.DeepEqual(got, want) || len(s.Epochs) != 3 {
		t.Errorf("after pruning the last filter is %+v in %+v", got, s.Epochs)
	}
	if cut, ok := s.Cut(); !ok || cut != 9 {
		t.Errorf("Cut = %d, %v, want 9", cut, ok)
	}
	for next, want := range map[Seq]Seq{1: 5, 5: 5, 7: 7, 8: 8, 9: 0, 10: 0, 50: 0} {
		if first, ok := s.FirstOwed(next); first != want || ok != (want > 0) || s.Ended(next, 0) != (want == 0) || s.Ended(next, 1) {
			t.Errorf("FirstOwed(%d) = %d, %v; want %d", next, first, ok, want)
		}
	}
	s.Removed = false
	if s.Epochs = PruneEpochs(s, 100); len(s.Epochs) != 1 {
		t.Errorf("one that is not removed keeps %+v", s.Epochs)
	}
	if cut, ok := (Subscription{Epochs: []Epoch{{From: 1, Filter: want}}}).Cut(); ok {
		t.Errorf("one that wants something has the cut %d", cut)
	}
}

// Taking any delivery out of a run leaves records that stand for exactly the others.
//
// Mutation of delivery.go: a run loses its last event when one in front of it is replayed.
func TestSplitRun(t *testing.T) {
	owed := []Seq{3, 4, 8, 9, 20}
	run := Record{Seq: 3, Last: 20, Count: 5, State: Dead, Reason: "expired"}
	for i, seq := range owed {
		var prev, next Seq
		if i > 0 {
			prev = owed[i-1]
		}
		if i+1 < len(owed) {
			next = owed[i+1]
		}
		count := 0
		for _, r := range SplitRun(run, seq, prev, next, i) {
			count += max(r.Count, 1)
			if r.Seq <= seq && seq <= r.KeySeq() || r.State != Dead || r.Reason != "expired" || r.IsRun() != (r.Count > 1) {
				t.Errorf("without %d there is %+v", seq, r)
			}
		}
		if count != 4 {
			t.Errorf("without %d, %d of 5 are left", seq, count)
		}
	}
}
