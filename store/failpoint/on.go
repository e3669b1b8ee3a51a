//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// On reports whether the program was built with failpoints.
const On = true

// Hit kills the process when it is the moment that Env names. Before that it prints "died at" and
// the point.
func Hit(p Point) { plan().hit(p) }

// plan is read once, from the environment.
var plan = sync.OnceValue(func() *steps { return parse(os.Getenv(Env)) })

// steps are points still to pass, the last of which kills.
type steps struct {
	mu   sync.Mutex
	list []step
}

type step struct {
	point Point
	left  int
}

func parse(text string) *steps {
	s := &steps{}
	for part := range strings.SplitSeq(text, ",") {
		name, count, _ := strings.Cut(part, ":")
		n, err := strconv.Atoi(count)
		if name != "" && (err != nil || n < 1) {
			panic(fmt.Sprintf("%s=%s: write a point and a count, like commit.synced:1", Env, text))
		}
		if name != "" {
			s.list = append(s.list, step{Point(name), n})
		}
	}
	return s
}

func (s *steps) hit(p Point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 || s.list[0].point != p {
		return
	}
	if s.list[0].left--; s.list[0].left > 0 {
		return
	}
	if s.list = s.list[1:]; len(s.list) > 0 {
		return
	}
	fmt.Fprintln(os.Stdout, "died at", p)
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // until the kill arrives, nothing goes on past this point
}
