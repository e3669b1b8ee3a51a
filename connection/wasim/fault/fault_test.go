package fault

import (
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

func TestTake(t *testing.T) {
	t.Parallel()
	var p Plan
	from := types.NewJID("204813927440123", types.HiddenUserServer)
	message := &waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"from": from, "id": "A"}, Content: []waBinary.Node{{Tag: "enc"}}}
	for _, f := range []Fault{
		{From: Server, Tag: "message", Attrs: map[string]string{"from": from.String()}, Child: "enc", Skip: 1, Times: 2, Effect: Lose},
		{From: Companion, Tag: "receipt", Times: Always, Effect: Delay, For: time.Second},
		{From: Server, Tag: "message", Attrs: map[string]string{"id": "B"}, Effect: Twice},
		{From: Server, Tag: "message", Child: "unavailable", Effect: CutBefore},
	} {
		if err := p.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []bool{false, true, true, false} {
		if f, ok := p.Take(Server, message); ok != want || (ok && f.Effect != Lose) {
			t.Errorf("message %d: %v %+v, want %v", i, ok, f, want)
		}
	}
	for range 3 {
		if f, ok := p.Take(Companion, &waBinary.Node{Tag: "receipt"}); !ok || f.For != time.Second {
			t.Errorf("receipt: %v %+v", ok, f)
		}
	}
	if _, ok := p.Take(Companion, message); ok {
		t.Error("a fault of the server's stanzas happened to one of the companion")
	}
	if p.Left() != 3 {
		t.Errorf("%d faults left, want 3", p.Left())
	}
	p.Clear()
	if _, ok := p.Take(Companion, &waBinary.Node{Tag: "receipt"}); ok || p.Left() != 0 {
		t.Error("a cleared plan still has faults")
	}
}

func TestFaultsThatMeanNothing(t *testing.T) {
	t.Parallel()
	for _, f := range []Fault{
		{Effect: Lose}, {From: Server}, {From: Server, Effect: Delay}, {From: Companion, Effect: Garble}, {From: Server, Effect: Refuse},
		{From: Server, Effect: Lose, Skip: -1}, {From: Server, Effect: Lose, Times: -2},
	} {
		if err := new(Plan).Add(f); err == nil {
			t.Errorf("%+v was accepted", f)
		}
	}
}
