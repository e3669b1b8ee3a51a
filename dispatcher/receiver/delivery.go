package receiver

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Signature is what checking X-Webhook-Signature gave.
type Signature string

const (
	SignatureAbsent  Signature = "absent"
	SignatureValid   Signature = "valid"
	SignatureInvalid Signature = "invalid"
	SignatureUnknown Signature = "unchecked" // the receiver has no secret
)

// Delivery is one POST as it arrived, and the response to it.
type Delivery struct {
	N       int       // 1 for the first POST
	Time    time.Time // arrival
	Header  http.Header
	Body    []byte // nil when bodies are not kept
	Status  int    // of the response; 0 = none (hang, reset)
	EventID string // X-Webhook-Id
	Event   string // X-Webhook-Event
	Chat    string // taken from the body; "connection" for connection.update, "" if there is none
	Seq     uint64 // X-Webhook-Sequence
	Attempt int    // X-Webhook-Attempt
	Replay  int    // X-Webhook-Replay
	Account string // X-Webhook-Account

	Signature Signature
	Duplicate bool // this event id had already been accepted with a 2xx, and this is no replay
	// accepted after a higher sequence of the same chat; replays, duplicates and unknown chats are
	// exempt
	OutOfOrder bool
}

// Accepted reports whether the response was a 2xx.
func (d Delivery) Accepted() bool { return d.Status >= 200 && d.Status <= 299 }

func newDelivery(h http.Header, body []byte, secret []byte) Delivery {
	d := Delivery{
		Time: time.Now(), Header: h.Clone(), Body: body,
		EventID: h.Get("X-Webhook-Id"), Event: h.Get("X-Webhook-Event"), Account: h.Get("X-Webhook-Account"),
		Chat: chatOf(body), Signature: verify(h.Get("X-Webhook-Signature"), body, secret),
	}
	// An absent or unreadable number stays 0, which no sender uses.
	d.Seq, _ = strconv.ParseUint(h.Get("X-Webhook-Sequence"), 10, 64)
	d.Attempt, _ = strconv.Atoi(h.Get("X-Webhook-Attempt"))
	d.Replay, _ = strconv.Atoi(h.Get("X-Webhook-Replay"))
	if d.Chat == "" && d.Event == "connection.update" {
		d.Chat = "connection"
	}
	return d
}

// verify checks sha256=<hex> with an HMAC of its own, independent of the sender's code.
func verify(got string, body, secret []byte) Signature {
	switch {
	case got == "":
		return SignatureAbsent
	case len(secret) == 0:
		return SignatureUnknown
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	if hmac.Equal([]byte(got), []byte("sha256="+hex.EncodeToString(mac.Sum(nil)))) {
		return SignatureValid
	}
	return SignatureInvalid
}

// chatOf finds the chat in an event's body: messages[0].key.remoteJid, [0].key.remoteJid, [0].id or
// id of data.
func chatOf(body []byte) string {
	type ref struct {
		ID  string `json:"id"`
		Key struct {
			RemoteJid string `json:"remoteJid"`
		} `json:"key"`
	}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return ""
	}
	var first ref
	if data := bytes.TrimSpace(envelope.Data); len(data) > 0 && data[0] == '[' {
		var list []ref
		if json.Unmarshal(data, &list) == nil && len(list) > 0 {
			first = list[0]
		}
	} else {
		var obj struct {
			ref
			Messages []ref `json:"messages"`
		}
		if json.Unmarshal(data, &obj) == nil {
			first = obj.ref
			if len(obj.Messages) > 0 {
				first = obj.Messages[0]
			}
		}
	}
	if first.Key.RemoteJid != "" {
		return first.Key.RemoteJid
	}
	return first.ID
}
