package main

// verifierCode is `webhook show --verify LANGUAGE --json`.
type verifierCode struct {
	Webhook  string   `json:"webhook"`
	Language string   `json:"language"`
	Code     string   `json:"code"`
	Warnings []string `json:"warnings,omitempty"`
}

// verifier returns code that checks X-Webhook-Signature in a language. It reads the secret from the
// environment variable WEBHOOK_SECRET and works on the raw body: parsing and printing it again
// would change it.
func verifier(language string) (string, error) {
	switch language {
	case "node":
		return verifyNode, nil
	case "python":
		return verifyPython, nil
	case "go":
		return verifyGo, nil
	}
	return "", usagef("unknown language %q for --verify. Known: node, python, go", language)
}

const verifyNode = `// Node 18+, no packages. WEBHOOK_SECRET is the webhook's secret, exactly as it was shown.
const crypto = require('node:crypto');
const http = require('node:http');

// body: the raw bytes of the request, not the parsed JSON.
function verify(body, header, secret) {
  const want = Buffer.from('sha256=' + crypto.createHmac('sha256', secret).update(body).digest('hex'));
  const got = Buffer.from(header || '');
  return got.length === want.length && crypto.timingSafeEqual(got, want);
}

http.createServer((req, res) => {
  const chunks = [];
  let size = 0;
  req.on('data', (c) => {
    size += c.length;
    if (size <= 2 << 20) chunks.push(c); // an event has at most 1 MiB
  });
  req.on('end', () => {
    if (size > 2 << 20) {
      res.writeHead(413).end();
      return;
    }
    const body = Buffer.concat(chunks);
    if (!verify(body, req.headers['x-webhook-signature'], process.env.WEBHOOK_SECRET)) {
      res.writeHead(401).end();
      return;
    }
    const event = JSON.parse(body);
    console.log(req.headers['x-webhook-id'], event.event); // drop ids you have seen before
    res.writeHead(200).end();
  });
}).listen(process.env.PORT || 8080, '127.0.0.1');
`

const verifyPython = `# Python 3.8+, no packages. WEBHOOK_SECRET is the webhook's secret, exactly as it was shown.
import hashlib
import hmac
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def verify(body: bytes, header: str, secret: str) -> bool:
    """body: the raw bytes of the request, not the parsed JSON."""
    want = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(want.encode(), (header or "").encode())


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > 2 << 20:  # an event has at most 1 MiB
            self.send_error(413)
            return
        body = self.rfile.read(length)
        ok = verify(body, self.headers.get("X-Webhook-Signature"), os.environ["WEBHOOK_SECRET"])
        self.send_response(200 if ok else 401)
        self.end_headers()
        if ok:
            event = json.loads(body)
            print(self.headers["X-Webhook-Id"], event["event"], flush=True)  # drop ids you have seen before


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Receiver).serve_forever()
`

const verifyGo = `// Go, standard library only. WEBHOOK_SECRET is the webhook's secret, exactly as it was shown.
package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

// verify checks the raw bytes of the request, not the parsed JSON.
func verify(body []byte, header, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal([]byte(header), []byte("sha256="+hex.EncodeToString(mac.Sum(nil))))
}

func main() {
	http.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2<<20)) // an event has at most 1 MiB
		if err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		if !verify(body, r.Header.Get("X-Webhook-Signature"), os.Getenv("WEBHOOK_SECRET")) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var event struct{ Event string }
		if err := json.Unmarshal(body, &event); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		log.Println(r.Header.Get("X-Webhook-Id"), event.Event) // drop ids you have seen before
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "8080"), nil))
}
`
