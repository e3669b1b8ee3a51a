package settings

import (
	"fmt"
	"strings"
	"testing"

	"waoutbox/outbox/api"
)

func TestCheckHeaders(t *testing.T) {
	many := func(n int) map[string]string {
		all := map[string]string{}
		for i := range n {
			all[fmt.Sprintf("X-%02d", i)] = "v"
		}
		return all
	}
	// A name of 2 bytes: 8 KiB exactly, and one more.
	sized := func(n int) map[string]string { return map[string]string{"XY": strings.Repeat("v", n-2)} }
	for name, all := range map[string]map[string]string{
		"none": {}, "twenty": many(20), "8 KiB": sized(8 << 10),
		"usual":             {"Authorization": `Bearer a.b-c_d==`, "Cookie": "a=b; c=d", "X-Api-Key": "k", "x-webhooks": "near", "Webhook": "near", "Proxy": "near"},
		"every letter":      {"AZaz09!#$%&'*+-.^_`|~": "v"},
		"beyond ASCII":      {"X-City": "Köln 東京"},
		"own replay key":    {"X-Idempotency-Key": "k"},
		"content of theirs": {"Content-Language": "de"},
	} {
		if err := CheckHeaders(&all); err != nil {
			t.Errorf("%s: refused: %v", name, err)
		}
	}
	if err := CheckHeaders(nil); err != nil {
		t.Errorf("not given: %v", err)
	}
	const quietly = "quietly-token"
	for name, tc := range map[string]struct {
		all   map[string]string
		names string
	}{
		"twenty-one":        {many(21), "the most is 20"},
		"too large":         {sized(8<<10 + 1), "8193 bytes"},
		"too large by name": {map[string]string{strings.Repeat("X", 8<<10): "v"}, "8193 bytes"},
		"no name":           {map[string]string{"": quietly}, "no name"},
		"space in a name":   {map[string]string{"Authorization " + quietly: "x"}, "' '"},
		"colon in a name":   {map[string]string{"X:": quietly}, "':'"},
		"umlaut in a name":  {map[string]string{"Kölner": quietly}, "'ö'"},
		"CR in a name":      {map[string]string{"X\r\nY": quietly}, `'\r'`},
		"no value":          {map[string]string{"X-A": ""}, "X-A has no value"},
		"only space":        {map[string]string{"X-A": " "}, "white space"},
		"space at the end":  {map[string]string{"X-A": quietly + " "}, "white space"},
		"CR":                {map[string]string{"X-A": quietly + "\rx"}, "line ends"},
		"LF":                {map[string]string{"X-A": quietly + "\nX-B: y"}, "line ends"},
		"NUL":               {map[string]string{"X-A": quietly + "\x00x"}, "control"},
		"DEL":               {map[string]string{"X-A": quietly + "\x7fx"}, "control"},
		"tab":               {map[string]string{"X-A": quietly + "\tx"}, "control"},
		"no UTF-8":          {map[string]string{"X-A": quietly + "\xe9x"}, "UTF-8"},
		"twice":             {map[string]string{"X-Api-Key": quietly, "x-api-key": quietly}, "X-Api-Key and x-api-key"},
	} {
		err := CheckHeaders(&tc.all)
		if api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), tc.names) {
			t.Errorf("%s: %v (%s), want invalid_arguments naming %q", name, err, api.CodeOf(err), tc.names)
		}
		if err != nil && strings.Contains(err.Error(), quietly) {
			t.Errorf("%s: the value is in the error: %v", name, err)
		}
	}
}

func TestReservedHeadersAreRefusedInAnyCase(t *testing.T) {
	for _, name := range []string{
		"Content-Type", "User-Agent", "X-Webhook-Signature", "X-Webhook-Id", "X-Webhook-Event", "X-Webhook-Attempt", "X-Webhook-Subscription",
		"X-Webhook-Sequence", "X-Webhook-Account", "X-Webhook-Replay", "X-Webhook-Anything", "X_Webhook_Signature", "Content_Length", "Idempotency_Key", "Idempotency-Key", "webhook-id",
		"webhook-timestamp", "webhook-signature", "webhook-anything", "Content-Length", "Content-Encoding", "Host", "Connection",
		"Transfer-Encoding", "Trailer", "Upgrade", "TE", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Expect", "Accept-Encoding",
	} {
		for _, spelled := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			err := CheckHeaders(&map[string]string{spelled: "v"})
			if api.CodeOf(err) != api.CodeInvalidArguments || !strings.Contains(err.Error(), spelled) {
				t.Errorf("%s: %v", spelled, err)
			}
		}
	}
}
