package mcptools

import (
	"context"
	"encoding/json"
	"reflect"
	"time"

	"waoutbox/outbox/api"

	"github.com/mark3labs/mcp-go/mcp"
	"golang.org/x/time/rate"
)

// Time limits of a call. Sending and testing wait for someone else's server.
const (
	shortCall = 30 * time.Second
	longCall  = 60 * time.Second
)

// declaration is everything there is to say about one tool: In is its arguments, Out its structured
// result. Both schemas are made of these two structs (see schema.Sets.Of for the tags), the
// arguments are checked against the one, and the other is what is returned.
//
// To add a tool, write in the file of its family, or in a new one for a new family:
//
//   - the struct of its arguments and the struct of its result: one of outbox/api where that has
//     the shape already, or noArguments;
//   - a method of Server that returns define(s, declaration[In, Out]{…}), with all four hints in
//     mind;
//   - its handler, which checks what a schema cannot say, takes the service from call.backend,
//     and returns the result or the service's error as it is;
//
// then name the method in Server.tools, the operation in Backend if that is new, and write the
// snapshots with: go test ./mcptools -run Snapshots -update. A closed set of strings is a Go type
// of its own, listed in Server.sets.
type declaration[In, Out any] struct {
	name, title, description string
	hints                    hints
	limit                    time.Duration // shortCall or longCall
	// perMinute bounds how often it is called; 0: as other tools of its hints
	perMinute int
	// help describes the arguments whose description is made at run time, by name.
	help map[string]string
	// run does the work. It may run on for a moment after ctx has ended.
	run func(ctx context.Context, c *call, in In) (Out, error)
	// unsure rewrites a failure after which nobody knows whether the tool did its work. Nil leaves
	// it.
	unsure func(in In, e api.Error) api.Error
}

// noArguments is the In of a tool that takes none.
type noArguments struct{}

// hints are the four annotations; all of them are always sent, because clients assume the worst of
// an absent one.
type hints struct {
	readOnly, destructive, idempotent, openWorld bool
}

// tool is a declaration without its types: what the server lists and calls.
type tool struct {
	name, title, description string
	hints                    hints
	limit                    time.Duration
	perMinute                int
	input, output            string // JSON schemas
	// bind checks the arguments of a call and returns the work to be done with them.
	bind func(arguments json.RawMessage) (work, *api.Error)
}

// How often a tool may be called a minute, and at once: far above what an agent does that knows
// what it is doing.
const (
	readsPerMinute   = 6000
	changesPerMinute = 600
	// webhooks: each call is a record of the audit trail and a write that outlasts the session
	webhooksPerMinute = 120
	// what has somebody's server asked at once
	testsPerMinute = 60
	// the link: WhatsApp looks askance at who connects and pairs all the time
	linksPerMinute = 30
)

func (t tool) callsPerMinute() int {
	if t.perMinute > 0 {
		return t.perMinute
	}
	if t.hints.readOnly {
		return readsPerMinute
	}
	return changesPerMinute
}

func (t tool) newPace() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(t.callsPerMinute())/60, t.callsPerMinute())
}

// work is a tool with its arguments.
type work struct {
	run    func(ctx context.Context, c *call) (any, error)
	unsure func(e api.Error) api.Error
}

// define makes the tool that d declares.
func define[In, Out any](s *Server, d declaration[In, Out]) tool {
	sets := s.sets()
	input := sets.Of(reflect.TypeFor[In](), d.help)
	output := sets.Of(reflect.TypeFor[Out](), nil)
	return tool{
		name: d.name, title: d.title, description: d.description, hints: d.hints, limit: d.limit, perMinute: d.perMinute,
		input: input.Text(), output: output.Text(),
		bind: func(arguments json.RawMessage) (work, *api.Error) {
			var in In
			if bad := input.Decode(arguments, reflect.ValueOf(&in).Elem()); bad != nil {
				return work{}, bad
			}
			w := work{
				run:    func(ctx context.Context, c *call) (any, error) { return d.run(ctx, c, in) },
				unsure: func(e api.Error) api.Error { return e },
			}
			if d.unsure != nil {
				w.unsure = func(e api.Error) api.Error { return d.unsure(in, e) }
			}
			return w, nil
		},
	}
}

// listing is the tool as mcp-go lists it.
func (t tool) listing() mcp.Tool {
	return mcp.Tool{
		Name:            t.name,
		Title:           t.title,
		Description:     t.description,
		RawInputSchema:  json.RawMessage(t.input),
		RawOutputSchema: json.RawMessage(t.output),
		Annotations: mcp.ToolAnnotation{
			ReadOnlyHint:    &t.hints.readOnly,
			DestructiveHint: &t.hints.destructive,
			IdempotentHint:  &t.hints.idempotent,
			OpenWorldHint:   &t.hints.openWorld,
		},
	}
}
