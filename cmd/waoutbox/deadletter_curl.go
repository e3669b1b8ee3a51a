package main

import (
	"fmt"
	"strconv"
	"strings"

	"waoutbox/cmd/internal/term"
	"waoutbox/outbox/api"
	"waoutbox/outbox/api/untrusted"
)

// secretVariable is where the script looks for the secret, which is in no output.
const secretVariable = "WEBHOOK_SECRET"

// signing computes the headers of a signature in a POSIX shell, as the service does: over the exact
// body with the secret's bytes, and, in the form of Standard Webhooks, over id, time and body with
// the bytes that a whsec_ secret stands for.
const signing = `hex() { od -An -v -tx1 | tr -d ' \n'; }
hmac() { openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -binary; }
key=$(printf %s "$WEBHOOK_SECRET" | hex)
case $WEBHOOK_SECRET in
whsec_*) standard=$(printf %s "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | hex) ;;
*) standard=$key ;;
esac
now=$(date +%s)
`

// curlScript is `deadletter show --curl --json`.
type curlScript struct {
	ID     string   `json:"id"`
	Script string   `json:"script"`
	Notes  []string `json:"notes,omitempty"`
}

// showCurl prints a script that repeats the request. The secret never leaves the state directory:
// whoever runs the script sets it.
func (e *env) showCurl(d api.DeadLetterDetail) {
	var b strings.Builder
	if d.Signed {
		fmt.Fprintf(&b, ": \"${%s:?set it to the secret of %s first}\"\n", secretVariable, d.Webhook)
	}
	fmt.Fprintf(&b, "body=%s\n", shellText(d.Body))
	if d.Signed {
		b.WriteString(signing)
		fmt.Fprintf(&b, "signature=$(printf %%s \"$body\" | hmac \"$key\" | hex)\n")
		fmt.Fprintf(&b, "v1=$(printf %%s %s\"$now.$body\" | hmac \"$standard\" | openssl base64 -A)\n", shellWord(d.EventID+"."))
	}
	fmt.Fprintf(&b, "printf %%s \"$body\" | curl -i -X POST %s", shellWord(d.URL))
	for _, h := range curlHeaders(d) {
		fmt.Fprintf(&b, " \\\n  -H %s", h)
	}
	b.WriteString(" \\\n  --data-binary @-\n")
	if !e.json {
		e.printf("%s", b.String())
	}
	if d.Signed {
		e.note("note: it signs with $%s, which you set: the secret is not shown. Needs openssl", secretVariable)
	}
	if len(d.Headers) > 0 {
		e.note("note: write the values of the webhook's own headers in place of VALUE: %s", term.Clean(strings.Join(d.Headers, ", ")))
	}
	if e.json {
		e.printJSON(curlScript{d.ID, b.String(), e.remarks})
	}
}

// curlHeaders are the headers of the request, quoted for a shell.
func curlHeaders(d api.DeadLetterDetail) []string {
	plain := []string{
		"Content-Type: application/json", "User-Agent: waoutbox/" + version, "X-Webhook-Id: " + d.EventID, "X-Webhook-Event: " + d.Event,
		"X-Webhook-Attempt: " + strconv.Itoa(max(1, d.Attempts)), "X-Webhook-Subscription: " + d.Webhook,
		"X-Webhook-Sequence: " + strconv.FormatUint(d.Sequence, 10), "Idempotency-Key: " + d.EventID,
	}
	if d.Account != "" {
		plain = append(plain, "X-Webhook-Account: "+d.Account)
	}
	if d.Replay > 0 {
		plain = append(plain, "X-Webhook-Replay: "+strconv.Itoa(d.Replay))
	}
	for _, name := range d.Headers {
		plain = append(plain, name+": VALUE")
	}
	var out []string
	for _, h := range plain {
		out = append(out, shellWord(h))
	}
	if d.Signed {
		out = append(out, `"X-Webhook-Signature: sha256=$signature"`, shellWord("webhook-id: "+d.EventID), `"webhook-timestamp: $now"`, `"webhook-signature: v1,$v1"`)
	}
	return out
}

// shellWord is shellText as one argument of a command.
func shellWord(s string) string {
	text := shellText(s)
	if strings.HasPrefix(text, "$(") {
		return `"` + text + `"`
	}
	return text
}

// shellText quotes text of others for a POSIX shell. What a terminal would obey or not show is an
// escape that the shell turns into its bytes.
func shellText(s string) string {
	if untrusted.Escape(s) == s {
		return term.Quote(s)
	}
	var b strings.Builder
	for _, r := range s {
		switch text := string(r); {
		case r == '\\':
			b.WriteString(`\\`)
		case untrusted.Escape(text) != text:
			for _, c := range []byte(text) {
				fmt.Fprintf(&b, `\0%03o`, c)
			}
		default:
			b.WriteString(text)
		}
	}
	return "$(printf %b " + term.Quote(b.String()) + ")"
}
