package guard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/store"
)

// connection makes what cli.Connect does, up to the handshake, over frames.
func connection(t *testing.T, cli *whatsmeow.Client, frames *socket.FrameSocket) *socket.NoiseSocket {
	t.Helper()
	noise := &socket.NoiseSocket{}
	field, err := private[*socket.NoiseSocket](cli, "socket")
	if err != nil {
		t.Fatal(err)
	}
	fs, err := private[*socket.FrameSocket](noise, "fs")
	if err != nil {
		t.Fatal(err)
	}
	stop, err := private[chan struct{}](noise, "stopConsumer")
	if err != nil {
		t.Fatal(err)
	}
	*fs, *stop, *field = frames, make(chan struct{}), noise
	return noise
}

// What is called at the end of a connection is neither taken away while it is read, nor twice: the
// race detector told of a connection that ended by itself while it was disconnected.
func TestAnEndBesideADisconnect(t *testing.T) {
	for range 50 {
		cli := whatsmeow.NewClient(&store.Device{}, nil)
		frames := socket.NewFrameSocket(cli.Log, nil)
		noise := connection(t, cli, frames)
		//lint:ignore SA1019 what the library calls has no other name
		lib := cli.DangerousInternals()
		frames.OnDisconnect = func(ctx context.Context, remote bool) { lib.OnDisconnect(ctx, noise, remote) }
		lock, err := private[sync.Mutex](frames, "lock")
		if err != nil {
			t.Fatal(err)
		}
		var end sync.WaitGroup
		end.Go(func() { // as FrameSocket.Close does
			lock.Lock()
			defer lock.Unlock()
			if tell := frames.OnDisconnect; tell != nil {
				end.Go(func() { tell(t.Context(), true) })
			}
		})
		for range 100 {
			runtime.Gosched() // it reads first, and nothing tells this goroutine so
		}
		Disconnect(cli)
		end.Wait()
		if cli.IsConnected() {
			t.Fatal("it is connected")
		}
	}
}

// An end that was asked for is expected when it comes, so that no event tells of it.
//
// Mutation of disconnect.go: a connection is disconnected while it ends by itself: the library
// takes away what is called at its end without a lock.
func TestADisconnectIsExpected(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_, _, _ = c.Read(r.Context()) // until it is closed
		}
	}))
	defer server.Close()
	cli := whatsmeow.NewClient(&store.Device{}, nil)
	frames := socket.NewFrameSocket(cli.Log, server.Client())
	frames.URL = "ws" + strings.TrimPrefix(server.URL, "http")
	frames.HTTPHeaders = nil
	if err := frames.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	noise := connection(t, cli, frames)
	//lint:ignore SA1019 what the library calls has no other name
	lib := cli.DangerousInternals()
	expected := make(chan bool, 1)
	frames.OnDisconnect = func(ctx context.Context, remote bool) {
		expected <- lib.IsExpectedDisconnect()
		lib.OnDisconnect(ctx, noise, remote)
	}
	if !cli.IsConnected() {
		t.Fatal("it is not connected")
	}
	Disconnect(cli)
	if frames.OnDisconnect == nil {
		t.Fatal("what is called at its end was taken away without the lock under which that is read")
	}
	if !<-expected {
		t.Error("it would be told of its end")
	}
	if cli.IsConnected() {
		t.Error("it is connected")
	}
}
