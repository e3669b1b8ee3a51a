//go:build !windows

package webhook

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"waoutbox/outbox"
)

// A resolver configuration that cannot be read makes every look-up fail, and is our own trouble;
// one that is absent is not.
func TestUnreadableResolverConfigurationIsOurs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]outbox.Class{
		file:                              outbox.ClassDNS,
		file + ".absent":                  outbox.ClassDNS,
		filepath.Join(file, "unreadable"): outbox.ClassLocal, // not a directory
	} {
		m := &machine{resolverFile: path}
		got, msg := classify(m.explain(&net.DNSError{Err: "connection refused", Name: "nowhere"}))
		if got != want || got == outbox.ClassLocal && !strings.Contains(msg, "resolver's configuration") {
			t.Errorf("%s: class %s (%s), want %s", path, got, msg, want)
		}
	}
}

// Out of descriptors, an address was our own trouble, but a name was class dns and spent attempts:
// "localhost: class dns (localhost does not resolve)", since a look-up that can open no file and no
// socket says so in text, or only that the name is unknown. The limit is the whole process's, so
// the test runs in one of its own.
//
// Mutation of machine.go: having no descriptor left is charged to the endpoint whose name was
// looked up.
func TestOutOfDescriptorsIsOurs(t *testing.T) {
	if target := os.Getenv(childVar); target != "" {
		sendWithoutDescriptors(t, target)
		return
	}
	inChild(t, serve(t, func(http.ResponseWriter, *http.Request) {}))
}

func sendWithoutDescriptors(t *testing.T, target string) {
	s := sender(t)
	s.resolver = testResolver(t, map[string]string{"n8n": "127.0.0.1", "hooks.example": "127.0.0.1"})
	port := mustParse(t, target).Port()
	hosts := []string{"127.0.0.1", "localhost", "n8n", "hooks.example"}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var taken []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		taken = append(taken, f)
	}
	// Once with none left, then with a few: a look-up needs several, and many attempts look up at a
	// time.
	for _, free := range []int{0, 1, 3} {
		for range free {
			_ = taken[0].Close()
			taken = taken[1:]
		}
		var wg sync.WaitGroup
		for _, host := range hosts {
			for range 8 {
				wg.Go(func() {
					res, _ := timedSend(t, s, request("http://"+host+":"+port+"/hook", "", "{}"), 10*time.Second)
					if res.Class != outbox.ClassLocal && (free == 0 || res.Class != outbox.ClassOK) {
						t.Errorf("%d descriptors free, %s: class %s (%s)", free, host, res.Class, res.Message)
					}
					if res.Class == outbox.ClassLocal && !strings.Contains(res.Message, "this machine") {
						t.Errorf("%s: %s", host, res.Message)
					}
				})
			}
		}
		wg.Wait()
		// Nearly none is none: what failed for want of one may have been given back since.
		if err := new(machine).find(); !isAny(err, errnoExhausted) {
			t.Errorf("%d descriptors free: %v", free, err)
		}
	}
	for _, f := range taken {
		_ = f.Close()
	}
	for _, host := range hosts {
		if res, _ := timedSend(t, s, request("http://"+host+":"+port+"/hook", "", "{}"), 10*time.Second); res.Class != outbox.ClassOK {
			t.Errorf("with descriptors again, %s: %+v", host, res)
		}
	}
}
