package webhook

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waoutbox/outbox"
)

// Webhooks that end, change and come back while attempts are under way, and callers that give up:
// every attempt ends well or as cut off, each body arrives as it was sent, and no connection is
// left when all is over.
func TestSendersStartAndStopUnderLoad(t *testing.T) {
	var open atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || string(b) != `{"id":"`+r.Header.Get("X-Webhook-Id")+`"}` || r.Header.Get("X-Webhook-Signature") != Signature([]byte("s"), b) {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "ok")
	}))
	srv.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		switch st {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
	srv.Start()
	defer srv.Close()
	s := sender(t)
	stop := make(chan struct{})
	var sending, ending sync.WaitGroup
	for range 2 {
		ending.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if i%10 == 0 {
					s.Close()
				}
				s.Forget(outbox.SubID(fmt.Sprint("wh_", i%3)))
			}
		})
	}
	for i := range 8 {
		sending.Go(func() {
			for j := range 200 {
				key := fmt.Sprint("evt_", i, "_", j)
				r := request(srv.URL+fmt.Sprint("/", j%2), "s", `{"id":"`+key+`"}`)
				r.Sub, r.Event.Key = outbox.SubID(fmt.Sprint("wh_", j%3)), key
				ctx, cancel := context.WithCancel(t.Context())
				if j%10 == 0 {
					go cancel()
				}
				res := s.Send(ctx, r)
				cut := res.Class == outbox.ClassLocal && ctx.Err() != nil
				cancel()
				if res.Class != outbox.ClassOK && !cut {
					t.Errorf("%s: %+v", key, res)
				}
			}
		})
	}
	sending.Wait()
	close(stop)
	ending.Wait()
	s.Close()
	for deadline := time.Now().Add(patience); open.Load() != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections stay open", open.Load())
		}
		<-time.After(time.Millisecond)
	}
}
