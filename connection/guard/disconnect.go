package guard

import (
	"sync"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/socket"
)

// Disconnect is cli.Disconnect beside a connection that ends by itself at the same moment: the
// library takes away what is called at the end of a connection without the lock under which that is
// read (NoiseSocket.Stop, FrameSocket.Close). Here it is gone before, under that lock. A library
// that is made otherwise is told by Frames, and disconnected as it does that itself.
func Disconnect(cli *whatsmeow.Client) {
	//lint:ignore SA1019 nothing else says that an end is wanted before it comes
	cli.DangerousInternals().ExpectDisconnect()
	_ = endQuietly(cli)
	cli.Disconnect()
}

// endQuietly ends the present connection, if there is one, without telling the library.
func endQuietly(cli *whatsmeow.Client) error {
	lock, err := private[sync.RWMutex](cli, "socketLock")
	if err != nil {
		return err
	}
	field, err := private[*socket.NoiseSocket](cli, "socket")
	if err != nil {
		return err
	}
	lock.Lock()
	defer lock.Unlock()
	if *field == nil {
		return nil
	}
	frames, err := private[*socket.FrameSocket](*field, "fs")
	if err != nil {
		return err
	}
	closing, err := private[sync.Mutex](*frames, "lock")
	if err != nil {
		return err
	}
	closing.Lock()
	(*frames).OnDisconnect = nil
	closing.Unlock()
	(*field).Stop(true, true) // it leaves OnDisconnect alone
	return nil
}
