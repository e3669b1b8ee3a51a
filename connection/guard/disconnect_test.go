package guard

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/store"
)

// What is called at the end of a connection is taken away under the lock under which it is read:
// the race detector told of a connection that ended by itself while it was disconnected.
func TestAnEndBesideADisconnect(t *testing.T) {
	for range 50 {
		cli := whatsmeow.NewClient(&store.Device{}, nil)
		field, err := private[*socket.NoiseSocket](cli, "socket")
		if err != nil {
			t.Fatal(err)
		}
		noise := &socket.NoiseSocket{}
		frames, err := private[*socket.FrameSocket](noise, "fs")
		if err != nil {
			t.Fatal(err)
		}
		stop, err := private[chan struct{}](noise, "stopConsumer")
		if err != nil {
			t.Fatal(err)
		}
		*frames = socket.NewFrameSocket(cli.Log, nil)
		(*frames).OnDisconnect = func(context.Context, bool) {}
		*stop, *field = make(chan struct{}), noise
		lock, err := private[sync.Mutex](*frames, "lock")
		if err != nil {
			t.Fatal(err)
		}
		var read sync.WaitGroup
		read.Go(func() { // as FrameSocket.Close does
			lock.Lock()
			defer lock.Unlock()
			_ = (*frames).OnDisconnect != nil
		})
		for range 100 {
			runtime.Gosched() // it reads first, and nothing tells this goroutine so
		}
		Disconnect(cli)
		read.Wait()
		if (*frames).OnDisconnect != nil || *field != nil {
			t.Fatal("it would be told of its end")
		}
	}
}
