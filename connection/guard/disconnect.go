package guard

import "go.mau.fi/whatsmeow"

// Disconnect is cli.Disconnect beside a connection that ends by itself at the same moment. The
// library's own takes away what is called at the end of a connection without the lock under which
// that is read (NoiseSocket.Stop, FrameSocket.Close). ResetConnection ends the connection without
// doing so, and since the end is expected nobody is told of it.
func Disconnect(cli *whatsmeow.Client) {
	//lint:ignore SA1019 nothing else says that an end is wanted before it comes
	cli.DangerousInternals().ExpectDisconnect()
	cli.ResetConnection()
	cli.Disconnect()
}
