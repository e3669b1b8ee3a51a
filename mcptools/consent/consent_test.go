package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSession is a client of the older era, whose user answers as told.
type fakeSession struct {
	server.ClientSession
	id         string
	capability *mcp.ElicitationCapability
	answer     func(context.Context) (*mcp.ElicitationResult, error)
	asked      []mcp.ElicitationParams
}

func (f *fakeSession) SessionID() string                                   { return f.id }
func (f *fakeSession) Initialized() bool                                   { return true }
func (f *fakeSession) GetClientInfo() mcp.Implementation                   { return mcp.Implementation{} }
func (f *fakeSession) SetClientInfo(mcp.Implementation)                    {}
func (f *fakeSession) SetClientCapabilities(mcp.ClientCapabilities)        {}
func (f *fakeSession) NotificationChannel() chan<- mcp.JSONRPCNotification { return nil }
func (f *fakeSession) GetClientCapabilities() mcp.ClientCapabilities {
	return mcp.ClientCapabilities{Elicitation: f.capability}
}
func (f *fakeSession) RequestElicitation(ctx context.Context, r mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	f.asked = append(f.asked, r.Params)
	return f.answer(ctx)
}

func says(action mcp.ElicitationResponseAction) func(context.Context) (*mcp.ElicitationResult, error) {
	return func(context.Context) (*mcp.ElicitationResult, error) {
		return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: action}}, nil
	}
}

func legacy(t *testing.T, f *fakeSession) (*server.MCPServer, context.Context) {
	s := server.NewMCPServer("test", "1")
	return s, s.WithContext(t.Context(), f)
}

// In the older era the question is asked within the call, and only an explicit yes is one.
//
// Mutation of consent.go: whatever is no explicit no is taken for a yes.
func TestAskingInTheOlderEra(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(context.Context) (*mcp.ElicitationResult, error)
		want   Answer
	}{
		"accept":  {says(mcp.ElicitationResponseActionAccept), Approved},
		"decline": {says(mcp.ElicitationResponseActionDecline), Declined},
		"cancel":  {says(mcp.ElicitationResponseActionCancel), Declined},
		"nothing": {says(""), Declined},
		"no result": {func(context.Context) (*mcp.ElicitationResult, error) {
			return nil, nil //nolint:nilnil // what a broken session returns
		}, Declined},
		"error": {func(context.Context) (*mcp.ElicitationResult, error) {
			r, _ := says(mcp.ElicitationResponseActionAccept)(nil)
			return r, errors.New("method not found")
		}, Declined},
	} {
		f := &fakeSession{capability: &mcp.ElicitationCapability{}, answer: c.answer}
		s, ctx := legacy(t, f)
		call := Of(ctx, nil)
		if a := call.Answer("host a"); a != Unasked {
			t.Errorf("%s: before, the answer is %d", name, a)
		}
		if r := NewAsker().Ask(ctx, s, call, About("host a", "May it?")); r != nil {
			t.Errorf("%s: the call ends with %+v", name, r)
		}
		if a := call.Answer("host a"); a != c.want {
			t.Errorf("%s: the answer is %d, want %d", name, a, c.want)
		}
		if a := call.Answer("host b"); a != Unasked {
			t.Errorf("%s: to another question the answer is %d", name, a)
		}
		if len(f.asked) != 1 || f.asked[0].Message != "May it?" || f.asked[0].Mode != "" {
			t.Errorf("%s: asked %+v", name, f.asked)
		}
	}
}

// A client that stays silent holds its call for a minute, and no longer.
//
// Mutation of consent.go: a client that stays silent holds its call for ever.
func TestNoAnswerIsNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSession{capability: &mcp.ElicitationCapability{}, answer: func(ctx context.Context) (*mcp.ElicitationResult, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		s, ctx := legacy(t, f)
		call, began := Of(ctx, nil), time.Now()
		NewAsker().Ask(ctx, s, call, About("a", "May it?"))
		if took := time.Since(began); took != patience || call.Answer("a") != Declined {
			t.Errorf("after %v the answer is %d", took, call.Answer("a"))
		}
	})
}

// Only a client that says it can show a form is asked.
//
// Mutation of consent.go: a client is asked that did not say that it can be.
func TestWhoCanBeAsked(t *testing.T) {
	for name, c := range map[string]struct {
		capability *mcp.ElicitationCapability
		want       Answer
	}{
		"none":  {nil, Unable},
		"plain": {&mcp.ElicitationCapability{}, Unasked},
		"form":  {&mcp.ElicitationCapability{Form: &struct{}{}}, Unasked},
		"both":  {&mcp.ElicitationCapability{Form: &struct{}{}, URL: &struct{}{}}, Unasked},
		"url":   {&mcp.ElicitationCapability{URL: &struct{}{}}, Unable},
	} {
		_, ctx := legacy(t, &fakeSession{capability: c.capability})
		if a := Of(ctx, nil).Answer("a"); a != c.want {
			t.Errorf("%s: %d, want %d", name, a, c.want)
		}
		for says, capabilities := range map[string]*mcp.ClientCapabilities{"modern": {Elicitation: c.capability}, "says nothing": nil} {
			ctx := server.WithRequestProtocolInfo(t.Context(), &server.RequestProtocolInfo{Modern: true, ClientCapabilities: capabilities})
			want := c.want
			if capabilities == nil {
				want = Unable
			}
			if a := Of(ctx, nil).Answer("a"); a != want {
				t.Errorf("%s, %s: %d, want %d", name, says, a, want)
			}
		}
	}
	if a := Of(t.Context(), nil).Answer("a"); a != Unable {
		t.Errorf("without a session: %d", a)
	}
}

