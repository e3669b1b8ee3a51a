package media

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"waoutbox/connection/wasim"
)

// servers are the simulator's media servers.
type servers struct {
	t     *testing.T
	sim   *wasim.Server
	http  *http.Client
	again func() (string, error)
	asked int
	fresh int
}

func newServers(t *testing.T) *servers {
	t.Helper()
	sim, err := wasim.New(wasim.Options{})
	must(t, err)
	must(t, sim.Listen("127.0.0.1:0"))
	transport := &http.Transport{}
	s := &servers{t: t, sim: sim, http: &http.Client{Transport: transport}}
	s.again = func() (string, error) { return "", ErrExpired }
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		must(t, sim.Close())
	})
	return s
}

func (s *servers) Hosts(_ context.Context, fresh bool) ([]string, string, error) {
	if fresh {
		s.fresh++
	}
	return []string{"mmg.whatsapp.net"}, "simulated", nil
}

func (s *servers) Again(context.Context, Ref) (string, error) {
	s.asked++
	return s.again()
}

func (s *servers) Do(req *http.Request) (*http.Response, error) {
	if req.URL.Host != "mmg.whatsapp.net" || req.URL.Scheme != "https" {
		s.t.Errorf("a request for %s", req.URL)
	}
	to, err := url.Parse(s.sim.ControlURL())
	if err != nil {
		return nil, err
	}
	req.URL.Scheme, req.URL.Host = "http", to.Host
	return s.http.Do(req)
}

// sent is a medium on the simulator's servers, and what its message says of it.
func (s *servers) sent(kind wasim.MediaKind, plain []byte) (*wasim.Medium, Ref) {
	s.t.Helper()
	m, err := s.sim.AddMedium(kind, plain)
	must(s.t, err)
	return m, refOf(m)
}

func refOf(m *wasim.Medium) Ref {
	d := m.Said()
	return Ref{
		Kind: Kind(m.Kind()), Path: d.GetDirectPath(), Key: d.GetMediaKey(), Hash: d.GetFileSHA256(),
		FileHash: d.GetFileEncSHA256(), Length: int64(d.GetFileLength()), MessageID: "3A01", Chat: "1@lid",
	}
}

func newSpool(t *testing.T, o Options) *Spool {
	t.Helper()
	o.Pause = func(int) time.Duration { return 0 }
	s, err := OpenSpool(t.TempDir(), o)
	must(t, err)
	return s
}

// reopened is the spool as the next process finds it.
func reopened(t *testing.T, s *Spool) *Spool {
	t.Helper()
	next, err := OpenSpool(s.dir, s.o)
	must(t, err)
	return next
}

// files are the names in the spool.
func (s *Spool) files(t *testing.T) []string {
	t.Helper()
	list, err := os.ReadDir(s.dir)
	must(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func content(t *testing.T, f *File) []byte {
	t.Helper()
	b, err := io.ReadAll(f.Open())
	must(t, err)
	if int64(len(b)) != f.Size {
		t.Errorf("%d bytes, and %d were promised", len(b), f.Size)
	}
	return b
}

func made(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
