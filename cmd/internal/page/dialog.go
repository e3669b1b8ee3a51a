package page

import (
	"net/http"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// dialog asks before something is done: a page of its own, which page.js shows above the page that
// it was asked on. Nothing that follows from it is done by a GET.
type dialog struct {
	Heading string
	Warn    string // what speaks against it, in red or amber
	Test    string // id of the webhook to test first
	Items   []string
	Texts   []string
	Pace    *pace
	Check   *check
	Select  []option // of webhooks
	Must    int64    // this number must be typed, 0: none
	Fields  []field
	Command string // that does the same, but for what is chosen in the form
	Action  string // the path that does it
	Submit  string
	Danger  bool
	Cancel  string // the harmless button
	Back    string
	Error   string // why it was not done
}

// check is a box to tick, and the flag of the command that is the same.
type check struct {
	Name, Flag, Text string
	On               bool
}

// pace asks for a rate, and whether to keep going.
type pace struct {
	Rate string
	Keep bool
}

// Standard is the rate that needs no flag.
func (pace) Standard() string { return floatText(api.DefaultReplayRate) }

// Same is the command line with what is chosen in the form. Whoever chooses otherwise is shown it
// by page.js, which makes it alike.
func (d dialog) Same() string {
	words := []string{d.Command}
	if len(d.Select) > 0 {
		chosen := d.Select[0]
		for _, o := range d.Select {
			if o.Chosen {
				chosen = o
			}
		}
		words = append(words, "--url", term.Quote(chosen.Value))
	}
	if p := d.Pace; p != nil {
		if p.Rate != p.Standard() {
			words = append(words, "--rate", term.Quote(p.Rate))
		}
		if p.Keep {
			words = append(words, "--keep-going")
		}
	}
	if d.Check != nil && d.Check.On {
		words = append(words, d.Check.Flag)
	}
	return strings.Join(words, " ")
}

// asking is one dialog: how it is made, and what it does, which returns where to go on.
type asking struct {
	path string
	ask  func(c *call) (dialog, error)
	do   func(c *call) (to string, err error)
}

func (s *Server) dialogs() []asking {
	return []asking{
		{"webhooks/{id}/pause", (*call).askPause, (*call).pause},
		{"webhooks/{id}/resume", (*call).askResume, (*call).resume},
		{"webhooks/{id}/rotate-secret", (*call).askRotate, (*call).rotate},
		{"webhooks/{id}/remove", (*call).askRemove, (*call).remove},
		{"deadletters/replay", (*call).askReplay, (*call).replay},
		{"deadletters/purge", (*call).askPurge, (*call).purge},
		{"events/replay", (*call).askReplayEvents, (*call).replayEvents},
		{"link/unpair", (*call).askUnpair, (*call).unpair},
	}
}

// asked shows a dialog.
func (s *Server) asked(a asking) handler {
	return func(c *call) error {
		d, err := a.ask(c)
		if err != nil {
			return err
		}
		return c.renderDialog(d)
	}
}

// answered does what was asked, or shows the dialog again with why not.
func (s *Server) answered(a asking) handler {
	return func(c *call) error {
		to, err := a.do(c)
		if err == nil {
			return c.to(to)
		}
		d, askErr := a.ask(c)
		if askErr != nil {
			return err // what it was about is not there any more
		}
		d.Error = c.said(err)
		c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
		c.w.WriteHeader(http.StatusUnprocessableEntity)
		return c.renderDialog(d)
	}
}

func (c *call) renderDialog(d dialog) error {
	if d.Cancel == "" {
		d.Cancel = "Cancel"
	}
	d.Action = c.r.URL.Path
	return c.write("dialog", document{c.frame(d.Heading), d})
}
