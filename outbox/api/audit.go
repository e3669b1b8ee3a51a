package api

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// The kinds of callers.
const (
	CallerCLI     = "cli"  // a person at the command line
	CallerMCP     = "mcp"  // an agent
	CallerHTTP    = "http" // a program
	CallerPage    = "page" // a person at the operator's page
	CallerService = "service"
)

// Caller says who asks. What a caller says of itself is a claim, not a credential.
type Caller struct {
	Kind    string // one of the above
	Client  string // the name that an agent's or a program's client gives itself
	Version string
	// by what it was let in: PrincipalLocal, PrincipalToken, or "" where nothing of it is known
	// that way
	Principal string
}

// Principals: whom the service knows an MCP client as, by how it came in.
const (
	PrincipalLocal = "local"      // the control socket, which is the user's own
	PrincipalToken = "http-token" // the token of the HTTP listener
)

// Outcomes of what the audit trail records.
const (
	AuditDone    = "done"
	AuditRefused = "refused" // nothing was changed
	AuditFailed  = "failed"  // something went wrong on the way; the reason says what
	// it was begun, and what came of it was not recorded: the process ended in between
	AuditBegun = "begun"
)

// AuditRecord is one line of `audit`: a change that somebody made, or asked for and did not get. It
// holds neither secrets, nor the text of messages, nor the queries of URLs.
type AuditRecord struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Caller string    `json:"caller"` // cli, mcp, http, page or service
	// the name and version that the caller's program gives itself
	Client        string `json:"client,omitempty"`
	ClientVersion string `json:"client_version,omitempty"`
	Principal     string `json:"principal,omitempty"` // of events.*: as whom it was let in
	Operation     string `json:"operation"`           // webhook.add, message.send, …
	// what it was done to: the id of a webhook, a host, a recipient
	Object string `json:"object,omitempty"`
	URL    string `json:"url,omitempty"`
	// the settings that changed, by name
	Fields  []string `json:"fields,omitempty"`
	Result  string   `json:"result,omitempty"` // what came of it
	Outcome string   `json:"outcome"`          // done, refused, failed or begun
	Code    string   `json:"code,omitempty"`   // of the refusal or failure
	Reason  string   `json:"reason,omitempty"`
	Warning string   `json:"warning,omitempty"`
	// of audit.accept: what was found, at most 20 places
	Found []string `json:"found,omitempty"`
	// refusals before this one that were not recorded, since there were too many
	Unrecorded int64 `json:"unrecorded,omitempty"`
}

// About is what it was done to, in a line: Object, or else URL, or both where Object is no webhook
// that says where: a subscription that was refused has none, and its Object is an event.
func (r AuditRecord) About() string {
	if r.Object == "" || r.URL == "" || strings.HasPrefix(r.Object, "wh_") {
		return cmp.Or(r.Object, r.URL)
	}
	return r.URL + " (" + r.Object + ")"
}

// AuditQuery asks for a part of the audit trail, newest first.
type AuditQuery struct {
	Since  time.Time `json:"since,omitzero"`
	Limit  int       `json:"limit,omitempty"`  // at most 256; 0: that many
	Cursor string    `json:"cursor,omitempty"` // AuditPage.Next
}

// AuditPage is a page of the audit trail, newest first.
type AuditPage struct {
	Items []AuditRecord `json:"items"`
	Next  string        `json:"next,omitempty"` // where older ones begin; "": there are none
}

// VerifyAudit asks whether the audit trail is what was stored.
type VerifyAudit struct {
	// links that an earlier check returned, kept elsewhere: each must still be there
	Known []string `json:"known,omitempty"`
}

// AuditCheck is what a check of the audit trail found.
type AuditCheck struct {
	Intact  bool  `json:"intact"`  // nothing was changed by something else than waoutbox
	Records int64 `json:"records"` // how many were checked
	// the newest link of each kind of record, to be kept elsewhere: KIND-NUMBER-HASH
	Links  []string     `json:"links"`
	Broken []AuditBreak `json:"broken"` // at most 20 places
	// whether it was compared with its seals, which only the state's key makes: false while that is
	// missing
	SealChecked bool `json:"seal_checked"`
	// records that were stored since the last seal, without the key
	Unsealed int64 `json:"unsealed"`
}

// AcceptAudit takes an audit trail that something else changed as it is. Only the command line may.
type AcceptAudit struct{}

// AcceptedAudit is what was found of an audit trail, and taken as it is. Nothing was written when
// Found is intact.
type AcceptedAudit struct {
	Found AuditCheck `json:"found"`
	// the id of the record that says so; absent: nothing was written
	Record string `json:"record,omitempty"`
}

// AuditBreak is a place at which the audit trail is not what was stored.
type AuditBreak struct {
	Kind   string `json:"kind"`             // change, send, refusal or signal
	Number int64  `json:"number,omitempty"` // of the link; absent: the record has none
	ID     string `json:"id,omitempty"`     // of the record, where it is known
	Why    string `json:"why"`
}

// String is a break in one line.
func (b AuditBreak) String() string {
	return fmt.Sprintf("%s %d %s: %s", b.Kind, b.Number, cmp.Or(b.ID, "-"), b.Why)
}

// Policies for the hosts of webhooks that agents and programs register.
const (
	// a host that is not allowed needs the user's consent, where he can be asked
	PolicyAsk = "ask"
	// a host that is not allowed is refused
	PolicyLocked = "locked"
	PolicyOpen   = "open"
)

// HostPolicy says to which hosts agents and programs may send events.
type HostPolicy struct {
	Policy  string   `json:"policy"`
	Hosts   []string `json:"hosts"`
	Changed bool     `json:"changed"` // by the call that returns it
	// e.g. the change does not outlast the next start
	Warnings []string `json:"warnings,omitempty" sentence:"true"`
}

// AllowHost allows a host of webhooks, or with Disallow takes that back. Only the command line may.
type AllowHost struct {
	// a.example, a.example/hooks, *.b.example or 192.168.1.5:5678; "" changes nothing and returns
	// what there is
	Host     string `json:"host,omitempty"`
	Disallow bool   `json:"disallow,omitempty"`
	// take over webhook-policy and webhook-hosts as the settings have them now, instead
	Reread bool `json:"reread,omitempty"`
}

// RecordSetting records, before the command line changes a setting, what it is about to do, and
// after it, with Record, what came of it. Only the command line may.
type RecordSetting struct {
	Key   string `json:"key,omitempty"`
	Unset bool   `json:"unset,omitempty"`
	// what it says then and said before, without what is secret in it
	Result string `json:"result,omitempty"`
	// RecordedSetting.Record of a change that was made, or failed
	Record  string `json:"record,omitempty"`
	Failure string `json:"failure,omitempty"`
	Warning string `json:"warning,omitempty"`
}

// RecordedSetting is a record of the audit trail that says that a change is about to be made.
type RecordedSetting struct {
	Record string `json:"record,omitempty"`
	// why it could not be written
	Unwritten string `json:"unwritten,omitempty"`
}

// Approval is what an agent's client knows of its user's consent to the host of a webhook.
type Approval string

const (
	ApprovalNone     Approval = ""         // the user cannot be asked
	ApprovalAsk      Approval = "ask"      // he can, and was not yet
	ApprovalGiven    Approval = "given"    // he agreed
	ApprovalDeclined Approval = "declined" // he did not
)
