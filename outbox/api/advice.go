package api

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TestURLOfN8N is what to say of such a URL, before its production URL or the command that adds it.
const TestURLOfN8N = "this is a test URL of n8n, which takes one event and only while its editor listens. Activate the workflow and add its production URL instead: "

// ProductionURL returns the URL at which n8n serves a workflow of which url is the test URL,
// without a query, which often holds a token; false where url is no test URL of n8n.
func ProductionURL(url string) (production string, is bool) {
	before, after, is := strings.Cut(url, "/webhook-test/")
	after, _, _ = strings.Cut(after, "?")
	return before + "/webhook/" + after, is
}

// Advice says what to do about an endpoint that did not accept the test, "" when it did. command
// returns how the caller runs a command line of this program, given without the program's name.
// What the endpoint wrote stands in the text: the caller cleans r before.
func (r TestWebhookResult) Advice(command func(line string) string) string {
	const again = "then test it again."
	// what the sender found out is behind the status: where a redirect points, which scheme it
	// wants
	_, found, _ := strings.Cut(r.Error, ": ")
	switch {
	case r.Success:
		return ""
	case r.Status >= 200 && r.Status < 300:
		return "It answers 200 to everything while it starts, so such an answer is no delivery. Wait a moment, " + again
	case r.Status == http.StatusNotFound && strings.Contains(r.Excerpt, "webhook") && strings.Contains(r.Excerpt, "not registered"):
		if production, is := ProductionURL(r.URL); is {
			return "T" + TestURLOfN8N[1:] + command("webhook add "+production)
		}
		return "n8n returns 404 while the workflow is not active. Activate it, " + again
	case r.Status == http.StatusNotFound:
		return "Nothing is served at this path. Correct the path in the receiver or add the right URL, " + again
	case r.Status == http.StatusUnauthorized && found != "":
		return capital(found) + ". Put the line 'Authorization: Basic ' and the base64 of USER:PASSWORD into a file of your own: " +
			command("webhook add "+r.ID+" --header-file FILE") + ", " + again
	case r.Status == http.StatusUnauthorized || r.Status == http.StatusForbidden:
		return "The endpoint refuses the request. If it checks X-Webhook-Signature, give both sides the same secret, " + again
	case r.Status >= 300 && r.Status < 400 && found != "":
		return capital(found) + "\n" + command("webhook add "+pointedTo(found))
	case r.Status >= 300 && r.Status < 400 || r.Class == "redirect":
		return "Redirects are never followed. Add the URL it points to instead: " + command("webhook add URL")
	case r.Status == http.StatusGone:
		return "The endpoint says that it is gone for good, and an event answered like this pauses the webhook. Let the receiver answer 200, " + again
	case strings.Contains(found, "use http"):
		advice := "Add the URL with the right scheme or port instead: " + command("webhook add URL")
		if r.Status > 0 {
			advice = capital(found) + ".\n" + advice
		}
		return advice
	case r.Status == http.StatusRequestEntityTooLarge:
		return "The receiver takes no body as large as this. Raise its limit to 2 MB (Express: express.json({ limit: '2mb' })), " + again
	case r.Status >= 500:
		return "The endpoint failed. Look into its log, " + again
	case r.Status > 0:
		return "Only a 2xx answer counts as delivered. Let the receiver answer 200, " + again
	}
	return r.unansweredAdvice(command, again)
}

// unansweredAdvice is Advice for an endpoint that answered nothing.
func (r TestWebhookResult) unansweredAdvice(command func(line string) string, again string) string {
	switch {
	case r.Class == "refused":
		return "Nothing listens there. Start the receiver, " + again
	// what most servers of TLS do to plain HTTP
	case r.Class == "reset" && strings.HasPrefix(r.URL, "http://"):
		return "It closed the connection without an answer. If it speaks TLS at this port, add the URL with https:// instead: " + command("webhook add URL") +
			"\nOtherwise look into its log, " + again
	case r.Class == "reset":
		return "It closed the connection without an answer. Look into its log, " + again
	case r.Class == "dns":
		return "The name does not resolve on this machine. Check its spelling and the DNS, " + again
	case r.Class == "timeout":
		return "No answer within 10 s. Let the receiver answer first and work afterwards, " + again
	case r.Class == "tls" && strings.Contains(r.Error, "authority"):
		return "This machine does not know who signed the certificate. Name the authority: " + command("webhook add "+r.ID+" --ca-file FILE") + ", " + again
	case r.Class == "tls":
		return "The certificate or the handshake failed. Check that it is valid for this name, " + again
	case r.Class == "local":
		return "That is on this machine, not at the endpoint. Mend it, " + again
	case r.Class == "address":
		return "Webhooks never go to this address."
	}
	return "Check the endpoint, " + again
}

// pointedTo is the URL at the end of what the sender says of a redirect, where a command line can
// hold it as it stands.
func pointedTo(found string) string {
	_, url, _ := strings.Cut(found, "points to: ")
	if !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
		return "URL"
	}
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/:.-_~%", r))
	}
	if strings.ContainsFunc(url, func(r rune) bool { return !plain(r) }) {
		return "URL"
	}
	return url
}

// capital returns s with its first letter as at the start of a sentence.
func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}
