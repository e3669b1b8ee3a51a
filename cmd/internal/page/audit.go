package page

import (
	"cmp"
	"html/template"
	"net/url"
	"strings"

	"waoutbox/cmd/internal/page/view"
	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
)

// audit: who changed what.
type audit struct {
	Rows    []auditRow
	ListErr string // why the trail cannot be read, or no further than to Rows
	Older   template.URL
	Newest  template.URL
	Who     []option
	What    []option
	Since   []option
	Q       string
	Words   string // what is selected; "" without a filter
	Command string
}

type auditRow struct {
	At        view.Time
	Who, More string
	Did       string
	Object    string
	Hook      bool // Object is a webhook
	Detail    string
}

// The page looks at the trail until it has so many, and at so many parts of it at most.
const (
	auditShown = 50
	auditParts = 20
)

func (c *call) audit() (shown, error) {
	m := audit{
		Who:     options(c.input("who"), [2]string{"", "Anybody"}, [2]string{api.CallerCLI, "Terminal"}, [2]string{api.CallerPage, "This page"}, [2]string{api.CallerMCP, "Agents"}, [2]string{api.CallerHTTP, "Programs"}, [2]string{api.CallerService, "waoutbox itself"}),
		What:    options(c.input("what"), [2]string{"", "Anything"}, [2]string{"webhook.", "Webhooks"}, [2]string{"deadletter.", "Dead letters"}, [2]string{"link.", "Link"}, [2]string{"message.", "Messages sent"}, [2]string{"refused", "Refused"}),
		Since:   options(c.input("since"), [2]string{"", "At any time"}, [2]string{"today", "Today"}, [2]string{"1h", "The last hour"}),
		Q:       c.input("q"),
		Command: c.s.o.Command("audit"),
	}
	m.Words = c.words(chosen{"who", "", m.Who}, chosen{"what", "", m.What}, chosen{"since", "", m.Since}, chosen{"q", "", nil})
	q := api.AuditQuery{Since: c.since(c.input("since")), Cursor: c.input("cursor"), Limit: 256}
	if m.Words == "" {
		q.Limit = auditShown
	}
	for range auditParts {
		page, err := c.s.o.Service.Audit(c.ctx(), q)
		if m.ListErr = c.unread(err); err != nil {
			q.Cursor = ""
			break
		}
		for _, r := range page.Items {
			if c.auditWants(r) {
				m.Rows = append(m.Rows, c.auditRow(r))
			}
		}
		if q.Cursor = page.Next; page.Next == "" || len(m.Rows) >= auditShown {
			break
		}
	}
	again := url.Values{}
	for _, name := range []string{"who", "what", "since", "q"} {
		if v := c.input(name); v != "" {
			again.Set(name, v)
		}
	}
	if c.input("cursor") != "" {
		m.Newest = queryOf(again)
	}
	if q.Cursor != "" {
		again.Set("cursor", q.Cursor)
		m.Older = queryOf(again)
	}
	return shown{Title: "Audit", Model: m}, nil
}

func (c *call) auditWants(r api.AuditRecord) bool {
	if who := c.input("who"); who != "" && r.Caller != who {
		return false
	}
	if what := c.input("what"); what == "refused" && r.Outcome == api.AuditDone || what != "refused" && !strings.HasPrefix(r.Operation, what) {
		return false
	}
	q := strings.ToLower(c.input("q"))
	return q == "" || strings.Contains(strings.ToLower(strings.Join([]string{r.Operation, r.Object, r.URL, r.Result, r.Reason, r.Client, r.Code}, " ")), q)
}

func (c *call) auditRow(r api.AuditRecord) auditRow {
	out := auditRow{At: c.clock.Ago(r.At), Did: view.Did(r.Operation), Object: c.text(view.Line(r.About()))}
	out.Who, out.More = view.Who(r)
	out.Hook = strings.HasPrefix(r.Object, "wh_")
	parts := []string{}
	switch {
	case r.Outcome == api.AuditRefused:
		out.Did = "Refused: " + strings.ToLower(out.Did[:1]) + out.Did[1:]
		parts = append(parts, cmp.Or(r.Reason, r.Code))
	case r.Outcome == api.AuditFailed:
		parts = append(parts, "failed: "+cmp.Or(r.Reason, r.Code))
	case r.Result != "":
		parts = append(parts, r.Result)
	}
	if out.Hook && r.URL != "" {
		parts = append(parts, r.URL)
	}
	if len(r.Fields) > 0 {
		parts = append(parts, strings.Join(r.Fields, ", "))
	}
	if r.Warning != "" {
		parts = append(parts, "with a warning: "+r.Warning)
	}
	if r.Unrecorded > 0 {
		parts = append(parts, term.Count(r.Unrecorded)+" more before it")
	}
	out.Detail = c.text(term.Clean(term.Short(strings.Join(parts, "; "), 400)))
	return out
}
