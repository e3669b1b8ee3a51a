package settings

import (
	"bytes"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"waoutbox/outbox"
	"waoutbox/outbox/api"
)

// refused checks an error of a setting: a sentence for whoever gave it, which holds no secret.
func refused(t *testing.T, err error, secret string) {
	t.Helper()
	e, ok := err.(*api.Error) //nolint:errorlint // it is what callers get, not wrapped
	if !ok || e.Code == api.CodeInternal || e.Message == "" || !utf8.ValidString(e.Message) {
		t.Errorf("refused with %#v", err)
	}
	if len(secret) > 8 && strings.Contains(err.Error(), secret) {
		t.Errorf("%q is told: %v", secret, err)
	}
}

// FuzzSecrets: secrets and headers that are taken can be sent, and none is in a sentence.
func FuzzSecrets(f *testing.F) {
	f.Add("whsec_AA==", "Authorization", "Bearer 0123456789")
	f.Add("\ufeffsecret-secret", "X_Webhook_Signature", "x\r\ny")
	f.Add("whsec_"+strings.Repeat("A", 44), "a b", " x")
	f.Add("\xed\xa0\x80", "content-LENGTH", "\u202e")
	f.Fuzz(func(t *testing.T, secret, name, value string) {
		if err := CheckSecret(&secret, false); err != nil {
			refused(t, err, secret)
		} else {
			SecretWarning(secret)
			if len(secret) > maxSecret || !utf8.ValidString(secret) || strings.ContainsAny(secret, "\r\n\x00") {
				t.Errorf("%q is taken", secret)
			}
		}
		headers := map[string]string{name: value, strings.ToUpper(name) + "-b": value}
		if err := CheckHeaders(&headers); err != nil {
			refused(t, err, value)
		} else if strings.ContainsAny(name+value, "\r\n\x00") || strings.ContainsAny(name, " :\t") {
			t.Errorf("%q: %q is taken", name, value)
		}
	})
}

// FuzzFilter: a filter that is taken is taken again as it is kept, and has no duplicates.
func FuzzFilter(f *testing.F) {
	f.Add("message.received,*", "+49 151 55501001,connection", "120363025846172094@g.us", "group,user")
	f.Add("*", "", "4915155501001@c.us", "GROUP")
	f.Fuzz(func(t *testing.T, events, chats, notChats, kinds string) {
		list := func(text string) *[]string {
			if text == "" {
				return nil
			}
			l := strings.Split(text, ",")
			return &l
		}
		in := api.PutWebhook{Events: list(events), Chats: list(chats), NotChats: list(notChats), Kinds: list(kinds)}
		known := []string{"message.received", "message.sent", "connection.update"}
		if err := CheckEvents(in.Events, known); err != nil {
			refused(t, err, "")
			return
		}
		of := map[string][]string{"message.received": outbox.ChatKinds(), "connection.update": nil}
		out, _, err := Filter(outbox.Filter{}, in, of)
		if err != nil {
			refused(t, err, "")
			return
		}
		again, _, err := Filter(outbox.Filter{}, api.PutWebhook{Events: &out.Events, Chats: &out.Chats, NotChats: &out.NotChats, Kinds: &out.Kinds}, of)
		if err != nil || !SameFilter(out, again) {
			t.Errorf("%+v is kept as %+v, which is %+v, %v", in, out, again, err)
		}
		for _, l := range [][]string{out.Events, out.Chats, out.NotChats, out.Kinds} {
			sorted := slices.Sorted(slices.Values(l))
			if len(slices.Compact(sorted)) != len(l) {
				t.Errorf("%q has something twice", l)
			}
		}
	})
}

// FuzzSchedule: a schedule that is taken is written and read as the same.
func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"0s,1s,5m", "0,1h", "1s", "0s,-1s", "0s,1h1ns", "0s,9999999h", "0s, 1s ", "0s,.5s,1.5m"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		waits, err := ParseSchedule(strings.Split(text, ","))
		if err != nil {
			refused(t, err, "")
			return
		}
		again, err := ParseSchedule(ScheduleText(waits))
		if err != nil || !slices.Equal(waits, again) {
			t.Errorf("%q is %v, which is %v, %v", text, waits, again, err)
		}
	})
}

// FuzzCertificates: what is kept of a file of certificates is certificates alone, and is kept again
// as it is.
func FuzzCertificates(f *testing.F) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	f.Add("")
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	f.Add("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	f.Add(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0x82, 1, 0}})))
	f.Fuzz(func(t *testing.T, text string) {
		stored, _, err := Certificates(text, now)
		if err != nil {
			refused(t, err, "")
			return
		}
		if bytes.Contains(stored, []byte("PRIVATE")) {
			t.Errorf("a key is kept: %q", stored)
		}
		if again, _, err := Certificates(string(stored), now); err != nil || !bytes.Equal(again, stored) {
			t.Errorf("%q is kept as %q, and that as %q, %v", text, stored, again, err)
		}
		DescribeCertificates(stored)
	})
}
