package mcptools

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"waoutbox/mcptools/mcpevents"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// sdkParams and sdkResult are what the official Go SDK sends and reads of the extension's methods,
// which it does not know.
type sdkParams struct {
	gosdk.ParamsBase
	Name     string            `json:"name,omitempty"`
	Cursor   *string           `json:"cursor,omitempty"`
	Delivery map[string]string `json:"delivery,omitempty"`
}

type sdkResult struct {
	gosdk.ResultBase
	Events []struct {
		EventID  string   `json:"eventId"`
		Name     string   `json:"name"`
		Delivery []string `json:"delivery"`
	} `json:"events"`
	Cursor        string `json:"cursor"`
	ID            string `json:"id"`
	RefreshBefore string `json:"refreshBefore"`
}

// The client of the official Go SDK, which nobody here wrote, lists, polls, subscribes and
// unsubscribes, and sees the errors, over stdio and over HTTP.
func TestOfficialClientPolls(t *testing.T) {
	t.Parallel()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- New(eventOptions(newEventBackend())).ServeStdio(t.Context(), inR, outW)
		outW.Close()
	}()
	h := serveHTTPEvents(t, newEventBackend())
	for name, transport := range map[string]gosdk.Transport{
		"stdio": &gosdk.IOTransport{Reader: outR, Writer: inW},
		"HTTP":  &gosdk.StreamableClientTransport{Endpoint: h.url, HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}},
	} {
		c := gosdk.NewClient(&gosdk.Implementation{Name: name, Version: "1"}, nil)
		for _, method := range []string{"events/list", "events/poll", "events/subscribe", "events/unsubscribe"} {
			if err := gosdk.AddSendingCustomMethod[*sdkParams, *sdkResult](c, method); err != nil {
				t.Fatal(err)
			}
		}
		cs, err := c.Connect(t.Context(), transport, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := cs.InitializeResult().Capabilities.Extensions[mcpevents.Key]; !ok {
			t.Errorf("%s: capabilities %+v", name, cs.InitializeResult().Capabilities)
		}
		call := func(method string, p *sdkParams) (*sdkResult, error) {
			return gosdk.CallCustomMethod[*sdkParams, *sdkResult](t.Context(), cs, method, p)
		}
		if list, err := call("events/list", &sdkParams{}); err != nil || len(list.Events) != 2 || len(list.Events[0].Delivery) != 2 {
			t.Errorf("%s: list %+v, %v", name, list, err)
		}
		cursor := "c7"
		if page, err := call("events/poll", &sdkParams{Name: "message.received", Cursor: &cursor}); err != nil || len(page.Events) != 2 || page.Events[1].EventID != "evt_8" || page.Cursor != "c9" {
			t.Errorf("%s: poll %+v, %v", name, page, err)
		}
		to := map[string]string{"mode": "webhook", "url": "https://a.example/hook", "secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"}
		if out, err := call("events/subscribe", &sdkParams{Name: "message.received", Delivery: to}); err != nil || out.ID != "sub_1" || out.RefreshBefore == "" || out.Cursor != "c7" {
			t.Errorf("%s: subscribe %+v, %v", name, out, err)
		}
		if _, err := call("events/unsubscribe", &sdkParams{Name: "message.received", Delivery: to}); err != nil {
			t.Errorf("%s: unsubscribe: %v", name, err)
		}
		_, err = call("events/poll", &sdkParams{Name: "nonsense"})
		if bad, ok := errors.AsType[*jsonrpc.Error](err); !ok || bad.Code != -32011 {
			t.Errorf("%s: an unknown type: %v", name, err)
		}
		if err := cs.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