// In the modern era the question ends the call, and what comes with the next one answers that
// question only.
//
// Mutation of consent.go: the answer to one question is taken for the answer to another.
func TestAskingInTheModernEra(t *testing.T) {
	ctx := server.WithRequestProtocolInfo(t.Context(), &server.RequestProtocolInfo{Modern: true, ClientCapabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapability{}}})
	q := About("host a", "May it?")
	r := NewAsker().Ask(ctx, server.NewMCPServer("test", "1"), Of(ctx, nil), q)
	if r == nil || !r.NeedsInput() || r.RequestState != "" || len(r.InputRequests) != 1 {
		t.Fatalf("the client is sent %+v", r)
	}
	for action, want := range map[mcp.ElicitationResponseAction]Answer{"accept": Approved, "decline": Declined, "cancel": Declined, "": Declined, "Accept": Declined} {
		raw, err := json.Marshal(map[string]any{"action": action, "content": map[string]any{}})
		if err != nil {
			t.Fatal(err)
		}
		var response mcp.InputResponse
		if err := json.Unmarshal(raw, &response); err != nil {
			t.Fatal(err)
		}
		call := Of(ctx, mcp.InputResponses{q.id: response})
		if a := call.Answer("host a"); a != want {
			t.Errorf("%q is taken as %d, want %d", action, a, want)
		}
		if a := call.Answer("host b"); a != Unasked {
			t.Errorf("%q to another question is taken as %d", action, a)
		}
	}
	// who says that it cannot ask has nothing to answer
	ctx = server.WithRequestProtocolInfo(t.Context(), &server.RequestProtocolInfo{Modern: true})
	if a := Of(ctx, mcp.InputResponses{q.id: {}}).Answer("host a"); a != Unable {
		t.Errorf("an answer of nobody is taken as %d", a)
	}
}

// An agent that goes on asking for what was declined does not pester its user.
//
// Mutation of consent.go: an agent pesters its user.
func TestQuestionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSession{capability: &mcp.ElicitationCapability{}, answer: says(mcp.ElicitationResponseActionAccept)}
		s, ctx := legacy(t, f)
		a := NewAsker()
		ask := func() Answer {
			call := Of(ctx, nil)
			a.Ask(ctx, s, call, About("a", "May it?"))
			return call.Answer("a")
		}
		for i := range atOnce {
			if ask() != Approved {
				t.Errorf("question %d was not asked", i)
			}
		}
		if ask() != Declined || len(f.asked) != atOnce {
			t.Errorf("%d were asked", len(f.asked))
		}
		<-time.After(pause)
		if ask() != Approved {
			t.Error("nobody is asked any more")
		}
	})
}

// A client whose agent goes round in circles takes no questions from the others, in either era; and
// however many there are, few are counted one by one. Before, it printed "session two: 0 were
// asked".
func TestEachClientHasItsOwnBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAsker()
		older := func(id string) (asked int) {
			f := &fakeSession{id: id, capability: &mcp.ElicitationCapability{}, answer: says(mcp.ElicitationResponseActionAccept)}
			s, ctx := legacy(t, f)
			for range 2 * atOnce {
				a.Ask(ctx, s, Of(ctx, nil), About("a", "May it?"))
			}
			return len(f.asked)
		}
		modern := func(name string) (asked int) {
			ctx := server.WithRequestProtocolInfo(t.Context(), &server.RequestProtocolInfo{Modern: true, ClientInfo: &mcp.Implementation{Name: name},
				ClientCapabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapability{}}})
			for range 2 * atOnce {
				if a.Ask(ctx, server.NewMCPServer("test", "1"), Of(ctx, nil), About("a", "May it?")) != nil {
					asked++
				}
			}
			return asked
		}
		for _, id := range []string{"one", "two"} {
			if n := older(id); n != atOnce {
				t.Errorf("session %s: %d were asked", id, n)
			}
			if n := modern(id); n != atOnce {
				t.Errorf("client %s: %d were asked", id, n)
			}
		}
		if n := older("one"); n != 0 {
			t.Errorf("session one again: %d were asked", n)
		}
		for i := range 2 * maxAskers {
			older(fmt.Sprint("many ", i))
		}
		if len(a.limits) != maxAskers {
			t.Errorf("%d clients are counted", len(a.limits))
		}
		if n := older("one more"); n != 0 {
			t.Errorf("one of too many: %d were asked", n)
		}
		<-time.After(atOnce * pause)
		if n := older("one more"); n != atOnce || len(a.limits) != 1 {
			t.Errorf("later: %d were asked, %d are counted", n, len(a.limits))
		}
	})
}
