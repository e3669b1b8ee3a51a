package wasim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"waoutbox/connection/wasim/fault"
)

// faultRoutes make the server's deliveries go wrong.
func faultRoutes() []route {
	return []route{
		{"POST", "/faults", "let something happen at a stanza: effect cut-before, cut-after, lose, twice, delay (with for), garble, damage or refuse, at the skip+1st one with this tag, these attrs and such a child, so many times (-1 for ever); for \"unlinked\" as account at any client's", `{"fault":{"from":"server","tag":"message","attrs":{},"child":"","skip":0,"times":1,"effect":"cut-before"},"for":"2s"}`, controlFault},
		{"POST", "/faults/clear", "forget the planned faults", `{}`, controlClearFaults},
		{"POST", "/repeat", "send a stanza once more, with another t (Unix seconds, 0 keeps it)", `{"id":"3A…","at":0}`, controlRepeat},
		{"POST", "/hold", "keep everything queued from the companion, or let it go", `{"on":true}`, controlHold},
		{"POST", "/reorder", "change the order of what is queued and not sent: reverse or shuffle", `{"order":"reverse"}`, controlReorder},
		{"POST", "/stanza", "queue any stanza; attributes that are JIDs are sent as such, content is a list of nodes, a text or {\"base64\":…}", `{"node":{"tag":"notification","attrs":{"id":"1","from":"s.whatsapp.net","type":"x"},"content":[]}}`, controlStanza},
	}
}

// anyClient is the account name that stands for every connection.
const anyClient = "unlinked"

func controlFault(_ context.Context, s *Server, in request) (any, error) {
	var f fault.Fault
	if err := json.Unmarshal(in.Fault, &f); err != nil {
		return nil, fmt.Errorf("fault is not as this route takes it: %w", err)
	}
	if in.For != "" {
		var err error
		if f.For, err = time.ParseDuration(in.For); err != nil {
			return nil, fmt.Errorf("for %q is no duration such as 2s", in.For)
		}
	}
	if in.Account == anyClient {
		return nil, s.Fault(f)
	}
	return nil, s.withAccount(in, func(a *Account) error { return a.Fault(f) })
}

func controlClearFaults(_ context.Context, s *Server, in request) (any, error) {
	if in.Account == anyClient {
		s.ClearFaults()
		return nil, nil
	}
	return nil, s.withAccount(in, func(a *Account) error { a.ClearFaults(); return nil })
}

func controlRepeat(ctx context.Context, s *Server, in request) (any, error) {
	return nil, s.withAccount(in, func(a *Account) error { return a.Repeat(ctx, in.ID, in.at()) })
}

func controlHold(_ context.Context, s *Server, in request) (any, error) {
	return nil, s.withAccount(in, func(a *Account) error { a.Hold(in.On); return nil })
}

func controlReorder(_ context.Context, s *Server, in request) (any, error) {
	order := map[string]func(int) []int{"reverse": Reverse, "shuffle": rand.Perm}[in.Order]
	if order == nil {
		return nil, fmt.Errorf("order %q is not reverse or shuffle", in.Order)
	}
	return nil, s.withAccount(in, func(a *Account) error { return a.Reorder(order) })
}

func controlStanza(ctx context.Context, s *Server, in request) (any, error) {
	n, err := readNode(in.Node)
	if err != nil {
		return nil, err
	}
	return nil, s.withAccount(in, func(a *Account) error { return a.SendStanza(ctx, n) })
}

// readNode reads a stanza from JSON.
func readNode(raw []byte) (waBinary.Node, error) {
	var in struct {
		Tag     string            `json:"tag"`
		Attrs   map[string]string `json:"attrs"`
		Content json.RawMessage   `json:"content"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return waBinary.Node{}, fmt.Errorf("read the node: %w", err)
	}
	if in.Tag == "" {
		return waBinary.Node{}, errors.New("read the node: it needs a tag")
	}
	n := waBinary.Node{Tag: in.Tag, Attrs: waBinary.Attrs{}}
	setAttrs(n.Attrs, in.Attrs)
	if len(in.Content) == 0 {
		return n, nil
	}
	var text string
	if json.Unmarshal(in.Content, &text) == nil {
		n.Content = []byte(text)
		return n, nil
	}
	var encoded struct {
		Base64 []byte `json:"base64"`
	}
	if json.Unmarshal(in.Content, &encoded) == nil {
		n.Content = encoded.Base64
		return n, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(in.Content, &list); err != nil {
		return n, fmt.Errorf("content of <%s>: %w", in.Tag, err)
	}
	var children []waBinary.Node
	for _, one := range list {
		child, err := readNode(one)
		if err != nil {
			return n, err
		}
		children = append(children, child)
	}
	n.Content = children
	return n, nil
}

// at is the time of a request, zero when there is none.
func (in request) at() time.Time {
	if in.At == 0 {
		return time.Time{}
	}
	return time.Unix(in.At, 0)
}
