package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// probeDescriptors is how many descriptors are opened to find out whether this machine has
	// run out of them: a look-up needs several at a time, and another attempt may have given one
	// back in between.
	probeDescriptors = 16
	// lackMemory is how long a lack of descriptors or memory explains failed look-ups: a resolver
	// that could not read its configuration goes on without it for 5 s.
	lackMemory = 6 * time.Second
	// resolverFile is where Unix resolvers find their servers; elsewhere there is no such file.
	resolverFile = "/etc/resolv.conf"
)

// localError says that an attempt failed because of this machine. It costs no attempt.
type localError struct {
	what string // what could not be done
	err  error
}

func (e *localError) Error() string { return e.what + ": " + text(e.err) }
func (e *localError) Unwrap() error { return e.err }

// machine finds out whether this machine itself is in trouble. Safe for concurrent use.
type machine struct {
	resolverFile string

	mu    sync.Mutex // held while probing: concurrent probes would be a lack of their own
	lack  error      // the last lack met, nil for none
	met   time.Time
	roots *x509.CertPool
}

// explain returns the error of a dial as it is, or a *localError when a name could not be looked
// up because of this machine. A look-up reports that as text only, or not at all: without
// descriptors even localhost just "does not resolve".
func (m *machine) explain(err error) error {
	if isAny(err, errnoExhausted) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.remember(err)
		return err
	}
	if _, ok := errors.AsType[*net.DNSError](err); !ok || errors.Is(err, context.Canceled) {
		return err
	}
	if lack := m.find(); lack != nil {
		return &localError{"this machine cannot look up names now", lack}
	}
	return err
}

// find returns what this machine lacks to look up names, or nil.
func (m *machine) find() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lack != nil && time.Since(m.met) < lackMemory {
		return m.lack
	}
	err := m.probe()
	if isAny(err, errnoExhausted) {
		m.remember(err)
	}
	return err
}

// remember is called with mu held.
func (m *machine) remember(err error) { m.lack, m.met = err, time.Now() }

// probe does what a look-up does, without sending anything: it opens files and a socket, and reads
// the resolver's configuration. A configuration that is absent is none of our trouble (a container
// may know its names from /etc/hosts); one that cannot be read is.
func (m *machine) probe() error {
	var open []io.Closer
	defer func() {
		for _, c := range open {
			_ = c.Close() // nothing was written
		}
	}()
	for range probeDescriptors {
		f, err := os.Open(os.DevNull)
		if isLocal(err) {
			return root(err) // without the path, which does not matter
		}
		if err == nil {
			open = append(open, f)
		}
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if isLocal(err) {
		return root(err)
	}
	if err == nil {
		open = append(open, c)
	}
	f, err := os.Open(m.resolverFile)
	if err == nil {
		open = append(open, f)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the resolver's configuration: %w", err)
	}
	return nil
}

// rootCerts returns the system's root certificates. They are read here, and again until that
// succeeds: crypto/tls reads them once for the life of the process, and what fails at that moment
// (no descriptor left) would fail every https endpoint ever after.
func (m *machine) rootCerts() (*x509.CertPool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.roots != nil {
		return m.roots, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, &localError{"the root certificates of this machine cannot be read", err}
	}
	if pool.Equal(x509.NewCertPool()) {
		return nil, &localError{"https needs the root certificates of this machine", errNoRoots}
	}
	m.roots = pool
	return pool, nil
}

var errNoRoots = errors.New("none are installed (package ca-certificates)")
